"""A site in tests: gateways as processes of their own over one database and one Redis, and tokens for whoever connects."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from joserfc.jwk import ECKey, KeySet

from server.config import Settings
from server.dev.embedded import free_port
from server.people.actors import Identity
from server.people.tokens import DevIssuer


class Gateway:
    """One gateway process."""

    def __init__(
        self, environment: dict[str, str], port: int, log: Path, program: Sequence[str] = ("server", "serve")
    ) -> None:
        self._program = program
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._environment = environment | {"PORT": str(port)}
        self.process: subprocess.Popen[bytes]
        self.spawn()

    @property
    def socket_url(self) -> str:
        """Where SDKs connect."""
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    def spawn(self) -> None:
        """Start the process; `healthy` tells when it answers."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", *self._program]
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    async def healthy(self, within: float = 60) -> "Gateway":
        """Wait until it answers."""
        async with asyncio.timeout(within):
            while not await asyncio.to_thread(self._answers):
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 30)


class Site:
    """What the gateways of one test share."""

    def __init__(self, folder: Path, database_url: str, redis_url: str, master: bytes) -> None:
        self._folder = folder
        key = ECKey.generate_key("P-256", auto_kid=True)
        (folder / "master").write_text(base64.b64encode(master).decode())
        (folder / "dev.json").write_text(json.dumps(key.as_dict(private=True)))
        (folder / "keys.json").write_text(json.dumps(KeySet([key]).as_dict(private=False)))
        self.environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "WARMLINE_PROFILE": "dev",
            "WARMLINE_MASTER_KEY_FILE": str(folder / "master"),
            "WARMLINE_TOKEN_ISSUER": "warmline-tests",
            "WARMLINE_TOKEN_KEYS_FILE": str(folder / "keys.json"),
            "WARMLINE_DEV_KEY_FILE": str(folder / "dev.json"),
        }
        self.settings = Settings.model_validate(self.environment)
        self.issuer = DevIssuer(self.settings)
        self.gateways: list[Gateway] = []

    def token(self, identity: Identity, seconds: int = 900) -> str:
        """A token for somebody."""
        return self.issuer.issue(identity, seconds)

    async def gateway(self, *, program: Sequence[str] = ("server", "serve"), **environment: str) -> Gateway:
        """One more gateway, answering; `program` is the module to run, for tests that bring one of their own."""
        log = self._folder / f"gateway-{len(self.gateways)}.log"
        gateway = Gateway(os.environ | self.environment | environment, free_port(), log, program)
        self.gateways.append(gateway)
        return await gateway.healthy()

    async def close(self) -> None:
        """End every gateway; each that still runs must end well."""
        ended = []
        for gateway in self.gateways:
            if gateway.process.poll() is None:
                ended.append((gateway, await gateway.stop()))
        assert all(status == 0 for _, status in ended), [gateway.log.read_text()[-2000:] for gateway, _ in ended]

"""A gateway and all that it stands on: Postgres and Redis of our own, keys in a temporary folder, everything on loopback."""

import asyncio
import base64
import contextlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.clients import ROOT, Failed, compile_native
from benchmarks.machine import Cores, Plan, pin
from server import schema
from server.config import Settings
from server.dev.child import Child
from server.dev.datafolder import ISSUER, make_issuer, write
from server.dev.embedded import Postgres, Redis, free_port

START_SECONDS = 30
SERVE = ("server", "serve")


@dataclass
class Stack:
    """What runs, and where."""

    folder: Path
    postgres: Postgres
    redis: Redis
    plan: Plan
    native: Mapping[str, Path] | None
    """The programs in C by name; None without a compiler."""

    async def database(self, name: str) -> str:
        """A new, empty database; its URL."""
        connection = await asyncpg.connect(self.postgres.url())
        try:
            await connection.execute(f"drop database if exists {name} with (force)")
            await connection.execute(f"create database {name}")
        finally:
            await connection.close()
        return self.postgres.url(name)

    async def settings(self, name: str) -> Settings:
        """The settings of a gateway on a new database with the schema in it."""
        url = await self.database(name)
        await schema.apply(url)
        return Settings(  # type: ignore[call-arg]  # the rest has defaults, under names that mypy does not see
            database_url=url,
            redis_url=self.redis.url(),
            port=free_port(),
            profile="dev",
            master_key_files=(self.folder / "master.key",),
            token_issuer=ISSUER,
            token_keys_file=self.folder / "issuer.public.jwks",
            dev_key_file=self.folder / "issuer.jwk",
            # A few people send as much as a thousand would: they pass the limits, at a rate that holds nobody up.
            sends_per_second=1_000_000,
            sends_burst=1_000_000,
            commands_per_second=1_000_000,
            # They come all at once and from one address, and give up when they are refused.
            connects_waiting=1_000_000,
            unauthenticated=1_000_000,
            unauthenticated_per_address=1_000_000,
        )

    @contextlib.asynccontextmanager
    async def gateway(
        self, settings: Settings, cores: Cores | None = None, program: Sequence[str] = SERVE
    ) -> AsyncIterator[Child]:
        """One gateway process as `python -m server serve` starts it, until the block ends.

        `cores`: other than the server's; `program`: another module than the product's, and what it is told.
        """
        log = self.folder / f"gateway-{settings.port}.log"
        child = Child("gateway", [sys.executable, "-m", *program], environment(settings), ROOT, log)
        child.start()
        try:
            pin(child.pid, cores or self.plan.server)
            await _healthy(child, settings.port, log)
            yield child
        except Failed as failed:
            raise Failed(f"{failed}\nThe gateway said:\n{log.read_text(errors='replace')[-2000:]}") from None
        finally:
            await child.stop()


@contextlib.asynccontextmanager
async def running(plan: Plan) -> AsyncIterator[Stack]:
    """Postgres, Redis and keys in a folder that is gone afterwards."""
    folder = _room()
    postgres, redis = Postgres(folder / "postgres"), Redis(folder / "redis")
    try:
        write(folder / "master.key", base64.b64encode(secrets.token_bytes(32)).decode())
        make_issuer(folder / "issuer.jwk", folder / "issuer.public.jwks")
        await postgres.start()
        await redis.start()
        pin(postgres.child.pid, plan.postgres)
        pin(redis.child.pid, plan.rest)
        yield Stack(folder, postgres, redis, plan, compile_native(folder))
    finally:
        await redis.stop()
        await postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _room() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="warmline-bench-"))
    folder.chmod(0o711)  # run by root, Postgres is another user, and has to pass
    return folder


def environment(settings: Settings) -> dict[str, str]:
    """Our environment, with the settings under the names that the process reads."""
    given = {
        str(field.validation_alias): ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, field in Settings.model_fields.items()
        if (value := getattr(settings, name)) not in (None, ())
    }
    return dict(os.environ) | given


async def _healthy(gateway: Child, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not gateway.running():
            raise Failed("the gateway ended while it started")
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            if answer.split(b" ")[1:2] == [b"200"]:
                return
        await asyncio.sleep(0.05)
    raise Failed(f"the gateway did not answer /health within {START_SECONDS} s")

"""An embedded Postgres and an embedded Redis: children that listen on loopback alone, behind a password."""

import asyncio
import os
import random
import secrets
import shutil
import socket
import time
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM, Signals

from server.dev.child import Child
from server.dev.programs import hand_over, postgres_bin, reachable, redis_program, server_user
from server.errors import Misconfigured

# A Postgres killed with -9 leaves processes that take a moment to notice; until then it refuses to start again.
STILL_ENDING = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


class EmbeddedServer:
    """What the two have in common: a folder, a password, a port kept over restarts, a child process."""

    name: str
    child: Child

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / f"{self.name}.log"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not reachable(folder):
            raise Misconfigured(
                f"{folder} lies in a folder that only root may enter, and {self.name} does not run as root. "
                "Set WARMLINE_DATA to a folder that others may enter."
            )
        secret = folder / "password"
        if not secret.exists():
            secret.write_text(secrets.token_urlsafe(24))
        self.password = secret.read_text()
        hand_over(folder)

    async def start(self, within: float = 60) -> None:
        """Start it and wait until it answers. A second start does nothing."""
        deadline = time.monotonic() + within
        while not self.child.running():
            self.child.start()
            while self.child.running() and not await self.ready():
                if time.monotonic() > deadline:
                    await self.kill()
                    raise Misconfigured(f"{self.name} did not answer within {within:.0f} s; see {self.log}")
                await asyncio.sleep(0.01)
            if not self.child.running():
                await self.may_try_again(deadline)

    async def may_try_again(self, deadline: float) -> None:
        """It ended while starting: wait if a predecessor is still going down, else say why it ended."""
        said = self.log.read_text(errors="replace")
        if time.monotonic() > deadline or not any(word in said for word in STILL_ENDING):
            raise Misconfigured(f"{self.name} does not start. It said:\n{said[-1000:]}")
        await asyncio.sleep(0.1)

    async def ready(self) -> bool:
        """Whether our own child (not a stranger on its port) takes connections."""
        raise NotImplementedError

    async def stop(self, how: Signals | None = None) -> None:
        """Stop it in order."""
        await self.child.stop(how or self.child.on_orphaned, within=30)

    async def kill(self) -> None:
        """End it as kill -9 does: with no warning."""
        await self.child.stop(SIGKILL)

    async def restart(self) -> None:
        """Stop it in order and start it on the same port."""
        await self.stop()
        await self.start()


class Postgres(EmbeddedServer):
    """Postgres 18 with its safe defaults (fsync and synchronous_commit on)."""

    name = "postgres"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bin = postgres_bin(folder)
        self.data = folder / "cluster"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 300,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_error_verbosity": "terse",  # its details quote the row, names and all
        }
        command: list[str | Path] = [
            self.bin / "postgres",
            "-D",
            self.data,
            *(f"--{key}={value}" for key, value in settings.items()),
        ]
        # SIGINT is Postgres's "fast" stop: it ends open connections, where SIGTERM would wait for them.
        self.child = Child(self.name, command, environment(), folder, self.log, server_user(), on_orphaned=SIGINT)

    def url(self, database: str = "postgres") -> str:
        """Where a database of it is, for a superuser."""
        return f"postgresql://warmline:{self.password}@127.0.0.1:{self.port}/{database}"

    async def start(self, within: float = 60) -> None:
        """Start it, making its files the first time."""
        if not self.data.exists():
            await self.make_files()
        await super().start(within)

    async def make_files(self) -> None:
        """Run initdb beside the final place and move the result there, so that half a cluster is never started."""
        fresh = self.data.with_suffix(".new")
        command: list[str | Path] = [
            *(self.bin / "initdb", "-D", fresh, "-U", "warmline", "-E", "UTF8", "--no-sync", "--no-instructions"),
            *("--auth=scram-sha-256", f"--pwfile={self.folder / 'password'}"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        shutil.rmtree(fresh, ignore_errors=True)
        initdb = Child("initdb", command, environment(), self.folder, self.log, server_user())
        initdb.start()
        try:
            status = await initdb.wait()
        finally:
            await initdb.stop()
        if status:
            raise Misconfigured(f"initdb failed. It said:\n{self.log.read_text(errors='replace')[-1000:]}")
        fresh.rename(self.data)

    async def ready(self) -> bool:
        """Postgres says so itself, in a file that also names the process."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.child.pid)


class Redis(EmbeddedServer):
    """A Redis (or Valkey) that keeps nothing on disk: nothing durable may live there."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        config = folder / "redis.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            'save ""\nappendonly no\ndaemonize no\ndir .\n'
        )
        config.chmod(0o600)
        hand_over(folder)
        command: list[str | Path] = [redis_program(folder), "redis.conf"]
        self.child = Child(self.name, command, None, folder, self.log, server_user(), on_orphaned=SIGTERM)

    def url(self, number: int = 0) -> str:
        """Where one of its numbered databases is."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{number}"

    async def ready(self) -> bool:
        """Whether it answers, and with our child's process id."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self.password}\r\nINFO server\r\nQUIT\r\n".encode())
            return f"process_id:{self.child.pid}\r\n".encode() in await reader.read()
        except OSError:
            return False
        finally:
            writer.close()


_kept: list[socket.socket] = []


def free_port() -> int:
    """A port nobody listens on, below the range that outgoing connections are numbered from.

    From within that range, a client that reconnects while the server is down could take the server's own port. It is kept for
    this process as long as it lives: until whoever it is for listens, seconds later, nobody else is given the same one. What
    stands for that is the UDP port of the same number, which nobody uses.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        token = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe:
            try:
                token.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                token.close()
                continue
        _kept.append(token)
        return port


def environment() -> dict[str, str]:
    """Our environment without what would redirect Postgres's programs."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}

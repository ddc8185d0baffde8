"""A streaming replica of an embedded Postgres, on a line of ours: it can be left without the tail, and then be promoted."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from server.dev.embedded import Postgres
from tests.support.proxy import Proxy, proxy


class Standby(Postgres):
    """A Postgres that follows another one."""

    async def ready(self) -> bool:
        """See EmbeddedServer: a standby says so with another word."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() in ("ready", "standby") and lines[0] == str(self.child.pid)

    async def promote(self) -> None:
        """Follow nobody any more: it has what it has."""
        connection = await asyncpg.connect(self.url())
        try:
            assert await connection.fetchval("select pg_promote(wait := true)")
        finally:
            await connection.close()


@asynccontextmanager
async def following(primary: Postgres, room: Path) -> AsyncIterator[tuple[Standby, Proxy]]:
    """A replica and the line by which it follows; the primary is stopped and started again, for its files to be copied."""
    room.mkdir(mode=0o711)
    folder = room / "postgres"
    await primary.stop()
    # With the owner and rights that the files have: the server is another user, when root runs the tests.
    await asyncio.to_thread(subprocess.run, ["cp", "-a", primary.folder, folder], check=True)
    await primary.start()
    standby = Standby(folder)
    async with proxy(primary.port) as line:
        with (standby.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"primary_conninfo = 'host=127.0.0.1 port={line.port} user=warmline password={primary.password}'\n"
            )
        (standby.data / "standby.signal").touch()
        try:
            await standby.start()
            yield standby, line
        finally:
            await standby.stop()


async def caught_up(primary: Postgres, standby: Standby) -> None:
    """Wait until the standby has what the primary has now."""
    ahead, behind = await asyncpg.connect(primary.url()), await asyncpg.connect(standby.url())
    try:
        there = await ahead.fetchval("select pg_current_wal_lsn()::text")
        async with asyncio.timeout(30):
            while not await behind.fetchval("select pg_last_wal_replay_lsn() >= $1::text::pg_lsn", there):
                await asyncio.sleep(0.05)
    finally:
        await ahead.close()
        await behind.close()

"""Restoring an embedded Postgres to a moment in the past, as operators do it: a base backup, the archived log, a target time."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import asyncpg

from server.dev.embedded import Postgres
from server.dev.programs import hand_over
from tests.faults.standby import Standby

_ARCHIVING = "archive_mode = on\narchive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'\n"
_RESTORING = """archive_mode = off
restore_command = 'cp {archive}/%f %p'
recovery_target_time = '{moment}'
recovery_target_action = 'promote'
"""


class Restored(Standby):
    """A Postgres out of a backup, which follows the archived log to a moment and then is a server of its own."""

    async def writable(self, within: float = 60) -> None:
        """Wait until it has come to the moment and has begun its own timeline."""
        connection = await asyncpg.connect(self.url())
        try:
            async with asyncio.timeout(within):
                while await connection.fetchval("select pg_is_in_recovery()"):
                    await asyncio.sleep(0.05)
        finally:
            await connection.close()


class Backup:
    """A base backup of one server, and the log that it has archived since."""

    def __init__(self, primary: Postgres, room: Path) -> None:
        self._primary = primary
        self._room = room
        self._archive = room / "archive"
        self._base = room / "base"
        self._restored: Restored | None = None

    async def take(self) -> None:
        """The base backup, of the server as it runs, by pg_basebackup."""
        command = [
            self._primary.bin / "pg_basebackup",
            "-D",
            self._base,
            "-h",
            "127.0.0.1",
            "-p",
            str(self._primary.port),
        ]
        command += ["-U", "warmline", "-X", "none", "--checkpoint=fast", "--no-sync"]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            env=os.environ | {"PGPASSWORD": self._primary.password},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    async def moment(self) -> datetime:
        """The server's clock, now."""
        found = await self._ask("select clock_timestamp()")
        assert isinstance(found, datetime)
        return found

    async def archived(self) -> None:
        """Wait until what is in the log now is in the archive."""
        there = await self._ask("select pg_walfile_name(pg_switch_wal())")
        async with asyncio.timeout(30):
            while not (self._archive / str(there)).exists():
                await asyncio.sleep(0.05)

    async def restore(self, moment: datetime) -> Restored:
        """A server as the other one was at that moment. It never was one of the two at the same time as the other."""
        folder = self._room / "restored"
        folder.mkdir(mode=0o711)
        (folder / "password").write_text(self._primary.password)
        self._base.rename(folder / "cluster")
        with (folder / "cluster" / "postgresql.auto.conf").open("a") as settings:
            settings.write(_RESTORING.format(archive=self._archive, moment=moment.isoformat()))
        (folder / "cluster" / "recovery.signal").touch()
        hand_over(folder)
        self._restored = Restored(folder)
        await self._restored.start()
        await self._restored.writable()
        return self._restored

    async def stop(self) -> None:
        """End the restored server."""
        if self._restored is not None:
            await self._restored.stop()

    async def _ask(self, query: str) -> object:
        connection = await asyncpg.connect(self._primary.url())
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()


@asynccontextmanager
async def backed_up(primary: Postgres, room: Path) -> AsyncIterator[Backup]:
    """Have the server archive its log; it is stopped and started again for that."""
    (room / "archive").mkdir(parents=True)
    room.chmod(0o711)
    hand_over(room / "archive")
    await primary.stop()
    with (primary.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(_ARCHIVING.format(archive=room / "archive"))
    await primary.start()
    made = Backup(primary, room)
    try:
        yield made
    finally:
        await made.stop()

"""The disk is full: what cannot be written is refused for the time being, what was answered stays, and it heals by itself (R15).

A small file system needs root; a limit on the size of Postgres's files does not, and fails in the same place: when a table,
or the write-ahead log, must grow. It can be set and lifted while Postgres runs.
"""

import asyncio
import contextlib
import resource
import subprocess
from collections.abc import AsyncIterator

import pytest

from server.dev.child import Child
from server.dev.embedded import Postgres, environment
from server.dev.programs import server_user
from tests.live.conftest import Connect, Start, clinic_in
from tests.support.cluster import Databases, running
from tests.support.processes import descendants
from tests.support.wire import Refused, Wire

ENDLESS = resource.RLIM_INFINITY
LONG = "Long words, " * 650
"""Of random bytes once encrypted: each takes another page of its table's side file."""


class Cramped(Postgres):
    """A Postgres whose log is in files of 1 MiB, so that a table is the first to meet a limit that is larger."""

    async def make_files(self) -> None:
        await super().make_files()
        command = [self.bin / "pg_resetwal", "--wal-segsize=1", "-D", self.data]
        smaller = Child("pg_resetwal", command, environment(), self.folder, self.log, server_user())
        smaller.start()
        assert await smaller.wait() == 0, self.log.read_text()

    def room(self, limit: int) -> None:
        """Let no file of it grow beyond so many bytes, from now on."""
        processes = (self.child.pid, *descendants(self.child.pid))

        def set_limits() -> None:
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, most))

        # One may set the limits of one's own processes: so this runs in a child that is of the server's user by then.
        user = server_user()
        groups = None if user is None else []
        subprocess.run(
            ["true"], user=user, group=user, extra_groups=groups, preexec_fn=set_limits, check=True, timeout=10
        )

    def largest(self) -> int:
        """The size of its largest file."""
        return max(path.stat().st_size for path in (self.data / "base").rglob("*") if path.is_file())


@pytest.fixture
async def cramped() -> AsyncIterator[Cramped]:
    async with running(Cramped) as server:
        yield server


class Writer:
    """Sends until it is refused, and knows what was answered."""

    def __init__(self, wire: Wire, channel: str) -> None:
        self.wire, self.channel = wire, channel
        self.answered: dict[str, int] = {}
        self.refused: list[Refused] = []

    async def send(self, client_id: str) -> None:
        """Send one message, long enough to need room."""
        try:
            self.answered[client_id] = (await self.wire.send(self.channel, f"{client_id} {LONG}", client_id))["offset"]
        except Refused as refused:
            self.refused.append(refused)

    async def until_refused(self, name: str) -> list[str]:
        """Send and send, eight at a time; the client_ids that were refused at last."""
        for wave in range(200):
            sent = [f"{name}-{wave}-{number}" for number in range(8)]
            await asyncio.gather(*map(self.send, sent))
            if refused := [client_id for client_id in sent if client_id not in self.answered]:
                return refused
        raise AssertionError("the disk was never full")


@pytest.mark.catalogue("R15")
async def test_a_full_disk_refuses_for_the_time_being_and_loses_nothing(
    cramped: Cramped, start: Start, connect: Connect
) -> None:
    databases = Databases(cramped.url())
    await databases.make_template()
    url = await databases.create()
    gateway = await start(DATABASE_URL=url, WARMLINE_SENDS_PER_SECOND="10000", WARMLINE_SENDS_BURST="10000")
    async with clinic_in(url) as clinic:
        channel = await clinic.care_team(await clinic.patient())
    listener = await connect(gateway, clinic.identity(clinic.clinician))
    stream = await listener.subscribe(channel)
    writer = Writer(await connect(gateway, clinic.identity(clinic.clinician)), channel)

    # The tables' volume is full: no file grows, everything else goes on.
    cramped.room(cramped.largest() + 256 * 1024)
    again = await writer.until_refused("tables")
    assert len(writer.answered) > 3
    assert "File too large" in cramped.log.read_text(), "it is the disk that refused"
    await listener.until(lambda _: stream.position == max(writer.answered.values()))
    page = await listener.rpc("message.history", channel_id=channel, limit=100)
    assert page["offset"] == max(writer.answered.values())
    assert all(item["text"].endswith(LONG.strip()) for item in page["items"] if item["type"] == "message")
    first = "tables-0-0"
    assert (await writer.wire.send(channel, f"{first} {LONG}", first))["offset"] == writer.answered[first]

    cramped.room(ENDLESS)  # somebody made room; nobody restarts anything
    for client_id in again:
        await writer.send(client_id)
    assert set(again) <= set(writer.answered)

    # The log's volume is full: Postgres stops, because it can promise nothing any more, and comes back when there is room.
    cramped.room(64 * 1024)
    again = await writer.until_refused("log")
    cramped.room(ENDLESS)
    await cramped.kill()
    await cramped.start()
    async with asyncio.timeout(30):
        while missing := [client_id for client_id in again if client_id not in writer.answered]:
            await writer.send(missing[0])
            await asyncio.sleep(0.05)

    assert {(refused.code, refused.temporary) for refused in writer.refused} == {(100, True)}
    assert (listener.over, writer.wire.over) == (None, None), "everybody stayed connected"
    await listener.until(lambda _: stream.position == max(writer.answered.values()))
    offsets = {str(data["text"]).split()[0]: data["offset"] for _, data in stream.items}
    assert offsets == writer.answered, "what was answered is there, once, and nothing else"

"""Much was said while somebody was away: it comes in portions, or they are told; never too large a frame, nor memory without
bound. `make faults` says it with 100,000 events."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.live.conftest import Start, clinic_in
from tests.support.apps import command, running
from tests.support.cast import Clinic
from tests.support.cluster import Databases
from tests.support.proxy import Proxy, proxy
from tests.support.site import Site
from tests.support.wire import Wire

EVENTS = int(os.environ.get("BACKLOG", "6000"))
RECOVERABLE, AT_ONCE = 4_000, 500
FRAME, ROOM = 512 * 1024, 48 * 1024 * 1024
"""Bytes: no frame is larger than the one; the gateway takes no more than the other for somebody so far behind."""
PATIENCE = 120.0
WORDS = "So much has happened. " * 30


async def write(clinic: Clinic, person: str, channel: str, count: int) -> None:
    """So many messages."""
    for first in range(0, count, AT_ONCE):
        await asyncio.gather(*(clinic.send(person, channel, WORDS) for _ in range(first, min(first + AT_ONCE, count))))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def away(way: Proxy, port: int, writing: asyncio.Future[None]) -> None:
    """Nobody is there while this is written."""
    way.targets = []
    way.cut()
    await writing
    way.targets = [port]


@pytest.mark.catalogue("R21")
async def test_a_very_large_backlog_is_said_in_portions_or_said_to_be_too_large(
    databases: Databases, start: Start, site: Site, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The oldest SDK one meets takes frames of a megabyte at most, and shows what it was given in order."""
    url = await databases.create()
    async with clinic_in(url) as clinic:
        gateway = await start(DATABASE_URL=url)
        patient = await clinic.patient()
        channel = await clinic.care_team(patient)
        token = tmp_path / "token"
        token.write_text(site.token(clinic.identity(patient), 3600))
        arguments, environment = command("python-0.5.0", tmp_path_factory.getbasetemp().parent / "sdks", tmp_path)
        async with (
            proxy(gateway.port) as way,
            running([*arguments, way.socket_url, "json", channel, str(token)], environment) as app,
        ):
            await app.says("subscribed anew")
            await write(clinic, clinic.clinician, channel, 1)
            await app.says("pub")
            await away(way, gateway.port, asyncio.ensure_future(write(clinic, clinic.clinician, channel, RECOVERABLE)))
            await app.says("subscribed recovered", within=PATIENCE)
            await app.says("pub", times=RECOVERABLE + 1, within=PATIENCE)
            assert [offset for offset, _ in app.heard] == list(range(2, RECOVERABLE + 3))

            before = resident(gateway.process.pid)
            await away(way, gateway.port, asyncio.ensure_future(write(clinic, clinic.clinician, channel, EVENTS)))
            await app.says("subscribed anew", times=2, within=PATIENCE)
            await write(clinic, clinic.clinician, channel, 1)
            top = RECOVERABLE + EVENTS + 3
            await app.says(f"pub {top}", within=PATIENCE)
            assert app.count("pub") == RECOVERABLE + 2
        await read_back(gateway.socket_url, site.token(clinic.identity(patient)), channel, top)
        assert resident(gateway.process.pid) - before < ROOM
        gateway.kill()
    await databases.drop(url)


async def read_back(url: str, token: str, channel: str, top: int) -> None:
    """Page by page from the beginning, by the protocol's own history."""
    wire = await Wire.open(url, token)
    await wire.subscribe(channel)
    since = {"offset": 0, "epoch": wire.streams[channel].epoch}
    seen = 0
    while since["offset"] < top:
        page = (await wire.ask(history={"channel": channel, "limit": 500, "since": since}))["publications"]
        offsets = [publication["offset"] for publication in page]
        assert offsets == list(range(since["offset"] + 1, since["offset"] + 1 + len(page)))
        assert page
        since["offset"], seen = offsets[-1], seen + len(page)
        assert max(map(len, wire.heard)) < FRAME
        wire.heard.clear()
    assert seen == top
    await wire.close()

"""Keys change under load: every data key rotated, closed anew, wrapped by a new master key, and nobody notices (S32)."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.live.conftest import Connect, Start, clinic_in
from tests.support.cast import Clinic
from tests.support.cluster import Databases
from tests.support.commands import here
from tests.support.site import Gateway
from tests.support.wire import Refused, Wire


@pytest.fixture
async def own_url(databases: Databases) -> AsyncIterator[str]:
    """A database whose keys are this test's to change."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture
async def clinic(own_url: str) -> AsyncIterator[Clinic]:
    async with clinic_in(own_url) as made:
        yield made


UNHURRIED = {
    f"WARMLINE_{what}_{limit}": "10000" for what in ("SENDS", "OPERATIONS") for limit in ("PER_SECOND", "BURST")
}
"""Nobody is held back: these tests are about other things."""


class Traffic:
    """People who write and read all the time; what they were answered."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.sent: dict[str, int] = {}
        self.refused: list[Refused] = []
        self.pages = self.unreadable = 0

    async def write(self, wire: Wire, channel: str, name: str) -> None:
        """Write one message after the other."""
        while not self.over.is_set():
            text = f"{name} {len(self.sent)}"
            try:
                self.sent[text] = (await wire.send(channel, text, text.replace(" ", "-")))["offset"]
            except Refused as refused:
                self.refused.append(refused)
            await asyncio.sleep(0.005)

    async def read(self, wire: Wire, channel: str) -> None:
        """Read the newest and the oldest page, again and again."""
        while not self.over.is_set():
            for before in ({}, {"before": 60}):
                try:
                    self._looked(await wire.rpc("message.history", channel_id=channel, limit=50, **before))
                except Refused as refused:
                    self.refused.append(refused)
            await asyncio.sleep(0.01)

    async def more(self, count: int = 60) -> None:
        """Wait until so many more messages were written."""
        wanted = len(self.sent) + count
        async with asyncio.timeout(30):
            while len(self.sent) < wanted:
                assert not self.refused
                await asyncio.sleep(0.01)

    def _looked(self, history: dict[str, Any]) -> None:
        self.pages += 1
        self.unreadable += sum("unreadable" in item for item in history["items"])


@pytest.mark.catalogue("S32")
async def test_keys_change_under_load_and_no_send_is_refused_and_no_word_unreadable(
    start: Start, connect: Connect, clinic: Clinic, own_url: str, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.key", tmp_path / "new.key"
    old.write_text(base64.b64encode(bytes(range(32))).decode())
    new.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    settings = {"DATABASE_URL": own_url, "WARMLINE_MASTER_KEY_FILE": f"{old},{new}"} | UNHURRIED
    a, b = [await start(**settings) for _ in range(2)]
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    wires = [await connect(where, who) for where in (a, b) for who in (patient, clinic.clinician)]
    streams = [await wire.subscribe(channel) for wire in wires]
    traffic = Traffic()
    going = asyncio.gather(
        *(traffic.write(wire, channel, f"w{number}") for number, wire in enumerate(wires)),
        *(traffic.read(wire, channel) for wire in wires[1:3]),
    )

    async def keys(*command: str, order: tuple[Path, Path] = (old, new)) -> None:
        done = await here(
            "keys", *command, **settings | {"WARMLINE_MASTER_KEY_FILE": ",".join(map(str, order))} | others
        )
        assert done.returncode == 0, done.stderr

    others = {"REDIS_URL": "redis://none", "WARMLINE_TOKEN_ISSUER": "none", "WARMLINE_TOKEN_KEYS_FILE": "/none"}
    others |= {"WARMLINE_PROFILE": "dev"}
    await traffic.more()
    await keys("rotate", "--all")
    await traffic.more()
    await taken_up(connect, (a, b), clinic)
    await traffic.more()
    await keys("re-encrypt", "--pause", "0")
    await traffic.more()
    await keys("rewrap", order=(new, old))
    await traffic.more()
    for path in (old, new):  # what is unreachable for a while at run time is not needed at run time
        path.rename(path.with_suffix(".away"))
    await traffic.more()
    await connect(a, clinic.clinician)
    for path in (old, new):
        path.with_suffix(".away").rename(path)
    await keys("rotate", "--all", order=(new, old))
    await taken_up(connect, (a, b), clinic)
    await traffic.more()
    traffic.over.set()
    await going

    assert traffic.refused == []
    assert traffic.unreadable == 0
    assert traffic.pages > 20
    last = await wires[0].send(channel, "The end", "end")
    for wire, stream in zip(wires, streams, strict=True):
        await wire.until(lambda _, stream=stream: stream.position == last["offset"])
        assert {text: stream.texts.count(text) for text in traffic.sent} == dict.fromkeys(traffic.sent, 1)
    await finally_readable(
        await start(**settings | {"WARMLINE_MASTER_KEY_FILE": str(new)}), connect, clinic, channel, traffic
    )
    assert len(await used(own_url)) == 2, "nothing is left under the first of the three keys"
    for gateway in (a, b):
        assert "error" not in gateway.log.read_text().lower()


async def taken_up(connect: Connect, gateways: tuple[Gateway, ...], clinic: Clinic) -> None:
    """Whoever connects has the keys read, so the gateways need no minute to see the new one."""
    for gateway in gateways:
        await connect(gateway, clinic.clinician)


async def finally_readable(gateway: Gateway, connect: Connect, clinic: Clinic, channel: str, traffic: Traffic) -> None:
    """A process that has only the new master key reads every word."""
    wire = await connect(gateway, clinic.clinician)
    found: dict[str, int] = {}
    before: dict[str, int] = {}
    while not before or before["before"] > 1:
        page = await wire.rpc("message.history", channel_id=channel, limit=100, **before)
        found |= {item["text"]: item["offset"] for item in page["items"] if item["type"] == "message"}
        before = {"before": min(item["offset"] for item in page["items"])}
    assert {text: found.get(text) for text in traffic.sent} == traffic.sent


async def used(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select distinct key_id from message_revisions")
        return [row["key_id"] for row in rows]
    finally:
        await connection.close()

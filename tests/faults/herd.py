"""R27: a thousand connections with twenty channels each lose their gateway in one moment, and come back together."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.load import BROKEN, Load
from tests.faults.recorder import Heard, RecordedWire
from tests.faults.run import Run
from tests.support.wire import Refused

CONNECTIONS, CHANNELS, PEOPLE = 1000, 20, 25
KILLED = "a gateway killed under a herd"
BACK_WITHIN = 30.0
"""Seconds, as the catalogue has it; the thousand are one process of Python, on the machine that everything else runs on."""
STATEMENTS = 3.0
"""That one who comes back with twenty channels may cost, at most: what they ask is put into statements together."""


@dataclass
class Member:
    """One connection of the herd. `since`: when it last had all its channels; 0 while it has not. It goes to the first of
    `urls`, which all of them share: no proxy stands in between, which would be the slowest of all."""

    load: Load
    urls: list[str]
    name: str
    person: str
    streams: list[Heard]
    since: float = 0.0

    async def run(self) -> None:
        """Connect, subscribe, stay; come back with the pauses that SDKs make: up to half a second, and up to twice that."""
        failed = 0
        while True:
            with contextlib.suppress(*BROKEN, Refused):
                async with self.load.connected(self.name, self.person, self.urls[0]) as wire:
                    while not wire.over:
                        out = [one for one in self.streams if one.channel not in wire.streams or one.ended is not None]
                        await asyncio.gather(*(self._subscribe(wire, one) for one in out))
                        self.since, failed = time.monotonic(), 0
                        await wire.until(lambda wire: wire.over or any(one.ended for one in self.streams), 3600)
            self.since = 0.0
            await asyncio.sleep(self.load.luck.uniform(0, min(20.0, 0.5 * 2**failed)))
            failed += 1

    async def _subscribe(self, wire: RecordedWire, stream: Heard) -> None:
        while True:
            try:
                async with asyncio.timeout(15):
                    await wire.subscribe(stream)
                return
            except TimeoutError:
                wire.given_up = True
                raise
            except Refused as refused:
                if refused.code not in (100, 103, 111):
                    raise
                await asyncio.sleep(self.load.luck.uniform(0.2, 0.5))


async def herd(going: Run, seconds: float) -> None:
    """They all sit on one gateway; it dies; somebody goes on writing to each of their channels."""
    ward, load = going.ward, going.load
    urls = [one.gateway.socket_url for one in ward.nodes]
    people = [ward.resident(await ward.clinic.team_member()) for _ in range(PEOPLE)]
    channels = [await ward.channel(*people) for _ in range(CHANNELS)]
    going.channels.update(dict.fromkeys(channels, ward.clinic.clinician))
    members = []
    for number in range(CONNECTIONS):
        person = people[number % PEOPLE]
        streams = [Heard(one, recorder=ward.recorder, client=f"herd {number}", person=person) for one in channels]
        load.listeners += streams
        members.append(Member(load, urls, f"herd {number}", person, streams))
    going.also([member.run() for member in members])
    await _all(members, 0.0, 120)
    load.write(
        "herd", people[0], channels, urls[1]
    )  # where they come to: else the writer would stand in line with them
    await asyncio.sleep(2)
    before = sum(one.sql.count for one in ward.nodes)
    await asyncio.sleep(3)
    usual = (sum(one.sql.count for one in ward.nodes) - before) / 3
    await _kill(going, members, urls, usual)
    await asyncio.sleep(max(2.0, seconds / 4))


async def _kill(going: Run, members: Sequence[Member], urls: list[str], usual: float) -> None:
    victim, other = going.ward.nodes[:2]
    async with going.nemesis.broken(KILLED):
        there = sum(member.since > 0 for member in members)
        before, killed = other.sql.count, time.monotonic()
        del urls[0]
        victim.gateway.kill()
        await _all(members, killed, 90)
        cost = (other.sql.count - before - usual * (time.monotonic() - killed)) / max(there, 1)
    took = sorted(member.since - killed for member in members)
    half, almost = statistics.median(took), took[int(len(took) * 0.99) - 1]
    going.hold(
        there == len(members), f"{there} of {len(members)} connections with {CHANNELS} channels each lost their gateway"
    )
    times = f"{half:.1f} s (half), {almost:.1f} s (99 %), {took[-1]:.1f} s (all)"
    going.hold(took[-1] < BACK_WITHIN, f"back and recovered after {times}, the pauses that SDKs make included")
    going.hold(cost < STATEMENTS, f"{max(0.0, cost):.1f} SQL statements more than usual for each that came back")
    victim.gateway.spawn()
    await victim.gateway.healthy(60)


async def _all(members: Sequence[Member], after: float, within: float) -> None:
    async with asyncio.timeout(within):
        while not all(member.since > after for member in members):
            await asyncio.sleep(0.05)

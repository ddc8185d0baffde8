"""Ten thousand connections that mostly wait, with 20 subscriptions each: their memory, and what the tops check takes."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from benchmarks import machine, stack
from benchmarks.bulk import filling
from benchmarks.clients import Client, Failed, load_command, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.probed import CHECKS
from benchmarks.rounds import Size
from benchmarks.script import Script, body
from benchmarks.stack import Stack
from benchmarks.table import Figure, Table, Target
from server.config import Settings
from server.dev.child import Child
from server.ids import ChannelId, PersonId

EARLY = 20
"""One in so many connections is there before the memory of the others is measured: the first ones fill pools and caches."""
SETTLE_SECONDS = 2.0
WRITING_SECONDS = 12.0
BODY = 150


async def run(size: Size) -> Table:
    """Measure it. Raises Failed."""
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=0)))
        settings = await parts.settings("idle")
        clinic = await open_.enter_async_context(founded(settings))
        people, own = await furnished(clinic, settings, size)
        probe = parts.folder / "probe"
        gateway = await open_.enter_async_context(parts.gateway(settings, program=["benchmarks.probed", str(probe)]))
        early = max(1, size.idle // EARLY)
        writers = await open_.enter_async_context(
            connected(parts, settings, clinic, people[:early], own[:early], sends=True)
        )
        before = await memory(gateway, size)
        await open_.enter_async_context(connected(parts, settings, clinic, people[early:], own[early:]))
        grown = (await memory(gateway, size) - before) / (size.idle - early)
        resting = [await rest(gateway, size) for _ in range(size.rounds)]
        quiet = [await checked(parts, gateway, probe) for _ in range(size.rounds)]
        wrote = await writers.go(min(WRITING_SECONDS, 4 * size.seconds), {})
        busy = [await checked(parts, gateway, probe) for _ in range(size.rounds)]
    made = Table(f"Waiting: {size.idle:,} connections with {size.subscriptions} subscriptions each")
    made.rows = [
        Figure("memory of a connection", "KiB", [grown / 1024], target=Target(32, most=True, ratio=False)),
        Figure("gateway, all it does while nobody says anything", "% of a core", resting),
        *(
            Figure(
                f"tops check, {when}", "% of a core", [100 * ours for ours, _ in found],
                target=Target(5, most=True, ratio=False),
                beside=f"Postgres {max(100 * theirs for _, theirs in found):.1f} % at most",
            )
            for when, found in (
                ("nothing written", quiet),
                (f"{wrote.done:,} messages in the last {wrote.seconds:.0f} s, {wrote.done / wrote.seconds:,.0f} a second", busy),
            )
        ),
    ]  # fmt: skip
    made.remarks = remarks(parts, size)
    return made


async def furnished(clinic: Clinic, settings: Settings, size: Size) -> tuple[list[PersonId], list[list[ChannelId]]]:
    """So many people, and the channels of each: in every channel as many people as in the small channels of rooms.py."""
    async with filling(settings.database_url, clinic.organization_id) as bulk:
        people = await bulk.staff(size.idle)
        count = max(size.subscriptions, size.idle * size.subscriptions // size.members)
        members: list[list[PersonId]] = [[] for _ in range(count)]
        for number, person in enumerate(people):
            for place in range(size.subscriptions):
                members[(number + place * (count // size.subscriptions)) % count].append(person)
        own: dict[PersonId, list[ChannelId]] = {person: [] for person in people}
        for channel, some in zip(await bulk.channels(members), members, strict=True):
            for person in some:
                own[person].append(channel)
    return people, list(own.values())


@contextlib.asynccontextmanager
async def connected(
    parts: Stack,
    settings: Settings,
    clinic: Clinic,
    people: Sequence[PersonId],
    own: Sequence[Sequence[ChannelId]],
    sends: bool = False,
) -> AsyncIterator[Client]:
    """One connection for each, subscribed to all of their channels."""
    script = Script("idle")
    for person, channels in zip(people, own, strict=True):
        script.connection(clinic.token(person), channels, channels if sends else [], body(BODY))
    path = script.write(parts.folder / f"idle-{len(people)}")
    command = load_command(parts.native, settings.port, path, 1, 0)
    async with running("load client", command, parts.plan.client) as client:
        await ready(client)
        yield client


async def memory(gateway: Child, size: Size) -> int:
    """The gateway's resident memory, in bytes, after a moment of rest."""
    await asyncio.sleep(min(SETTLE_SECONDS, size.seconds))
    return machine.resident(gateway.pid)


async def rest(gateway: Child, size: Size) -> float:
    """How many percent of a core the gateway takes while nobody does anything."""
    began, taken = time.monotonic(), machine.counting(gateway.pid)
    await asyncio.sleep(size.seconds)
    return 100 * taken() / (time.monotonic() - began)


async def checked(parts: Stack, gateway: Child, probe: Path) -> tuple[float, float]:
    """The processor time of one tops check, in seconds: the gateway's, and Postgres's. Raises Failed."""
    probe.unlink(missing_ok=True)
    taken = machine.counting(parts.postgres.child.pid)
    os.kill(gateway.pid, signal.SIGUSR1)
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if probe.exists():
            return float(probe.read_text()), taken() / CHECKS
    raise Failed("the gateway made no tops check")


def remarks(parts: Stack, size: Size) -> list[str]:
    """What was measured, and how."""
    return [
        f"Each connection is another person's, signed in and subscribed to all {size.subscriptions} of their channels; "
        f"{size.members} people in each channel. Memory: what the resident memory of the gateway grew by from the first "
        "twentieth of the connections to the last, for each.",
        "Tops check: processor time of ten checks in a row, for each; the gateway makes one a second. It looks back 15 seconds.",
        f"{size.rounds} times, for {size.seconds:g} s each; {parts.plan}.",
    ]

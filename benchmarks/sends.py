"""Durable sends with the whole path on, spread over many channels and into one; beside asyncpg alone without any check."""

import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from benchmarks import machine, stack
from benchmarks.clients import load_command, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.rounds import Contestant, Size, alternate, require_all
from benchmarks.script import Script, body
from benchmarks.stack import Stack
from benchmarks.table import Row, Table, commands
from server.config import Settings
from server.ids import ChannelId, PersonId

BODY = 300
MEMBERS = 4
SINGLE_SENDERS, SINGLE_POOL = 64, 16


@dataclass(frozen=True)
class Layout:
    """Who sends where: `own` has, for each person, the channels they send to. Do they listen to these as well?"""

    name: str
    channels: int
    own: Sequence[Sequence[ChannelId]]
    listening: bool


async def run(size: Size) -> Table:
    """Measure it. Raises Failed."""
    made = Table("Durable sends: acknowledged messages per second, one gateway")
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=2)))
        settings = await parts.settings("sends")
        clinic = await open_.enter_async_context(founded(settings))
        people = await clinic.staff(size.senders)
        finished = []
        for layout in (await many(clinic, people, size.channels), await hot(clinic, people)):
            async with gateway(parts, settings, clinic, people, layout) as ours, single(parts, layout) as reference:
                await ours.warm_up(size)
                await reference.warm_up(size)
                await alternate([ours, reference], size)
            finished.append(ours)
            made.rows += rows(layout.name, ours, reference)
        require_all(await clinic.messages(), finished)
    made.remarks += remarks(parts, size)
    return made


async def many(clinic: Clinic, people: Sequence[PersonId], count: int) -> Layout:
    """Many channels with a few members each, spread evenly."""
    step = max(1, len(people) // MEMBERS)
    members = [[(number + place * step) % len(people) for place in range(MEMBERS)] for number in range(count)]
    channels = await clinic.channels([[people[each] for each in some] for some in members])
    own = [[channels[number] for number, some in enumerate(members) if place in some] for place in range(len(people))]
    return Layout(f"{count:,} channels", count, own, listening=True)


async def hot(clinic: Clinic, people: Sequence[PersonId]) -> Layout:
    """One channel with everybody in it. Nobody listens to it: that would be another fan-out benchmark."""
    [channel] = await clinic.channels([people])
    return Layout("one hot channel", 1, [[channel]] * len(people), listening=False)


@contextlib.asynccontextmanager
async def gateway(
    parts: Stack, settings: Settings, clinic: Clinic, people: Sequence[PersonId], layout: Layout
) -> AsyncIterator[Contestant]:
    """A gateway, and a load client with one connection for each person."""
    script = Script(f"{layout.channels}")
    for person, own in zip(people, layout.own, strict=True):
        script.connection(clinic.token(person), own if layout.listening else [], own, body(BODY))
    path = script.write(parts.folder / f"senders-{layout.channels}")
    async with parts.gateway(settings) as process:
        command = load_command(parts.native, settings.port, path, 1, 0)
        async with running("load client", command, parts.plan.client) as client:
            await ready(client)
            yield Contestant(client, {"server": process.pid, "Postgres": parts.postgres.child.pid})


@contextlib.asynccontextmanager
async def single(parts: Stack, layout: Layout) -> AsyncIterator[Contestant]:
    """The reference: one statement per message, on a database of its own on the same Postgres."""
    url = await parts.database(f"single_{layout.channels}")
    words = [url, str(layout.channels), str(SINGLE_SENDERS), str(SINGLE_POOL), str(BODY)]
    async with running(
        "asyncpg alone", [sys.executable, "-m", "benchmarks.single", *words], parts.plan.server
    ) as client:
        await ready(client)
        yield Contestant(client, {"server": client.process.pid, "Postgres": parts.postgres.child.pid})


def rows(where: str, ours: Contestant, reference: Contestant) -> list[Row]:
    """The figures of one layout."""
    pairs = zip(ours.samples, reference.samples, strict=True)
    ratios = [(own.done / own.seconds) / (other.done / other.seconds) for own, other in pairs]
    return [
        Row(f"gateway, whole path, {where}", ours.samples, commands, ratios),
        Row(f"asyncpg, one statement per message, {where}", reference.samples, commands),
    ]


def remarks(parts: Stack, size: Size) -> list[str]:
    """What was measured, and how."""
    return [
        f"Gateway: {size.senders} WebSocket connections of as many people, from a separate process; {BODY}-byte bodies. Closed "
        "loop: each connection has one rpc `message.send` on its way and sends the next when it is answered. Each of the "
        f"{size.channels:,} channels has {MEMBERS} members, who all send and listen to it ({MEMBERS} live deliveries per send). "
        "The hot channel has all of them as members; nobody listens to it, so everybody gets badge hints instead.",
        f"asyncpg: {SINGLE_SENDERS} senders on {SINGLE_POOL} connections, closed loop, a CTE that moves the top and inserts the "
        "row; no membership, no encryption, no gateway. The same Postgres with its default durability (fsync on).",
        f"Ratio: sends per second. {size.rounds} alternating rounds of {size.seconds:g} s; {parts.plan}.",
    ]

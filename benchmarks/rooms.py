"""Small channels: 1,000 of ten connections each, delivered to by the gateway that is sent to, and by another through Redis."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from benchmarks import machine, stack
from benchmarks.bulk import filling
from benchmarks.clients import load_command, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.reference import reference
from benchmarks.rounds import Contestant, Size, alternate, require_all
from benchmarks.script import Script, body
from benchmarks.stack import Stack
from benchmarks.table import Figure, Row, Table, Target, deliveries
from server.config import Settings
from server.dev.embedded import free_port
from server.ids import ChannelId, PersonId

ON_THE_WAY = 64
BODY = 150
PACE = (ON_THE_WAY, 1, 0)


@dataclass
class Ward:
    """Channels, and who is in each."""

    clinic: Clinic
    channels: Sequence[ChannelId]
    members: Sequence[Sequence[PersonId]]


async def run(size: Size) -> Table:
    """Measure both. Raises Failed."""
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=0, gateways=2)))
        settings = await parts.settings("rooms")
        clinic = await open_.enter_async_context(founded(settings))
        ward = await furnished(clinic, settings, size)
        frame, rounds, done = 0, [], []
        for through_redis in (False, True):
            async with contextlib.AsyncExitStack() as turn:
                ours = await turn.enter_async_context(gateways(parts, settings, ward, through_redis))
                first = await ours.warm_up(size)
                frame = frame or round(first.bytes / first.deliveries)
                theirs = []
                if parts.native:
                    other = await turn.enter_async_context(reference(parts, frame, size.rooms, size.members))
                    theirs = [Contestant(other.client, other.watched, PACE)]
                    await theirs[0].warm_up(size)
                await alternate([ours, *theirs], size)
                rounds.append((ours, theirs))
                done.append(ours)
        require_all(await clinic.messages(), done)
    return table(rounds, parts, size, frame)


async def furnished(clinic: Clinic, settings: Settings, size: Size) -> Ward:
    """The channels, everybody in one of them alone."""
    async with filling(settings.database_url, clinic.organization_id) as bulk:
        people = await bulk.staff(size.rooms * size.members)
        members = [people[start : start + size.members] for start in range(0, len(people), size.members)]
        return Ward(clinic, await bulk.channels(members), members)


@contextlib.asynccontextmanager
async def gateways(parts: Stack, settings: Settings, ward: Ward, through_redis: bool) -> AsyncIterator[Contestant]:
    """Everybody on the gateway that is sent to; or on another, and the first of each channel on both, to send."""
    other = settings.model_copy(update={"port": free_port()})
    watched = {"Postgres": parts.postgres.child.pid}
    script = Script(f"rooms-{through_redis}")
    for room, (channel, people) in enumerate(zip(ward.channels, ward.members, strict=True)):
        tokens = [ward.clinic.token(person) for person in people]
        if through_redis:
            script.connection(tokens[0], [channel], [channel], body(BODY), room, settings.port)
        for place, token in enumerate(tokens):
            sends = [channel] if place == 0 and not through_redis else []
            script.connection(token, [channel], sends, body(BODY), room, other.port if through_redis else 0)
    path = script.write(parts.folder / "rooms")
    async with contextlib.AsyncExitStack() as open_:
        first = await open_.enter_async_context(parts.gateway(settings))
        watched["server"] = first.pid
        if through_redis:
            second = await open_.enter_async_context(parts.gateway(other, parts.plan.second))
            watched |= {"server": second.pid, "the gateway sent to": first.pid}
        command = load_command(parts.native, settings.port, path, parts.plan.threads, ON_THE_WAY)
        client = await open_.enter_async_context(running("load client", command, parts.plan.client))
        await ready(client)
        yield Contestant(client, watched, PACE)


Round = tuple[Contestant, Sequence[Contestant]]


def table(rounds: Sequence[Round], parts: Stack, size: Size, frame: int) -> Table:
    """The figures."""
    members = size.members
    (local, beside_local), (remote, beside_remote) = rounds

    def by_the_second(sample: object) -> int:
        return deliveries(sample) * members // (members + 1)  # type: ignore[arg-type]

    whole = Row("one gateway, whole path: sends and deliveries", local.samples, deliveries)
    through = Row("another gateway, through Redis: deliveries alone", remote.samples, by_the_second, target=Target(0.5))
    through.unit = "deliveries/s"
    made = Table(f"Small channels: {size.rooms:,} of {members} listeners")
    made.rows = [whole, through]
    for row, others in ((whole, beside_local), (through, beside_remote)):
        for other in others:
            made.rows.append(Row("C `send()`", other.samples, deliveries))
            row.against(made.rows[-1])
    made.rows.insert(1, alone(local, remote, beside_local, members))
    made.remarks = remarks(parts, size, frame)
    return made


def alone(local: Contestant, remote: Contestant, theirs: Sequence[Contestant], members: int) -> Figure:
    """What a delivery costs the gateway that is sent to: what it takes for each message, less what it takes where all
    listeners but one are on another gateway."""
    costs = [
        (here.spent["server"] / here.done - there.spent["the gateway sent to"] / there.done) / (members - 1)
        for here, there in zip(local.samples, remote.samples, strict=True)
    ]
    figure = Figure(
        "one gateway: deliveries alone", "deliveries per busy core and second", [1 / cost for cost in costs]
    )
    for other in theirs:
        figure.ratios = [
            sample.spent["server"] / sample.deliveries / cost for sample, cost in zip(other.samples, costs, strict=True)
        ]
        figure.target = Target(0.6)
    return figure


def remarks(parts: Stack, size: Size, frame: int) -> list[str]:
    """What was measured, and how."""
    return [
        f"{size.rooms:,} channels, {size.members} members each, each with one connection and in no other channel; {BODY}-byte "
        f"bodies in frames of {frame} bytes. Closed loop, {ON_THE_WAY} messages on their way, each into the next channel; one "
        "ends when all members have it.",
        "Through Redis: the listeners are on a second gateway, whose processor time alone counts; the first takes the sends, and "
        "one more connection of each channel. Deliveries alone: the difference between what a message costs the first gateway "
        "with all listeners and with that one.",
        "Ratio: deliveries per second of the server's processor time, beside the reference in the same round.",
        f"{size.rounds} alternating rounds of {size.seconds:g} s; {parts.plan}.",
    ]

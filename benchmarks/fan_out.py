"""Fan-out: one channel, 1,000 or 10,000 listening connections, over the whole path; beside one send() per delivery in C."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from benchmarks import machine, stack
from benchmarks.clients import load_command, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.reference import reference
from benchmarks.rounds import Contestant, Size, alternate, require_all
from benchmarks.script import Script, body
from benchmarks.stack import Stack
from benchmarks.table import Figure, Row, Table, Target, deliveries
from server.config import Settings

TWO, ONE, BURSTS, QUIET = (2, 1, 0), (1, 1, 0), (2, 8, 0), (1, 1, 20)
"""Messages or bursts on their way, messages in a burst, and a pause of so many milliseconds between them. The method of the
prototypes keeps two on their way (performance.md), and what is on its way together may be merged into one write; so it is
measured with one at a time as well."""
BODY = 150


async def run(size: Size) -> Table:
    """A thousand listeners: one message at a time, bursts, and a single message while nothing else goes on. Raises Failed."""
    async with contextlib.AsyncExitStack() as open_:
        parts, gateway, clinic = await _open(open_, "fan_out", size.listeners, size.listening_people)
        two, one, bursts, quiet = ours = [Contestant(gateway.client, gateway.watched, pace) for pace in _PACES]
        theirs = await _warm(open_, parts, size, ours, [TWO, QUIET], size.listeners)
        await alternate([two, *theirs[:1], one, bursts, quiet, *theirs[1:]], size)
        require_all(await clinic.messages(), ours)
    table = Table(f"Fan-out: deliveries to {size.listeners:,} listeners of one channel")
    table.rows = _rates(
        {"2 on the way": (two, 0.6), "1 on the way": (one, None), "2 bursts of 8 on the way": (bursts, 5)}, theirs[:1]
    )
    table.rows += _spreads(quiet, theirs[1:])
    table.remarks = _remarks(ours, parts, size, size.listeners, size.listening_people)
    return table


async def crowd(size: Size) -> Table:
    """Ten thousand listeners. Raises Failed."""
    async with contextlib.AsyncExitStack() as open_:
        parts, gateway, clinic = await _open(open_, "crowd", size.crowd, size.crowding_people)
        two, one = ours = [Contestant(gateway.client, gateway.watched, pace) for pace in (TWO, ONE)]
        theirs = await _warm(open_, parts, size, ours, [TWO], size.crowd)
        await alternate([two, *theirs, one], size)
        require_all(await clinic.messages(), ours)
    table = Table(f"Fan-out: deliveries to {size.crowd:,} listeners of one channel")
    table.rows = _rates({"2 on the way": (two, 0.6), "1 on the way": (one, None)}, theirs)
    table.remarks = _remarks(ours, parts, size, size.crowd, size.crowding_people)
    return table


_PACES = (TWO, ONE, BURSTS, QUIET)


async def _open(
    open_: contextlib.AsyncExitStack, name: str, listeners: int, people: int
) -> tuple[Stack, Contestant, Clinic]:
    parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=0)))
    settings = await parts.settings(name)
    clinic = await open_.enter_async_context(founded(settings))
    gateway = await open_.enter_async_context(listening(parts, settings, clinic, listeners, people))
    return parts, gateway, clinic


async def _warm(
    open_: contextlib.AsyncExitStack,
    parts: Stack,
    size: Size,
    ours: Sequence[Contestant],
    paces: Sequence[Sequence[int]],
    listeners: int,
) -> list[Contestant]:
    """Warm everybody up; the contestants of the reference, with frames of the gateway's size, where there is a compiler."""
    first = await ours[0].warm_up(size)
    for contestant in ours[1:]:
        await contestant.warm_up(size)
    if not parts.native:
        return []
    frame = round(first.bytes / first.deliveries)
    other = await open_.enter_async_context(reference(parts, frame, rooms=1, members=listeners))
    theirs = [Contestant(other.client, other.watched, pace) for pace in paces]
    for contestant in theirs:
        await contestant.warm_up(size)
    return theirs


@contextlib.asynccontextmanager
async def listening(
    parts: Stack, settings: Settings, clinic: Clinic, listeners: int, count: int
) -> AsyncIterator[Contestant]:
    """A gateway with all listeners on it; one in five is a team member, so that both audiences are there."""
    staff = await clinic.staff(max(1, count // 5))
    people = staff + await clinic.patients(count - len(staff), staff[0])
    [channel] = await clinic.channels([people])
    tokens = [clinic.token(person) for person in people]
    script = Script("fan-out")
    for number in range(listeners):
        sends = [channel] if number == 0 else []
        script.connection(tokens[number % len(tokens)], [channel], sends, body(BODY))
    path = script.write(parts.folder / "listeners")
    async with parts.gateway(settings) as gateway:
        command = load_command(parts.native, settings.port, path, parts.plan.threads, TWO[0])
        async with running("load client", command, parts.plan.client) as client:
            await ready(client)
            yield Contestant(client, {"server": gateway.pid, "Postgres": parts.postgres.child.pid})


def _rates(ours: dict[str, tuple[Contestant, float | None]], theirs: Sequence[Contestant]) -> list[Row | Figure]:
    rows = [
        Row(
            f"gateway, whole path, {what}",
            contestant.samples,
            deliveries,
            target=None if bound is None else Target(bound),
        )
        for what, (contestant, bound) in ours.items()
    ]
    for other in theirs:
        rows.append(Row("C `send()`, 2 on the way", other.samples, deliveries))
        for row in rows[:-1]:
            row.against(rows[-1])
    return list(rows)


def _spreads(ours: Contestant, theirs: Sequence[Contestant]) -> list[Row | Figure]:
    """From the first listener who has it to the last, when nothing else goes on."""
    figures = [Figure("gateway, a single message: first to last listener", "ms", _between(ours))]
    for other in theirs:
        figures.append(Figure("C `send()`, a single message: first to last listener", "ms", _between(other)))
        figures[0].ratios = [mine / its for mine, its in zip(_between(ours), _between(other), strict=True)]
        figures[0].target = Target(2, most=True)
    return list(figures)


def _between(contestant: Contestant) -> list[float]:
    return [sample.between * 1e3 for sample in contestant.samples]


def _remarks(ours: Sequence[Contestant], parts: Stack, size: Size, listeners: int, people: int) -> list[str]:
    frame = ours[0].samples[-1].bytes / ours[0].samples[-1].deliveries
    said = [
        f"{listeners:,} connections of {people} people (one in five staff), {BODY}-byte bodies in frames of {frame:.0f} bytes. "
        "Closed loop, sent by rpc `message.send`; the next one leaves when every connection has the one before. A burst is eight "
        "commands in one WebSocket message. p50 / p99: from the send to the last listener. A single message: 20 ms after the one "
        "before has reached everybody.",
        "Ratio: deliveries per second of the server's processor time, beside the reference in the same round.",
        f"{size.rounds} alternating rounds of {size.seconds:g} s; {parts.plan}.",
    ]
    if not parts.native:
        said.append("No C compiler (`cc`): no reference, and a load client in Python, which may be what limits.")
    return said

"""Fan-out: one channel, a thousand listening connections, over the whole path; beside one send() per delivery in C."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks import machine, stack
from benchmarks.clients import Sample, load_command, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.rounds import Contestant, Size, alternate, require_all
from benchmarks.script import Script, body, reference_frame, reference_script
from benchmarks.stack import Stack
from benchmarks.table import Row, Table, deliveries
from server.config import Settings

OUTSTANDING = 2
"""Messages on their way. The gateway may merge them into one write; so it is measured with one at a time as well."""
BODY = 150


async def run(size: Size) -> Table:
    """Measure it. Raises Failed."""
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=0)))
        settings = await parts.settings("fan_out")
        clinic = await open_.enter_async_context(founded(settings))
        gateway = await open_.enter_async_context(listening(parts, settings, clinic, size))
        alone = Contestant(gateway.client, gateway.watched, window=1)
        await alone.warm_up(size)
        first = await gateway.warm_up(size)
        ours = [gateway, alone]
        theirs = [await open_.enter_async_context(reference(parts, size, first))] if parts.native else []
        for other in theirs:
            await other.warm_up(size)
        await alternate([gateway, *theirs, alone], size)
        require_all(await clinic.messages(), ours)
    return table(ours, theirs, parts, size)


@contextlib.asynccontextmanager
async def listening(parts: Stack, settings: Settings, clinic: Clinic, size: Size) -> AsyncIterator[Contestant]:
    """A gateway with all listeners on it; one in five is a team member, so that both audiences are there."""
    staff = await clinic.staff(max(1, size.listening_people // 5))
    people = staff + await clinic.patients(size.listening_people - len(staff), staff[0])
    [channel] = await clinic.channels([people])
    tokens = [clinic.token(person) for person in people]
    script = Script("fan-out")
    for number in range(size.listeners):
        sends = [channel] if number == 0 else []
        script.connection(tokens[number % len(tokens)], [channel], sends, body(BODY))
    path = script.write(parts.folder / "listeners")
    async with parts.gateway(settings) as gateway:
        command = load_command(parts.native, settings.port, path, parts.plan.threads, OUTSTANDING)
        async with running("load client", command, parts.plan.client) as client:
            await ready(client)
            yield Contestant(client, {"server": gateway.pid, "Postgres": parts.postgres.child.pid}, OUTSTANDING)


@contextlib.asynccontextmanager
async def reference(parts: Stack, size: Size, like: Sample) -> AsyncIterator[Contestant]:
    """The reference with as many connections, frames as large as the gateway's, and the same load client."""
    assert parts.native is not None
    frame = reference_frame(parts.folder / "frame", round(like.bytes / like.deliveries))
    path = reference_script(parts.folder / "reference-listeners", size.listeners)
    command: list[str | Path] = [parts.native["reference"], frame, str(size.listeners)]
    async with running("reference", command, parts.plan.server) as server:
        port = int((await server.line(10)).split()[1])
        load = [*load_command(parts.native, port, path, parts.plan.threads, OUTSTANDING), "raw"]
        async with running("load client of the reference", load, parts.plan.client) as client:
            await ready(client)
            yield Contestant(client, {"server": server.process.pid})


def table(ours: list[Contestant], theirs: list[Contestant], parts: Stack, size: Size) -> Table:
    """The figures."""
    frame = ours[0].samples[-1].bytes / ours[0].samples[-1].deliveries
    made = Table(f"Fan-out: deliveries to {size.listeners:,} listeners of one channel")
    for contestant in ours:
        made.rows.append(Row(f"gateway, whole path, {contestant.window} on the way", contestant.samples, deliveries))
    for reference in theirs:
        made.rows.append(Row(f"C `send()`, {OUTSTANDING} on the way", reference.samples, deliveries))
        for row in made.rows[:-1]:
            pairs = zip(row.samples, reference.samples, strict=True)
            row.ratios = [row.per_core(own) / made.rows[-1].per_core(other) for own, other in pairs]
    if not theirs:
        made.remarks.append(
            "No C compiler (`cc`): no reference, and a load client in Python, which may be what limits."
        )
    made.remarks += [
        f"{size.listeners:,} connections of {size.listening_people} people (one in five staff), {BODY}-byte bodies in "
        f"frames of {frame:.0f} bytes. Closed loop: {OUTSTANDING} messages on their way (or one), sent by rpc `message.send`; "
        "the next one leaves when every connection has the one before. p50 / p99: from the send to the last listener.",
        "Ratio: deliveries per second of the server's processor time, beside the reference in the same round.",
        f"{size.rounds} alternating rounds of {size.seconds:g} s; {parts.plan}.",
    ]
    return made

"""An open stream of sends: from the commit of a message to its last live recipient, and from a send to its answer.

A closed loop at saturation measures how long a queue is. Here the sends come at a rate, whatever becomes of them: at 1,000 a
second, and at three fifths of what the same gateway takes in a closed loop just before.
"""

import contextlib
import sys
from collections.abc import AsyncIterator, Sequence

from benchmarks import machine, stack
from benchmarks.clients import Sample, load_command, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.rounds import Contestant, Size, alternate, require_all
from benchmarks.script import Script, body
from benchmarks.sends import BODY, MEMBERS, Layout, many
from benchmarks.stack import Stack
from benchmarks.table import Figure, Table, Target
from server.ids import PersonId

SHARE = 0.6


async def run(size: Size) -> Table:
    """Measure it. Raises Failed."""
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=2)))
        settings = await parts.settings("steady")
        clinic = await open_.enter_async_context(founded(settings))
        people = await clinic.staff(size.senders)
        layout = await many(clinic, people, size.channels)
        process = await open_.enter_async_context(parts.gateway(settings))
        watched = {"server": process.pid, "Postgres": parts.postgres.child.pid}
        async with flat_out(parts, clinic, people, layout, settings.port) as closed:
            await closed.warm_up(size)
            await closed.turn(size)
        most = closed.samples[0].done / closed.samples[0].seconds
        rates = [size.steady, max(1, round(SHARE * most))]
        script = written("open", parts, clinic, people, layout)
        command = [sys.executable, "-m", "benchmarks.paced", settings.port, script, MEMBERS]
        async with running("stream of sends", list(map(str, command)), parts.plan.client) as client:
            await ready(client)
            streams = [Contestant(client, watched, [rate]) for rate in rates]
            for stream in streams:
                await stream.warm_up(size)
            await alternate(streams, size)
        require_all(await clinic.messages(), [closed, *streams])
    return table(streams, rates, most, parts, size)


@contextlib.asynccontextmanager
async def flat_out(
    parts: Stack, clinic: Clinic, people: Sequence[PersonId], layout: Layout, port: int
) -> AsyncIterator[Contestant]:
    """The closed loop of the other benchmark, to know what most is."""
    path = written("closed", parts, clinic, people, layout)
    async with running("load client", load_command(parts.native, port, path, 1, 0), parts.plan.client) as client:
        await ready(client)
        yield Contestant(client, {"server": client.process.pid})


def written(name: str, parts: Stack, clinic: Clinic, people: Sequence[PersonId], layout: Layout) -> str:
    """A script: everybody listens to their channels and sends to them in turn; its path."""
    script = Script(name)
    for person, own in zip(people, layout.own, strict=True):
        script.connection(clinic.token(person), own, own, body(BODY))
    return str(script.write(parts.folder / f"steady-{name}"))


def table(streams: Sequence[Contestant], rates: Sequence[int], most: float, parts: Stack, size: Size) -> Table:
    """The figures."""
    made = Table("An open stream of sends: how long they take")
    for stream, rate in zip(streams, rates, strict=True):
        target = Target(50, most=True, ratio=False) if rate == size.steady else None
        what, done = f"gateway, {rate:,} sends/s", stream.samples
        live = f"p50 {middle(done, 'p50'):.1f} ms, worst {middle(done, 'worst'):.1f} ms; {MEMBERS} live recipients each"
        answered = f"p50 {middle(done, 'answer_p50'):.1f} ms; cores busy: {busy(done)}"
        made.rows += [
            Figure(f"{what}: commit → last live recipient, p99", "ms", ms(done, "p99"), target=target, beside=live),
            Figure(f"{what}: send → answer, p99", "ms", ms(done, "answer_p99"), target=target, beside=answered),
        ]
    made.remarks += [
        f"{size.senders} connections, {size.channels:,} channels of {MEMBERS}, {BODY}-byte bodies, as in the closed loop, which "
        f"took {most:,.0f} sends/s on this gateway just before; the second rate is {SHARE:.0%} of that.",
        "Commit: the moment that a message carries, taken by the database just before it commits, in whole milliseconds; so the "
        "commit itself is in it, and up to 1 ms more. p99 is over messages, each counted when the last of its recipients has it.",
        f"{size.rounds} alternating rounds of {size.seconds:g} s; a client in Python; {parts.plan}.",
    ]
    return made


def ms(samples: Sequence[Sample], name: str) -> list[float]:
    """A time of each round, in milliseconds."""
    return [getattr(sample, name) * 1e3 for sample in samples]


def middle(samples: Sequence[Sample], name: str) -> float:
    """The same, of the round in the middle."""
    return sorted(ms(samples, name))[len(samples) // 2]


def busy(samples: Sequence[Sample]) -> str:
    """Who was how busy, in the round in the middle."""
    shares = {who: sorted(sample.busy(who) for sample in samples)[len(samples) // 2] for who in samples[0].spent}
    shares["load client"] = sorted(sample.busiest for sample in samples)[len(samples) // 2]
    return ", ".join(f"{who} {share:.2f}" for who, share in shares.items())

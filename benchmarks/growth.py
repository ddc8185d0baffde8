"""What an operation costs when there is a hundred times as much: of history, and of channels; beside the small database."""

import contextlib
import time
from collections.abc import Mapping, Sequence

from benchmarks import machine, stack
from benchmarks.ledger import Deed, Ledger, opened
from benchmarks.rounds import Size
from benchmarks.table import Figure, Table, Target

TIMES = 100


async def run(size: Size) -> Table:
    """Measure all operations on three databases. Raises Failed."""
    channels, messages = size.grown_channels, size.grown_messages
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=2)))
        small = await open_.enter_async_context(opened(parts, "small", size, channels, messages))
        long = await open_.enter_async_context(opened(parts, "long", size, channels, TIMES * messages))
        wide = await open_.enter_async_context(opened(parts, "wide", size, TIMES * channels, messages))
        costs = await alternated((small, long, wide), size)
    made = Table("Growth: what an operation takes with a hundred times as much history, or channels")
    for name in costs["small"]:
        for much, words in ((long, "history"), (wide, "channels")):
            made.rows.append(figure(name, f"{words} × {TIMES}", costs["small"][name], costs[much.name][name]))
    made.remarks = [
        f"Small: {channels} channels with {messages} messages each. One person is in {size.own_channels} of them, in all three "
        f"databases: {TIMES} times as many messages in each channel, or {TIMES} times as many channels, of the same "
        f"{size.grown_people} people.",
        "An operation's cost is the processor time of this process and of Postgres together, so that neighbours do not count: "
        f"the mean of {size.at_once} in a row, on each database in turn. Ratio: beside the small database in the same round.",
        f"{size.rounds} rounds; {parts.plan}, and the operations are called in this process.",
    ]
    return made


Costs = Mapping[str, Mapping[str, Sequence[float]]]


async def alternated(ledgers: Sequence[Ledger], size: Size) -> Costs:
    """By database and operation: what it took in each round, in seconds. The first round warms up and does not count."""
    deeds = {ledger.name: await ledger.deeds() for ledger in ledgers}
    costs: dict[str, dict[str, list[float]]] = {name: {deed: [] for deed in some} for name, some in deeds.items()}
    for number in range(size.rounds + 1):
        for deed in deeds[ledgers[0].name]:
            for ledger in ledgers if number % 2 else reversed(ledgers):
                took = await cost(ledger, deeds[ledger.name][deed], size.at_once)
                if number:
                    costs[ledger.name][deed].append(took)
    return costs


async def cost(ledger: Ledger, deed: Deed, times: int) -> float:
    """The processor time of one out of several, here and in Postgres."""
    began, theirs = time.process_time(), machine.counting(ledger.pid)
    for _ in range(times):
        await deed()
    return (time.process_time() - began + theirs()) / times


def figure(name: str, what: str, small: Sequence[float], much: Sequence[float]) -> Figure:
    """One line."""
    ratios = [more / less for more, less in zip(much, small, strict=True)]
    return Figure(f"{name}, {what}", "ms", [1e3 * each for each in much], ratios, Target(1.1, most=True))

"""The benchmarks run at a tiny size, so that they do not rot. What is counted must add up; no figure means anything."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from benchmarks import (
    clients,
    doorbell,
    fan_out,
    growth,
    herd,
    idle,
    machine,
    mails,
    pushes,
    rooms,
    sends,
    stack,
    stalled,
    steady,
)
from benchmarks.rounds import TINY
from benchmarks.stack import Stack
from benchmarks.table import Figure, Row, Table, Target


@pytest.fixture(scope="module")
def started() -> Iterator[Stack]:
    """Postgres and Redis for all of them: starting them takes longer than a tiny benchmark."""
    loop, open_ = asyncio.new_event_loop(), contextlib.AsyncExitStack()
    yield loop.run_until_complete(open_.enter_async_context(stack.running(machine.plan(for_postgres=0))))
    loop.run_until_complete(open_.aclose())
    loop.close()


@pytest.fixture(autouse=True)
def shared(started: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def running(plan: machine.Plan) -> AsyncIterator[Stack]:
        yield replace(started, plan=plan, native=started.native if shutil.which("cc") else None)

    monkeypatch.setattr(stack, "running", running)


def samples_add_up(table: Table, gateways: int) -> None:
    """Every contestant has had its rounds, and has done something in each; the gateway is in the table so often."""
    assert sum(row.what.startswith("gateway") for row in table.rows) == gateways
    for row in rates(table):
        assert len(row.samples) == TINY.rounds
        assert all(sample.done > 0 and sample.seconds > 0 and 0 < sample.p50 <= sample.worst for sample in row.samples)
    for row in table.rows:
        assert isinstance(row, Row) or (len(row.values) == TINY.rounds and all(value > 0 for value in row.values))
    assert str(table).count("|") >= 7 * len(table.rows)


def rates(table: Table) -> list[Row]:
    """The lines that count what was done."""
    return [row for row in table.rows if isinstance(row, Row)]


async def test_fan_out_reaches_every_listener() -> None:
    table = await fan_out.run(TINY)
    samples_add_up(table, gateways=4)
    assert len(table.rows) == (6 if shutil.which("cc") else 4)
    for row in rates(table):
        assert [sample.deliveries for sample in row.samples] == [sample.done * TINY.listeners for sample in row.samples]


async def test_a_crowd_is_reached_whole() -> None:
    table = await fan_out.crowd(TINY)
    samples_add_up(table, gateways=2)
    for row in rates(table):
        assert [sample.deliveries for sample in row.samples] == [sample.done * TINY.crowd for sample in row.samples]


async def test_sends_are_all_in_the_database() -> None:
    # The benchmark itself raises unless the database holds exactly what the clients count.
    table = await sends.run(TINY)
    samples_add_up(table, gateways=2)
    assert len(table.rows) == 4
    assert all(ratio > 0 for row in rates(table) for ratio in row.ratios)


async def test_every_message_of_an_open_stream_is_answered_and_arrives() -> None:
    # The benchmark itself raises unless every message is in the database, answered, and with all who listen.
    table = await steady.run(TINY)
    assert len(figures(table)) == len(table.rows) == 4
    assert all(row.values[0] > 0 for row in figures(table))


async def test_the_doorbell_rings_through_a_cluster() -> None:
    table = await doorbell.run(TINY)
    samples_add_up(table, gateways=0)
    assert [len(row.ratios) for row in table.rows] == [0, TINY.rounds]


async def test_without_a_compiler_there_are_rates_and_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients.shutil, "which", lambda _name: None)
    table = await fan_out.run(TINY)
    samples_add_up(table, gateways=4)
    assert len(table.rows) == 4
    for row in rates(table):
        assert [sample.deliveries for sample in row.samples] == [sample.done * TINY.listeners for sample in row.samples]
    assert "No C compiler" in str(table)


async def test_emails_all_come_once() -> None:
    # The benchmark itself raises unless the relay has one email for each person.
    table = await mails.run(TINY)
    assert len(table.rows) == 3
    assert all(isinstance(row, Figure) and len(row.values) == TINY.rounds and row.values[0] > 0 for row in table.rows)


async def test_a_client_that_fails_is_told_of() -> None:
    async with clients.running("nobody", ["false"], frozenset({0})) as nobody:
        with pytest.raises(clients.Failed, match="nobody ended"):
            await asyncio.wait_for(clients.ready(nobody), 10)


async def test_small_channels_are_delivered_to_here_and_through_redis() -> None:
    table = await rooms.run(TINY)
    local, through = rates(table)[:2]
    assert [sample.deliveries for sample in local.samples] == [sample.done * TINY.members for sample in local.samples]
    # The first of each channel hears it on the gateway that is sent to as well.
    assert [sample.deliveries for sample in through.samples] == [
        sample.done * (TINY.members + 1) for sample in through.samples
    ]
    assert all(sample.spent["server"] > 0 and sample.spent["the gateway sent to"] > 0 for sample in through.samples)


async def test_stalled_readers_are_dropped_and_the_others_have_everything() -> None:
    # The benchmark itself raises unless all stalled readers are dropped, and what is counted adds up.
    table = await stalled.run(TINY)
    beside, calm = rates(table)
    for row in (beside, calm):
        assert [sample.deliveries for sample in row.samples] == [sample.done * TINY.beside for sample in row.samples]
    assert figures(table)[0].values[0] > 0


async def test_waiting_connections_are_weighed_and_the_tops_check_is_timed() -> None:
    table = await idle.run(TINY)
    weight, rest, quiet, busy = figures(table)
    assert len(weight.values) == 1
    assert all(0 < value < 100 for figure in (rest, quiet, busy) for value in figure.values)


async def test_a_herd_comes_back_to_everything_it_missed() -> None:
    # The benchmark itself raises unless every subscription recovers and every message comes once and in order.
    table = await herd.run(TINY)
    assert all(figure.values[0] > 0 for figure in figures(table))
    assert len(table.rows) == 4


async def test_every_operation_is_timed_beside_the_small_database() -> None:
    table = await growth.run(TINY)
    assert {row.what.rpartition(", ")[2] for row in table.rows} == {"history × 100", "channels × 100"}
    assert len(table.rows) > 30
    assert all(ratio > 0 for row in table.rows for ratio in row.ratios)


def figures(table: Table) -> list[Figure]:
    """The lines that are no rates."""
    return [row for row in table.rows if isinstance(row, Figure)]


def test_a_target_is_reached_or_missed_by_the_median() -> None:
    assert Target(0.6).words(1e6, 0.6) == "ratio ≥ 0.6: reached"
    assert Target(0.6).words(1e6, 0.59) == "ratio ≥ 0.6: **missed**"
    assert Target(0.6).words(1e6, None) == "ratio ≥ 0.6"
    assert Target(32, most=True, ratio=False).words(32.1, None) == "≤ 32: **missed**"
    assert "| 20.0 s | 10.0–30.0 | 2.00 [1.00–3.00] | ratio ≤ 2: reached |" in str(
        Figure("it", "s", [30, 10, 20], [1, 3, 2], Target(2, most=True))
    )


async def test_pushes_arrive_and_are_written_down_once() -> None:
    # The benchmark itself raises unless every push arrived, and the ledger has each once.
    table = await pushes.run(TINY)
    assert [len(row.values) for row in table.rows if not isinstance(row, Row)] == [TINY.rounds] * 4

"""The benchmarks run at a tiny size, so that they do not rot. What is counted must add up; no figure means anything."""

import asyncio
import shutil

import pytest

from benchmarks import clients, doorbell, fan_out, sends
from benchmarks.rounds import TINY
from benchmarks.table import Row, Table


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


async def test_a_client_that_fails_is_told_of() -> None:
    async with clients.running("nobody", ["false"], frozenset({0})) as nobody:
        with pytest.raises(clients.Failed, match="nobody ended"):
            await asyncio.wait_for(clients.ready(nobody), 10)

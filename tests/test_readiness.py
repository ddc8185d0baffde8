"""Readiness: the database, this code's schema in it, a process that stays; Redis is told and not needed."""

import asyncio

import asyncpg
import pytest

from server.db import Database
from server.readiness import Readiness, Report


async def test_all_is_well(database: Database) -> None:
    assert await Readiness(database).report() == Report(True, {"database": "ok", "schema": "ok"})


async def test_a_database_that_is_away(database: Database) -> None:
    await database.stop()
    assert await Readiness(database).report() == Report(False, {"database": "away", "schema": "unknown"})
    await database.start()
    assert (await Readiness(database).report()).ready


@pytest.mark.parametrize("change", ["update schema_state set fingerprint = 'another'", "delete from schema_state"])
async def test_a_schema_of_another_version(database: Database, owner: asyncpg.Connection, change: str) -> None:
    await owner.execute(change)
    assert await Readiness(database).report() == Report(False, {"database": "ok", "schema": "of another version"})


async def test_redis_is_told_but_takes_nobody_out(database: Database) -> None:
    there = True
    readiness = Readiness(database, lambda: there)
    assert (await readiness.report()).parts["redis"] == "ok"
    there = False
    assert await readiness.report() == Report(True, {"database": "ok", "schema": "ok", "redis": "away"})


async def test_whoever_goes_down_takes_nobody_in(database: Database) -> None:
    readiness = Readiness(database)
    readiness.draining = True
    assert await readiness.report() == Report(False, {"database": "ok", "schema": "ok"})


async def test_however_many_ask_the_database_is_asked_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, fetch = [], database.fetch

    async def counted(query: str, *args: object) -> list[asyncpg.Record]:
        asked.append(query)
        return await fetch(query, *args)

    monkeypatch.setattr(database, "fetch", counted)
    readiness = Readiness(database)
    for _ in range(3):
        assert all(report.ready for report in await asyncio.gather(*(readiness.report() for _ in range(100))))
    assert len(asked) == 1
    monkeypatch.setattr("server.readiness._KEPT_SECONDS", 0)
    assert (await readiness.report()).ready
    assert len(asked) == 2

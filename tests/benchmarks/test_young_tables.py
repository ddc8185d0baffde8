"""Where tables have grown since the database last looked at them: a claim of emails reads for those it claims only."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks import mails as benchmark
from benchmarks.bulk import Bulk, filling
from server.db import Transaction
from server.ids import now
from server.notices import mails
from tests.support.cast import Clinic


class Reading(Transaction):
    """A transaction that counts the blocks its statements read: of those that change nothing, which are run twice for it."""

    blocks = 0

    async def rows(self, sql: str, /, *args: Any) -> list[dict[str, Any]]:
        if not any(word in sql for word in ("update mails", "update notices", "insert into")):
            [told] = await super().rows(f"explain (analyze, buffers, format json) {sql}", *args)
            plan = told["QUERY PLAN"]
            [top] = json.loads(plan) if isinstance(plan, str) else plan
            self.blocks += top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"]
        return await super().rows(sql, *args)


@pytest.fixture
async def bulk(clinic: Clinic, database_url: str) -> AsyncIterator[Bulk]:
    async with filling(database_url, clinic.organization_id) as made:
        yield made


async def read_by_a_claim(clinic: Clinic) -> int:
    """The blocks that are read when ten emails are claimed."""
    async with clinic.database.transaction() as tx:
        reading = Reading(tx.session, tx.keys)
        claimed, _ = await mails.claim(reading, 10, now())
        assert len(claimed) == 10
        return reading.blocks


async def test_a_claim_reads_no_more_where_a_thousand_are_due(clinic: Clinic, bulk: Bulk) -> None:
    read = []
    for count in (20, 1000):
        due_at = datetime.now(UTC) - timedelta(minutes=1)
        owed = await benchmark.unread(bulk, count)
        await bulk.copy("notices", ((*each, due_at) for each in owed), benchmark._NOTICES)
        read.append(await read_by_a_claim(clinic))
    few, many = read
    assert many < 2 * few + 200

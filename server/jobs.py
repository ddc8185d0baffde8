"""Jobs: work that a worker does soon, or later, and exactly once; never on the send path.

A job is a row of the queue (jobs.sql, pgqueuer's), written in the transaction that wants it done. A worker claims it, holds
its row locked for as long as its handler's transaction lasts, and takes it out in that same transaction: so it is done once,
whatever dies. A worker that is killed lets go of the lock, and another one claims the job. Arguments are ids, never words.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg
from pgqueuer.adapters.persistence.qb import DBSettings, QueryBuilderEnvironment, QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job
from pgqueuer.domain.types import JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.driver import Driver
from pgqueuer.ports.repository import EntrypointExecutionParameter

from server.db import Transaction
from server.ids import now

WAKES = "ch_pgqueuer"
"""Postgres's NOTIFY channel that rings when a job is written."""
MOST_STARTS = 8
"""A job that has been started so often and is still not done is dead: parked, for somebody to look at."""
ABANDONED_SECONDS = 2.0
"""A claimed job that nobody holds locked after so long has lost its worker."""
KEPT_DAYS = 7
"""How long the queue's own log of what was done is kept."""

_SETTINGS = DBSettings(db_schema="jobs")


class _Through:
    """The library's statements, sent through a transaction of ours or through a plain pool.

    Through the session and not on its raw connection: SQLAlchemy begins at its own first statement, and a job enqueued
    before that would outlive the rollback.
    """

    def __init__(self, line: Transaction | asyncpg.Pool) -> None:
        self._line = line

    async def fetch(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        if isinstance(self._line, Transaction):
            return await self._line.rows(sql, *args)
        return [dict(row) for row in await self._line.fetch(sql, *args)]

    async def execute(self, sql: str, *args: Any) -> str:
        await self.fetch(sql, *args)
        return ""


def _queries(line: Transaction | asyncpg.Pool) -> Queries:
    return Queries(cast(Driver, _Through(line)), QueryBuilderEnvironment(_SETTINGS), QueryQueueBuilder(_SETTINGS))


async def enqueue(
    tx: Transaction, name: str, args: Mapping[str, Any], key: str | None = None, run_at: datetime | None = None
) -> None:
    """Have a job done once this transaction is committed; never when it is not. Jobs come last in a transaction.

    Args:
        name: of the handler.
        args: what it is called with: ids and numbers.
        key: one job of this name and key waits at a time: a second one is the first one. That one cannot begin before this
            transaction ends, and once it has begun the key is free again: what is written here is seen by one or the other.
        run_at: not before then.
    """
    wait = max(timedelta(0), run_at - now()) if run_at else None
    dedupe = f"{name}:{key}" if key is not None else None
    payload = json.dumps(args).encode()
    # On a conflict the waiting row is updated, and so locked until this commits. (The library's "skip" would let it be
    # claimed and done meanwhile, without what is written here.)
    await _queries(tx).enqueue(name, payload, 0, wait, dedupe, on_conflict="update_priority")


async def claim(pool: asyncpg.Pool, worker: UUID, names: Sequence[str], most: int) -> list[Job]:
    """Claim up to `most` jobs that are due, or whose worker is gone."""
    known = {QueueEntrypoint(name): EntrypointExecutionParameter(concurrency_limit=0) for name in names}
    return await _queries(pool).dequeue(most, known, QueueManagerId(worker), None, timedelta(seconds=ABANDONED_SECONDS))


async def begin(tx: Transaction, job: Job, worker: UUID) -> int | None:
    """Count a start, in a transaction of its own, so that a job which kills its worker is counted too.

    Returns:
        How often it has been started with this; None if it is no longer this worker's.
    """
    rows = await tx.rows(
        """update jobs.pgqueuer set attempts = attempts + 1, dedupe_key = null, heartbeat = now()
            where id = $1 and queue_manager_id = $2 and status = 'picked' returning attempts""",
        job.id,
        worker,
    )
    return int(rows[0]["attempts"]) if rows else None


async def hold(tx: Transaction, job: Job, worker: UUID) -> bool:
    """Lock the job for its handler's transaction: nobody else claims it meanwhile. Whether it is still this worker's."""
    rows = await tx.rows(
        "select id from jobs.pgqueuer where id = $1 and queue_manager_id = $2 and status = 'picked' for update",
        job.id,
        worker,
    )
    return bool(rows)


def arguments(job: Job) -> dict[str, Any]:
    """What the handler is called with."""
    return dict(json.loads(job.payload or b"{}"))


async def finish(tx: Transaction, job: Job) -> None:
    """Take the job out, in the transaction of what it did."""
    await _queries(tx).log_jobs([(job, "successful", None)])


async def again(tx: Transaction, job: Job, worker: UUID, wait: timedelta) -> None:
    """Put it back, to be claimed after a while."""
    await tx.rows(
        """update jobs.pgqueuer set status = 'queued', queue_manager_id = null, execute_after = now() + $3
            where id = $1 and queue_manager_id = $2 and status = 'picked'""",
        job.id,
        worker,
        wait,
    )


async def park(tx: Transaction, job: Job) -> None:
    """Call it dead: kept, listed, and not started again until somebody requeues it."""
    await _queries(tx).log_jobs([(job, "failed", None)])


async def dead(tx: Transaction, most: int = 100) -> list[Job]:
    """The dead jobs, the latest first."""
    return await _queries(tx).list_failed_jobs(most)


async def requeue(tx: Transaction, ids: Sequence[int]) -> None:
    """Have dead jobs done after all; their starts are counted anew."""
    await _queries(tx).requeue_jobs([JobId(id) for id in ids])
    await tx.rows("select pg_notify($1, '')", WAKES)


async def purge(tx: Transaction) -> None:
    """Drop what the queue's log has kept long enough."""
    await tx.rows("delete from jobs.pgqueuer_log where created < now() - make_interval(days => $1)", KEPT_DAYS)

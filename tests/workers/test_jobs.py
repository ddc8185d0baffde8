"""Jobs: written with what wants them, done once by whoever comes, redone when a worker dies, parked when they kill it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from server import jobs
from server.db import Database, Transaction
from server.errors import Conflict
from server.ids import OrganizationId, now
from server.schema import JOBS
from tests.workers.marking import GATE
from workers.jobs import Worker

Handler = Callable[[Transaction, dict[str, Any]], Awaitable[None]]


class Work:
    """A handler that writes down what it was called with."""

    def __init__(self, *failures: Exception) -> None:
        self.did: list[Any] = []
        self.failures = list(failures)
        self.begun, self.hold = asyncio.Event(), asyncio.Event()
        self.hold.set()

    async def __call__(self, tx: Transaction, args: dict[str, Any]) -> None:
        self.begun.set()
        await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        await tx.rows("select 1")
        self.did.append(args["n"])


@asynccontextmanager
async def working(database: Database, workers: int = 1, **handlers: Handler) -> AsyncIterator[None]:
    """With this many workers in this process, each with an identity of its own."""
    stopped = asyncio.Event()
    running = [asyncio.create_task(Worker(database, handlers).run(stopped)) for _ in range(workers)]
    try:
        yield
    finally:
        stopped.set()
        await asyncio.wait_for(asyncio.gather(*running), 15)


async def enqueue(database: Database, *numbers: int, name: str = "work", **more: Any) -> None:
    async with database.transaction() as tx:
        for number in numbers:
            await jobs.enqueue(tx, name, {"n": number}, **more)


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]], within: float = 30) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(within):
        while not (found if isinstance(found := true(), bool) else await found):
            await asyncio.sleep(0.02)


async def left(database: Database) -> list[str]:
    """The states of the jobs that are in the queue."""
    return [row["status"] for row in await database.fetch("select status::text from jobs.pgqueuer order by id")]


def test_the_file_is_what_the_installed_library_prints() -> None:
    command = [sys.executable, "-m", "pgqueuer", "--schema", "jobs", "sql", "install"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert JOBS.read_text() == printed


async def test_a_job_goes_with_its_transaction(database: Database) -> None:
    async def changes_its_mind() -> None:
        async with database.transaction() as tx:
            await jobs.enqueue(tx, "work", {"n": 1})  # first of all: before SQLAlchemy has begun
            raise Conflict("after all not")

    with pytest.raises(Conflict):
        await changes_its_mind()
    assert await left(database) == []
    work = Work()
    async with working(database, work=work):
        await enqueue(database, 2)
        await until(lambda: work.did == [2])
    assert await left(database) == []


async def test_many_workers_do_each_job_once(database: Database) -> None:
    work = Work()
    async with working(database, 3, work=work):
        await enqueue(database, *range(60))
        await until(lambda: len(work.did) >= 60)
    assert sorted(work.did) == list(range(60))


async def test_nobody_does_a_job_that_is_not_due_or_not_known(database: Database) -> None:
    work = Work()
    await enqueue(database, 1, run_at=now() + timedelta(hours=1))
    await enqueue(database, 2, name="other")
    await enqueue(database, 3, run_at=now() - timedelta(hours=1))
    async with working(database, work=work):
        await until(lambda: work.did == [3])
    assert await left(database) == ["queued", "queued"]


async def test_of_one_key_one_waits_and_what_comes_while_it_runs_is_not_lost(database: Database) -> None:
    work = Work()
    await enqueue(database, 1, 2, key="k")
    assert await left(database) == ["queued"]
    work.hold.clear()
    async with working(database, work=work):
        await work.begun.wait()
        await enqueue(database, 3, key="k")
        assert len(await left(database)) == 2
        work.hold.set()
        await until(lambda: len(work.did) == 2)
    assert sorted(work.did) == [1, 3]  # in either order: the key is free as soon as its job has begun


async def test_a_job_does_not_begin_before_the_transaction_that_joined_it_has_ended(database: Database) -> None:
    work = Work()
    await enqueue(database, 1, key="k")
    async with database.transaction() as tx:
        await jobs.enqueue(tx, "work", {"n": 2}, "k")
        async with working(database, work=work):
            await asyncio.sleep(0.3)
            assert work.did == []
    async with working(database, work=work):
        await until(lambda: work.did == [1])


async def test_what_fails_is_put_back_with_nothing_done_and_comes_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(Conflict("not now"), ZeroDivisionError("with a name in it"))
    await enqueue(database, 1)
    async with working(database, work=work):
        await until(lambda: work.did == [1])
    assert await left(database) == []
    assert "not now" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "with a name in it" not in "".join(r.getMessage() for r in caplog.records if r.levelname != "DEBUG")


async def test_what_never_works_is_dead_until_somebody_requeues_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_STARTS", 2)
    work = Work(*(Conflict("no") for _ in range(2)))
    await enqueue(database, 1)
    async with working(database, work=work):
        await until(lambda: _holds(database, ["failed"]))
        async with database.transaction() as tx:
            [job] = await jobs.dead(tx)
            assert (job.entrypoint, jobs.arguments(job), work.did) == ("work", {"n": 1}, [])
            await jobs.requeue(tx, [job.id])
        await until(lambda: work.did == [1])
    assert await left(database) == []


async def _holds(database: Database, states: list[str]) -> bool:
    return await left(database) == states


async def test_a_stop_waits_for_the_job_in_progress(database: Database) -> None:
    work = Work()
    work.hold.clear()
    stopped = asyncio.Event()
    running = asyncio.create_task(Worker(database, {"work": work}).run(stopped))
    await enqueue(database, 1)
    await work.begun.wait()
    stopped.set()
    await asyncio.sleep(0.1)
    assert not running.done()
    work.hold.set()
    await asyncio.wait_for(running, 5)
    assert (work.did, await left(database)) == ([1], [])


async def test_the_queues_own_log_is_purged(database: Database, owner: asyncpg.Connection) -> None:
    await enqueue(database, 1, 2)
    await owner.execute("update jobs.pgqueuer_log set created = now() - interval '8 days' where id % 2 = 0")
    async with database.transaction() as tx:
        await jobs.purge(tx)
    assert await owner.fetchval("select count(*) from jobs.pgqueuer_log") == 1


class Process:
    """A worker as a process of its own."""

    def __init__(self, url: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.workers.marking", *arguments]
        self.process = subprocess.Popen(command, env={"DATABASE_URL": url, "PYTHONPATH": "."}, stdout=subprocess.PIPE)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


async def test_a_killed_workers_job_is_redone_by_another_and_done_once(
    database: Database, database_url: str, owner: asyncpg.Connection
) -> None:
    marks = [OrganizationId.new() for _ in range(3)]
    await owner.execute("select pg_advisory_lock($1)", GATE)
    doomed = Process(database_url)
    try:
        async with database.transaction() as tx:
            for mark in marks:
                await jobs.enqueue(tx, "mark", {"organization_id": mark})
        await until(lambda: _waiting(owner, len(marks)))
    finally:
        doomed.kill()
    await owner.execute("select pg_advisory_unlock($1)", GATE)
    heirs = [Process(database_url), Process(database_url)]
    try:
        await until(lambda: _holds(database, []))
    finally:
        for heir in heirs:
            heir.kill()
    made = await database.fetch("select id from organizations")
    assert sorted(row["id"] for row in made) == sorted(marks)


async def _waiting(owner: asyncpg.Connection, count: int) -> bool:
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    return bool(await owner.fetchval(waiting) == count)


async def test_a_job_that_kills_its_workers_is_parked(database: Database, database_url: str) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, "die", {})
    processes = []
    try:
        for _ in range(3):
            processes.append(Process(database_url, "2"))
            if len(processes) < 3:
                await asyncio.to_thread(processes[-1].process.wait, 30)
        await until(lambda: _holds(database, ["failed"]))
        assert [process.process.returncode for process in processes[:2]] == [-9, -9]
        async with database.transaction() as tx:
            assert [job.attempts for job in await jobs.dead(tx)] == [3]
    finally:
        for process in processes:
            process.kill()


async def test_nobody_claims_a_job_whose_handler_runs_however_long_it_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ABANDONED_SECONDS", 0.001)
    one, two = uuid4(), uuid4()
    await enqueue(database, 1)
    [job] = await jobs.claim(database.reads, one, ["work"], 1)
    async with database.transaction() as tx:
        assert await jobs.begin(tx, job, one) == 1
    async with database.transaction() as tx:
        assert await jobs.hold(tx, job, one)
        await asyncio.sleep(0.01)
        assert await jobs.claim(database.reads, two, ["work"], 1) == []
    assert [found.id for found in await jobs.claim(database.reads, two, ["work"], 1)] == [job.id]
    async with database.transaction() as tx:
        assert not await jobs.hold(tx, job, one)

"""Sweeps come with the clock; of two workers one at a time does each; a failing one comes again, and a stop ends them."""

import asyncio

import pytest

from server.db import Database, Transaction
from server.errors import Conflict
from tests.support.cast import MASTER
from workers.runner import Sweep, once, run


class Work:
    """Counts how often it is done, and how often at once."""

    def __init__(self) -> None:
        self.done = self.running = self.most = 0
        self.hold = asyncio.Event()

    async def __call__(self, tx: Transaction) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.hold.wait()
        await tx.rows("select 1")
        self.running -= 1
        self.done += 1


async def test_of_two_workers_one_does_a_sweep_and_the_other_goes_on(database: Database, database_url: str) -> None:
    other = Database(database_url, MASTER, lambda topic, payload: None)
    await other.start()
    work, different = Work(), Work()
    different.hold.set()
    first = asyncio.create_task(once(database, Sweep("one", 60, work)))
    while not work.running:
        await asyncio.sleep(0.01)
    assert await once(other, Sweep("one", 60, work)) is False
    assert await once(other, Sweep("two", 60, different)) is True
    work.hold.set()
    assert await first is True
    assert await once(other, Sweep("one", 60, work)) is True
    assert (work.done, work.most, different.done) == (2, 1, 1)
    await other.stop()


async def test_many_workers_never_do_it_at_once(database: Database) -> None:
    work = Work()
    work.hold.set()
    sweep = Sweep("one", 0.001, work)
    stopped = asyncio.Event()
    workers = [asyncio.create_task(run(database, [sweep], stopped)) for _ in range(4)]
    while work.done < 20:
        await asyncio.sleep(0.01)
    stopped.set()
    await asyncio.wait_for(asyncio.gather(*workers), 5)
    assert work.most == 1


async def test_a_failing_sweep_is_said_and_comes_again(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    failures = [ZeroDivisionError(), Conflict("not now"), OSError("away")]
    done, stopped = asyncio.Event(), asyncio.Event()

    async def work(tx: Transaction) -> None:
        if failures:
            raise failures.pop()
        done.set()

    running = asyncio.create_task(run(database, [Sweep("one", 0.001, work)], stopped))
    await asyncio.wait_for(done.wait(), 5)
    stopped.set()
    await asyncio.wait_for(running, 5)
    assert "sweep one failed" in caplog.text
    assert "sweep one: not now" in caplog.text


async def test_a_stop_waits_for_the_sweep_in_progress_and_starts_no_other(database: Database) -> None:
    work, stopped = Work(), asyncio.Event()
    running = asyncio.create_task(run(database, [Sweep("one", 60, work)], stopped))
    while not work.running:
        await asyncio.sleep(0.01)
    stopped.set()
    await asyncio.sleep(0.05)
    assert not running.done()
    work.hold.set()
    await asyncio.wait_for(running, 5)
    assert work.done == 1


async def test_what_a_failing_sweep_wrote_is_undone(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await tx.rows("insert into organizations (id, name) values ('org_00000000000000000000', 'Clinic')")
        raise Conflict("after all not")

    with pytest.raises(Conflict):
        await once(database, Sweep("one", 60, work))
    assert await database.fetch("select from organizations") == []

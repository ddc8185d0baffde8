"""Does the jobs: claims them, a few at a time, runs each one's handler in a transaction, and puts back what failed.

Woken by Postgres as soon as a job is written, and by the clock for those that are due later or have lost their worker.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from uuid import uuid4

import asyncpg
from pgqueuer.domain.models import Job

from server import jobs, metrics
from server.db import Database
from server.ending import end
from server.errors import WarmlineError
from workers.handlers import Handler

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Jobs that one worker does at the same time."""
LOOK_SECONDS = 0.5
"""How often a worker looks unasked."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0


class Worker:
    """One worker's side of the queue. There may be any number."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        given_up: Mapping[str, Handler] = MappingProxyType({}),
        at_once: int = AT_ONCE,
    ) -> None:
        """Args: given_up: what is done, of some jobs, when they are called dead."""
        self._database = database
        self._handlers = handlers
        self._given_up = given_up
        self._id = uuid4()
        self._free = at_once
        self._woken = asyncio.Event()

    async def run(self, stopped: asyncio.Event) -> None:
        """Do jobs until `stopped` is set; those in progress are finished."""
        listening = asyncio.create_task(self._listen())
        stopping = asyncio.create_task(self._wake_when(stopped))
        try:
            async with asyncio.TaskGroup() as tasks:
                while not stopped.is_set():
                    self._woken.clear()
                    for job in await self._claim():
                        self._free -= 1
                        tasks.create_task(self._do(job))
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS):
                            await self._woken.wait()
        finally:
            await end(listening, stopping)

    async def _wake_when(self, stopped: asyncio.Event) -> None:
        await stopped.wait()
        self._woken.set()

    async def _listen(self) -> None:
        """Hear Postgres ring, whatever becomes of the connection; while it is away the clock must do."""
        while True:
            try:
                connection = await self._database.connection()
                try:
                    await connection.add_listener(jobs.WAKES, lambda *_: self._woken.set())
                    self._woken.set()
                    while not connection.is_closed():
                        await asyncio.sleep(LOOK_SECONDS)
                finally:
                    connection.terminate()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.warning("not woken by the database just now: %s", type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)

    async def _claim(self) -> list[Job]:
        if not self._free or not self._handlers:
            return []
        try:
            return await jobs.claim(self._database.reads, self._id, list(self._handlers), self._free)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            log.warning("no jobs to be had just now: %s", type(error).__name__)
            return []

    async def _do(self, job: Job) -> None:
        starts = 0
        try:
            async with self._database.transaction() as tx:
                starts = await jobs.begin(tx, job, self._id) or 0
            if starts > jobs.MOST_STARTS:
                await self._park(job)
            elif starts:
                await self._perform(job)
        except WarmlineError as error:
            log.warning("job %s %s, start %s: %s", job.id, job.entrypoint, starts, error.message)
            await self._put_back(job, starts)
        except Exception as error:
            # Its type alone: what an unforeseen error says may be a person's.
            log.error("job %s %s, start %s failed: %s", job.id, job.entrypoint, starts, type(error).__name__)
            log.debug("job %s", job.id, exc_info=True)
            await self._put_back(job, starts)
        finally:
            self._free += 1
            self._woken.set()

    async def _perform(self, job: Job) -> None:
        async with self._database.transaction() as tx:
            if await jobs.hold(tx, job, self._id):
                await self._handlers[job.entrypoint](tx, jobs.arguments(job))
                await jobs.finish(tx, job)
        metrics.JOBS.labels(job.entrypoint, "done").inc()

    async def _park(self, job: Job) -> None:
        async with self._database.transaction() as tx:
            if await jobs.hold(tx, job, self._id):
                if give_up := self._given_up.get(job.entrypoint):
                    await give_up(tx, jobs.arguments(job))
                await jobs.park(tx, job)
                log.error("job %s %s is dead: see `warmline jobs dead`", job.id, job.entrypoint)
                metrics.JOBS.labels(job.entrypoint, "dead").inc()

    async def _put_back(self, job: Job, starts: int) -> None:
        """If even that fails, the job is claimed again as one whose worker is gone."""
        metrics.JOBS.labels(job.entrypoint, "again").inc()
        wait = timedelta(seconds=min(_FIRST_WAIT * 2 ** max(0, starts - 1), _LONGEST_WAIT))
        with contextlib.suppress(WarmlineError):
            async with self._database.transaction() as tx:
                await jobs.again(tx, job, self._id, wait)

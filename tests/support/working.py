"""Doing the jobs of a test: a worker in this process, for as long as there is anything to do."""

import asyncio

from server.db import Database
from workers.handlers import GIVEN_UP, HANDLERS
from workers.jobs import Worker

_LEFT = "select count(*) as n from jobs.pgqueuer where status in ('queued', 'picked')"


async def do_jobs(database: Database, within: float = 20) -> None:
    """Do whatever is in the queue, and what comes of it."""
    stopped = asyncio.Event()
    running = asyncio.create_task(Worker(database, HANDLERS, GIVEN_UP).run(stopped))
    try:
        async with asyncio.timeout(within):
            while (await database.fetch(_LEFT))[0]["n"]:
                await asyncio.sleep(0.01)
    finally:
        stopped.set()
        await running

"""A worker process whose job leaves a mark once a gate is open (an advisory lock that a test holds): for tests that kill it."""

import asyncio
import os
import sys
from typing import Any

from server import jobs
from server.db import Database, Transaction
from tests.support.cast import MASTER
from workers.jobs import Worker

GATE = 4711


async def mark(tx: Transaction, args: dict[str, Any]) -> None:
    """Write first, then wait: a killed worker has done half of it."""
    await tx.rows("insert into organizations (id, name) values ($1, 'Mark')", args["organization_id"])
    await tx.rows("select pg_advisory_xact_lock_shared($1)", GATE)


async def die(tx: Transaction, args: dict[str, Any]) -> None:
    """The job that kills whoever does it."""
    os.kill(os.getpid(), 9)


async def _main() -> None:
    database = Database(os.environ["DATABASE_URL"], MASTER, lambda topic, payload: None)
    await database.start()
    print("ready", flush=True)
    await Worker(database, {"mark": mark, "die": die}).run(asyncio.Event())


if __name__ == "__main__":
    jobs.MOST_STARTS = int(sys.argv[1]) if len(sys.argv) > 1 else jobs.MOST_STARTS
    asyncio.run(_main())

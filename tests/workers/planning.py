"""A worker of notices as a process to kill: plans, claims pushes, and "sends" each by a line of a file.

    python -m tests.workers.planning DATABASE_URL FILE STARTED

Its clock runs thirty times as fast, so that a lease is over in a second. It ends when it is killed, or after half a minute.
"""

import asyncio
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from server.db import Database
from server.errors import WarmlineError
from server.ids import now
from server.notices import ledger
from tests.support.cast import MASTER
from workers.notices import Planner


async def send(database: Database, sent: int, clock) -> None:
    """Claim a few pushes, send them, and say so."""
    async with database.transaction() as tx:
        due = await ledger.claim_pushes(tx, 5, clock())
    async with database.transaction() as tx:
        decided = await ledger.recheck_pushes(tx, due, {}, clock())
    going = [id for id, decision in decided.items() if decision.sends]
    for id in going:
        os.write(sent, f"{id}\n".encode())
    async with database.transaction() as tx:
        await ledger.settle(tx, going, "sent", "sent", clock())


async def work(url: str, file: str, started: datetime) -> None:
    """Until it is killed."""

    def clock() -> datetime:
        return started + 30 * (now() - started)

    database = Database(url, MASTER, lambda topic, payload: None)
    await database.start()
    planner = asyncio.create_task(Planner(database, asyncio.Event(), clock).run(asyncio.Event()))
    sent = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    Path(f"{file}.{os.getpid()}").touch()
    while now() - started < timedelta(seconds=30):
        try:
            await send(database, sent, clock)
        except WarmlineError as error:
            print(error.message, file=sys.stderr)
        await asyncio.sleep(0.02)
    planner.cancel()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3])))

"""A worker process beside the others of a benchmark."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator

import asyncpg

from benchmarks.clients import ROOT, Failed
from benchmarks.stack import Stack, environment
from server.config import Settings
from server.dev.child import Child

START_SECONDS = 30


@contextlib.asynccontextmanager
async def worker(parts: Stack, settings: Settings) -> AsyncIterator[Child]:
    """One worker as `warmline work` starts it, listening for jobs, until the block ends."""
    log = parts.folder / "worker.log"
    child = Child("worker", [sys.executable, "-m", "workers"], environment(settings), ROOT, log)
    child.start()
    try:
        await _listening(child, settings.database_url)
        yield child
    except Failed as failed:
        raise Failed(f"{failed}\nThe worker said:\n{log.read_text(errors='replace')[-2000:]}") from None
    finally:
        await child.stop()


async def _listening(child: Child, url: str) -> None:
    """Wait until it has asked the queue for work."""
    deadline = time.monotonic() + START_SECONDS
    connection = await asyncpg.connect(url)
    try:
        while time.monotonic() < deadline:
            if not child.running():
                raise Failed("the worker ended while it started")
            if await connection.fetchval("select count(*) from pg_stat_activity where query ilike 'listen%pgqueuer%'"):
                return
            await asyncio.sleep(0.05)
    finally:
        await connection.close()
    raise Failed(f"the worker did not begin within {START_SECONDS} s")

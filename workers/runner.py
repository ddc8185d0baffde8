"""Runs the sweeps: work that comes back with the clock. Of any number of workers, one at a time does each."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from server import metrics
from server.db import Database, Transaction
from server.errors import WarmlineError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Work to do every so many seconds, in a transaction of its own."""

    name: str
    every: float
    work: Callable[[Transaction], Awaitable[None]]


async def run(database: Database, sweeps: Sequence[Sweep], stopped: asyncio.Event) -> None:
    """Run all sweeps until `stopped` is set; a failure is logged, and the sweep comes again."""
    async with asyncio.TaskGroup() as tasks:
        for sweep in sweeps:
            tasks.create_task(_repeat(database, sweep, stopped))


async def _repeat(database: Database, sweep: Sweep, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        try:
            ran = await once(database, sweep)
            metrics.SWEEPS.labels(sweep.name, "ran" if ran else "elsewhere").inc()
            if ran:
                metrics.SWEPT.labels(sweep.name).set_to_current_time()
        except WarmlineError as error:
            metrics.SWEEPS.labels(sweep.name, "failed").inc()
            log.warning("sweep %s: %s", sweep.name, error.message)
        except Exception:
            metrics.SWEEPS.labels(sweep.name, "failed").inc()
            log.exception("sweep %s failed", sweep.name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(sweep.every):
                await stopped.wait()


async def once(database: Database, sweep: Sweep) -> bool:
    """Run a sweep now, unless another worker is at it; whether it ran."""
    async with database.transaction() as tx:
        # The lock goes with the transaction, however this process ends.
        [row] = await tx.rows("select pg_try_advisory_xact_lock(hashtext('sweep ' || $1)) as mine", sweep.name)
        if row["mine"]:
            await sweep.work(tx)
        return bool(row["mine"])

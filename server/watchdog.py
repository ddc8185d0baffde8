"""The watchdog of the event loop: how late it is, ten times a second, and a line in the log when it stood still."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from server import metrics
from server.ending import end

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.1
STALL_SECONDS = 0.25
"""So late, and people notice."""
_MINUTE = 60.0


async def watch() -> None:
    """Watch the loop that this runs in, until cancelled."""
    loop = asyncio.get_running_loop()
    minute, before, longest = loop.time(), 0.0, 0.0
    while True:
        expected = loop.time() + INTERVAL_SECONDS
        await asyncio.sleep(INTERVAL_SECONDS)
        lag = max(0.0, loop.time() - expected)
        if loop.time() - minute > _MINUTE:
            minute, before, longest = loop.time(), longest, 0.0
        longest = max(longest, lag)
        metrics.LOOP_LAG.observe(lag)
        metrics.LONGEST_LAG.set(max(longest, before))
        if lag > STALL_SECONDS:
            metrics.STALLS.inc()
            log.warning("the event loop stood still", extra={"seconds": round(lag, 2)})


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[None]:
    """Watch for as long as the block lasts."""
    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        await end(task)

"""Ends what runs in the background, for certain.

A cancellation can get lost: asyncio.wait_for of Python 3.11, with which the Redis library sends, forgets one that comes in the
moment in which what it waits for is done. The task goes on then, and whoever waited for its end would wait for ever. So it is
cancelled again; and nothing of ours waits with wait_for (ruff knows: asyncio.timeout loses nothing).
"""

import asyncio
from typing import Any

_AGAIN_SECONDS = 1.0


async def end(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel tasks (or futures), and return when all have ended, however they did. What is None was never begun."""
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)
        await asyncio.gather(*ended, return_exceptions=True)  # what they failed with is nobody's news any more

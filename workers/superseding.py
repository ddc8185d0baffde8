"""Tells devices that a channel has been read elsewhere, so that what they show of it goes away. Once, and as best as it can."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime

from server.db import Database
from server.errors import WarmlineError
from server.ids import now
from server.notices import devices, superseding
from server.notices.payload import TTL_SECONDS
from server.notices.pushing import Pusher
from server.notices.superseding import Telling

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often it looks for what has been read."""
MOST = 200
"""Notices at a time."""


async def run(database: Database, pusher: Pusher, stopped: asyncio.Event, clock: Callable[[], datetime] = now) -> None:
    """Tell devices until `stopped` is set. Any number of workers may: each marks other notices."""
    while not stopped.is_set():
        try:
            told = await once(database, pusher, clock())
        except WarmlineError as error:
            told = 0
            log.warning("what was read elsewhere is told later: %s", error.message)
        except Exception as error:
            told = 0
            log.warning("what was read elsewhere is told later: %s", type(error).__name__)
        if not told:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stopped.wait()


async def once(database: Database, pusher: Pusher, at: datetime) -> int:
    """Tell of what has been read by now; how many devices."""
    async with database.transaction() as tx:
        tellings = await superseding.passed(tx, MOST, at)
    answers = await asyncio.gather(*(pusher.push(one.device, one.push, TTL_SECONDS, at) for one in tellings))
    gone = [one for one, answer in zip(tellings, answers, strict=True) if answer.outcome == "gone"]
    if gone:
        await _forget(database, gone)
    return len(tellings)


async def _forget(database: Database, gone: list[Telling]) -> None:
    async with database.transaction() as tx:
        for one in gone:
            await devices.forget(tx, one.organization_id, one.device.id, "gone")

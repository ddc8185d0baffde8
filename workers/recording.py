"""Writes down what came of pushes: whatever has come together while the last transaction ran goes into the next one.

What is written late is sent again if the worker is killed before; so it is written at once, and not per batch of work.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.db import Database, Transaction
from server.errors import WarmlineError
from server.notices import deliveries, ledger
from server.notices.deliveries import Delivery
from server.notices.rules import Status

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a claimed notice: an end (status, why), or another try after so many seconds."""

    notice_id: str
    status: Status = "due"
    why: str = "again"
    wait: float = 0.0


class Recorder:
    """One worker's pen."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._database = database
        self._made: list[Delivery] = []
        self._ended: list[tuple[Ending, asyncio.Future[None]]] = []
        self._woken = asyncio.Event()

    def delivery(self, made: Delivery) -> None:
        """Write this down as soon as may be."""
        self._made.append(made)
        self._woken.set()

    async def ending(self, ended: Ending) -> None:
        """Write this down, after the deliveries that came before it; return when it is written."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended.append((ended, written))
        self._woken.set()
        await written

    async def run(self) -> None:
        """Write until cancelled. While the database is away everything is kept, and written when it is back."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            made, self._made = self._made, []
            ended, self._ended = self._ended, []
            try:
                async with self._database.transaction() as tx:
                    await _write(tx, made, [one for one, _ in ended], self._clock())
            except Exception as error:
                words = error.message if isinstance(error, WarmlineError) else type(error).__name__
                log.warning("what came of pushes cannot be written down just now: %s", words)
                self._made[:0], self._ended[:0] = made, ended
                self._woken.set()
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for _, written in ended:
                if not written.done():
                    written.set_result(None)


async def _write(tx: Transaction, made: list[Delivery], ended: list[Ending], at: datetime) -> None:
    if made:
        await deliveries.record(tx, made, at)
    ends: dict[tuple[Status, str], list[str]] = defaultdict(list)
    waits: dict[float, list[str]] = defaultdict(list)
    for one in ended:
        if one.status == "due":
            waits[round(one.wait, 1)].append(one.notice_id)
        else:
            ends[one.status, one.why].append(one.notice_id)
    for (status, why), ids in sorted(ends.items()):
        await ledger.settle(tx, ids, status, why, at)
    for wait, ids in sorted(waits.items()):
        await ledger.again(tx, ids, timedelta(seconds=wait), at)  # until its day is over

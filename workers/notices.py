"""Plans notices as the logs go on, sees where a read mark has passed a mailed episode, and tells what waits in the ledger.

Any number of workers plan at the same time, each other channels. Whatever goes out at once is sent from here: `due` is set.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import datetime

from server import metrics
from server.db import Database, Transaction
from server.errors import WarmlineError
from server.ids import now
from server.notices import episodes, ledger, planning
from server.notices.planning import Planned
from workers.runner import Sweep

LOOK_SECONDS = 0.2
"""How often it looks at what was written lately: one statement that finds nothing, most of the time."""
EVERYWHERE_SECONDS = 60.0
"""How often it looks at all channels: nothing should be found there, but what nobody planned for a quarter of a minute."""
EPISODES_SECONDS, TELL_SECONDS = 5.0, 10.0

log = logging.getLogger(__name__)


class Planner:
    """One worker's planning."""

    def __init__(self, database: Database, due: asyncio.Event, clock: Callable[[], datetime] = now) -> None:
        """`due`: set when something goes out at once."""
        self._database = database
        self._due = due
        self._clock = clock
        self._everywhere_at = 0.0  # at once: nobody knows for how long no worker ran

    async def run(self, stopped: asyncio.Event) -> None:
        """Plan until `stopped` is set; what fails is found again."""
        while not stopped.is_set():
            if await self._look():
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stopped.wait()

    async def _look(self) -> bool:
        """Plan once; whether there is more to be planned at once."""
        everywhere = time.monotonic() >= self._everywhere_at
        try:
            async with self._database.transaction() as tx:
                planned = await planning.plan(tx, self._clock(), everywhere=everywhere)
        except WarmlineError as error:
            log.warning("notices are planned later: %s", error.message)
            planned = None
        except Exception:
            log.exception("notices are planned later")
            planned = None
        if planned is None:
            self._everywhere_at = 0.0  # it may take longer than what counts as lately
            return False
        if everywhere and not planned.more:
            self._everywhere_at = time.monotonic() + EVERYWHERE_SECONDS
        self._note(planned)
        return planned.more

    def _note(self, planned: Planned) -> None:
        metrics.NOTICES_PLANNED.inc(planned.messages)
        if planned.since is not None:
            metrics.PLANNING_SECONDS.observe(max(0.0, (self._clock() - planned.since).total_seconds()))
        if planned.due:
            self._due.set()


def sweeps() -> list[Sweep]:
    """What comes back with the clock, in one worker at a time."""
    return [Sweep("notice episodes", EPISODES_SECONDS, _go_on), Sweep("notices waiting", TELL_SECONDS, _tell)]


async def _go_on(tx: Transaction) -> None:
    await episodes.go_on(tx, now())


async def _tell(tx: Transaction) -> None:
    for medium, waiting in (await ledger.waiting(tx, now())).items():
        metrics.NOTICES_DUE.labels(medium).set(waiting.due)
        metrics.NOTICES_LATE.labels(medium).set(waiting.late_seconds)
        metrics.NOTICES_DEAD.labels(medium).set(waiting.dead)

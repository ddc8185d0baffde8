"""Sends the pushes that are due: claims them from the ledger, decides once more, and hands them to each device's provider.

Woken as soon as something has been planned here, and by the clock for what was planned elsewhere or waits. What came of it at a
device is written as it comes; a worker that is killed leaves the other devices to the next one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from server.config import Settings
from server.db import Database, Transaction
from server.ending import end
from server.errors import WarmlineError
from server.ids import now
from server.notices import deliveries, ledger, vapid
from server.notices.answering import Answer, backoff
from server.notices.deliveries import Delivery, Target
from server.notices.devices import Device
from server.notices.ledger import PushDue
from server.notices.payload import TTL_SECONDS
from server.notices.pushing import Pusher
from server.notices.viewing import Viewing
from workers.recording import Ending, Recorder

log = logging.getLogger(__name__)

AT_ONCE = 256
"""Notices that one worker has under way."""
BATCH = 64
"""It claims more when there is room for so many."""
LOOK_SECONDS = 0.5
"""How often it looks unasked."""
NONE_GO_SECONDS = 5.0
"""Where push is off: how often what is due is settled."""
OTHERS = timedelta(minutes=1)
"""For so long it is left to other workers: they may have the key that this one was started without."""
_TTL = timedelta(seconds=TTL_SECONDS)


def pusher(settings: Settings) -> Pusher | None:
    """The means to push; None where push is off. Raises Misconfigured where the key's file holds none."""
    if settings.vapid_key_file is None:
        log.warning("push: %s is not set: nobody gets pushes", vapid.SETTING)
        return None
    return Pusher(settings)


async def none_go(tx: Transaction) -> None:
    """Where push is off: settle what is due, and say why."""
    at = now()
    await ledger.none_go(tx, "push", "no_key", at - OTHERS, 1000, at)


class PushWorker:
    """One worker's side of the pushes. There may be any number."""

    def __init__(
        self,
        database: Database,
        pusher: Pusher,
        viewing: Viewing,
        woken: asyncio.Event,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`woken`: set by whoever has made something due."""
        self._clock = clock
        self._database = database
        self._pusher = pusher
        self._viewing = viewing
        self._woken = woken
        self._recorder = Recorder(database, clock)
        self._under_way = 0

    async def run(self, stopped: asyncio.Event) -> None:
        """Send until `stopped` is set; those under way are finished."""
        writing = asyncio.create_task(self._recorder.run())
        try:
            async with asyncio.TaskGroup() as tasks:
                while not stopped.is_set():
                    self._woken.clear()
                    claimed = await self._claim()
                    if claimed:
                        tasks.create_task(self._batch(claimed, tasks))
                    if not claimed or self._under_way > AT_ONCE - BATCH:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(LOOK_SECONDS):
                                await self._woken.wait()
        finally:
            await end(writing)

    async def _claim(self) -> list[PushDue]:
        """As many as there is room for."""
        if self._under_way > AT_ONCE - BATCH:
            return []
        try:
            async with self._database.transaction() as tx:
                claimed = await ledger.claim_pushes(tx, BATCH, self._clock())
        except WarmlineError as error:
            log.warning("no pushes to be had just now: %s", error.message)
            return []
        self._under_way += len(claimed)
        return claimed

    async def _batch(self, claimed: Sequence[PushDue], tasks: asyncio.TaskGroup) -> None:
        """Decide claimed pushes once more, all in one transaction, and send those that hold."""
        at = self._clock()
        try:
            lapses = await self._viewing.lapses([one.pair for one in claimed], at)
            async with self._database.transaction() as tx:
                decisions = await ledger.recheck_pushes(tx, claimed, lapses, at)
                held = [one for one in claimed if one.notice_id in decisions and decisions[one.notice_id].sends]
                found = await deliveries.targets(tx, held)
        except Exception as error:
            self._tell(error)
            for one in claimed:
                tasks.create_task(self._end(Ending(one.notice_id, wait=backoff(one.attempts))))
            return
        self._leave(len(claimed) - len(found))
        for target in found:
            tasks.create_task(self._send(target, at))

    async def _send(self, target: Target, at: datetime) -> None:
        """Send one to all its devices that are not done with, and settle it, or put it off."""
        due = target.due
        try:
            if due.planned_at + _TTL <= at:
                ending = _ended(target.done, [], "given_up", due)
            else:
                pushing = [self._hand_over(target, device, at) for device in target.devices]
                answers = [await pushing[0]] if len(pushing) == 1 else await asyncio.gather(*pushing)
                ending = _ended(target.done, answers, "no_device", due)
        except Exception as error:
            self._tell(error)
            ending = Ending(due.notice_id, wait=backoff(due.attempts))
        await self._end(ending)

    async def _hand_over(self, target: Target, device: Device, at: datetime) -> Answer:
        ttl = target.due.planned_at + _TTL - at
        answer = await self._pusher.push(device, target.push, int(ttl.total_seconds()), at)
        self._recorder.delivery(Delivery(target.due, device.id, answer))
        return answer

    async def _end(self, ending: Ending) -> None:
        await self._recorder.ending(ending)
        self._leave(1)

    def _leave(self, count: int) -> None:
        """There is room for so many more."""
        before, self._under_way = self._under_way, self._under_way - count
        if before > AT_ONCE - BATCH >= self._under_way:
            self._woken.set()

    def _tell(self, error: Exception) -> None:
        words = error.message if isinstance(error, WarmlineError) else type(error).__name__
        log.warning("pushes are put off: %s", words)
        log.debug("pushes", exc_info=True)


def _ended(done: Sequence[str], answers: Sequence[Answer], otherwise: str, due: PushDue) -> Ending:
    """What becomes of a notice by what came of it at each device, before and now; `otherwise`: where nothing came of it."""
    if later := [answer.wait for answer in answers if answer.outcome == "later"]:
        return Ending(due.notice_id, wait=max(min(later), backoff(due.attempts)))
    words = {*done, *(answer.outcome for answer in answers)}
    if "sent" in words:
        return Ending(due.notice_id, "sent", "sent")
    for word in ("refused", "gone"):
        if word in words:
            return Ending(due.notice_id, "failed", word)
    return Ending(due.notice_id, "suppressed" if otherwise == "no_device" else "failed", otherwise)

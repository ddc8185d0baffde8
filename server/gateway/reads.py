"""Reads of the log, gathered: whatever is asked for while a read is under way goes into the next one, in one statement."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass

from server.ending import end
from server.errors import Unavailable
from server.gateway.ports import Log, LogRow, Renewed
from server.gateway.settings import Counters

Wanted = tuple[str, int, int]
"""(channel key, after which offset, at most how many rows)"""

_AT_ONCE = 2


@dataclass(slots=True, eq=False)
class _Ask:
    wanted: Sequence[Wanted]
    answer: "asyncio.Future[list[Sequence[LogRow]]]"


class Reads:
    """The only caller of Log.since. `max_rows` bounds what one call may ask for, over all its channels.
    `renewed` is called where the log turns out to be another one."""

    def __init__(self, log: Log, counters: Counters, max_rows: int) -> None:
        self.renewed: Callable[[], None] = lambda: None
        self._log = log
        self._counters = counters
        self._max_rows = max_rows
        self._asks: deque[_Ask] = deque()
        self._reading = 0
        self._running: set[asyncio.Task[None]] = set()

    async def since(self, wanted: Sequence[Wanted]) -> list[Sequence[LogRow]]:
        """See Log.since. Raises what it raises."""
        if not wanted:
            return []
        ask = _Ask(wanted, asyncio.get_running_loop().create_future())
        self._asks.append(ask)
        # Not the number of tasks: one that has just looked for the last time is not done yet.
        if self._reading < _AT_ONCE:
            self._reading += 1
            task = asyncio.create_task(self._run(), context=Context())  # for all who ask meanwhile
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await ask.answer

    async def stop(self) -> None:
        """End; whoever waits is told."""
        await end(*self._running)
        for ask in self._asks:
            _fail(ask, _going_down())

    async def _run(self) -> None:
        try:
            while self._asks:
                await self._answer(self._batch())
        finally:
            self._reading -= 1

    async def _answer(self, batch: list[_Ask]) -> None:
        try:
            await self._read(batch)
        except asyncio.CancelledError:
            for ask in batch:
                _fail(ask, _going_down())
            raise
        except Exception as error:
            if isinstance(error, Renewed):
                self.renewed()
            for ask in batch:
                _fail(ask, error)

    def _batch(self) -> list[_Ask]:
        """The asks for one call: in order, as many as keep to the bound, but at least one."""
        batch: list[_Ask] = []
        distinct: set[Wanted] = set()
        rows = 0
        while self._asks:
            # A herd of one channel wants the same rows: as many as like may wait for one reading of them.
            new = set(self._asks[0].wanted) - distinct
            rows += sum(limit for _, _, limit in new)
            if batch and rows > self._max_rows:
                break
            distinct |= new
            batch.append(self._asks.popleft())
        return [ask for ask in batch if not ask.answer.done()]

    async def _read(self, batch: list[_Ask]) -> None:
        # Many who come back together want the same rows: they are read once.
        distinct = list(dict.fromkeys(wanted for ask in batch for wanted in ask.wanted))
        if not distinct:
            return
        self._counters.reads += 1
        rows = dict(zip(distinct, await self._log.since(distinct), strict=True))
        for ask in batch:
            if not ask.answer.done():
                ask.answer.set_result([rows[wanted] for wanted in ask.wanted])


def _fail(ask: _Ask, error: BaseException) -> None:
    if not ask.answer.done():
        ask.answer.set_exception(error)


def _going_down() -> Unavailable:
    return Unavailable("The server is going down. Try again.")

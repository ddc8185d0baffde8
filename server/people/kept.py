"""A document of somebody else's: fetched seldom, by one at a time, and kept for a while when it cannot be had.

However many ask, at most one fetch is under way and at most one begins per `pause`; while it fails, whoever needs it is told
at once to try again, and waits for nothing.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from server.ending import end
from server.errors import Unavailable

log = logging.getLogger(__name__)

Document = TypeVar("Document")
AWAY = "The sign-in provider cannot be reached just now. Try again."


class Kept(Generic[Document]):
    """One such document. Times are in seconds, of a clock that only goes forward."""

    def __init__(
        self,
        what: str,
        fetch: Callable[[], Awaitable[Document]],
        *,
        fresh: float = 600,
        stale: float = 86_400,
        pause: float = 10,
        most_waiting: int = 200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args: fresh: until then nothing is fetched; stale: until then it may be used while it cannot be fetched anew."""
        self._what = what
        self._fetch = fetch
        self._fresh, self._stale, self._pause, self._most_waiting = fresh, stale, pause, most_waiting
        self._clock = clock
        self._document: Document | None = None
        self._fetched = self._next = -float("inf")
        self._task: asyncio.Task[bool] | None = None
        self._waiting = 0
        self.failing = False
        """Whether the last fetch failed."""

    async def get(self) -> Document:
        """The document. Raises Unavailable when there is none, or only one that is too old."""
        age = self._clock() - self._fetched
        if self._document is None or age >= self._stale:
            if not await self.renew():
                raise Unavailable(AWAY)
            return await self.get()
        if age >= self._fresh:
            self._begin()
        return self._document

    async def renew(self) -> bool:
        """Fetch it now; whether it was. Not so soon after the last time, and not with too many waiting already."""
        task = self._begin()
        if task is None or self._waiting >= self._most_waiting:
            return False
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """End the fetch that may be under way."""
        await end(self._task)

    def _begin(self) -> asyncio.Task[bool] | None:
        if self._task is None or self._task.done():
            if self._clock() < self._next:
                return None
            self._next = self._clock() + self._pause
            self._task = asyncio.create_task(self._run())
        return self._task

    async def _run(self) -> bool:
        try:
            self._document = await self._fetch()
        except Exception as error:
            self.failing = True
            log.warning("%s cannot be had: %s", self._what, type(error).__name__)
            return False
        self._fetched, self.failing = self._clock(), False
        return True

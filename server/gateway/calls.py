"""The operations one connection has under way: some at once, the others waiting in the order they came."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from server.gateway.settings import GatewaySettings

Job = Callable[[], Awaitable[Any]]
"""Begins something. A future is waited for as it is; anything else gets a task."""
Then = Callable[[asyncio.Future[Any]], None]
"""What is done with it when it is done."""


class Calls:
    """`tasks` holds what has begun, beyond the end of the connection: half an operation helps nobody."""

    __slots__ = ("_begun", "_bytes", "_idle", "_settings", "_tasks", "_waiting")

    def __init__(self, settings: GatewaySettings, tasks: set[asyncio.Future[Any]]) -> None:
        self._settings = settings
        self._tasks = tasks
        self._begun = 0
        self._waiting: deque[tuple[Job, int, Then | None]] | None = None  # an empty one takes 760 bytes
        self._bytes = 0
        self._idle: asyncio.Event | None = None

    def add(self, job: Job, size: int, then: Then | None = None) -> bool:
        """Begin a job, or let it wait. False: too much waits already. Without `then` it must not raise; `size` in bytes."""
        if self._begun < self._settings.rpc_in_flight:
            self._begin(job, then)
            return True
        settings = self._settings
        self._waiting = waiting = self._waiting or deque()
        if len(waiting) >= settings.rpc_waiting or self._bytes + size > settings.rpc_waiting_bytes:
            return False
        waiting.append((job, size, then))
        self._bytes += size
        return True

    def forget(self) -> None:
        """Drop what has not begun."""
        self._waiting = None
        self._bytes = 0

    async def finished(self) -> None:
        """Wait until nothing is under way."""
        if self._begun:
            self._idle = asyncio.Event()
            await self._idle.wait()

    def _begin(self, job: Job, then: Then | None) -> None:
        self._begun += 1
        task = asyncio.ensure_future(job())
        self._tasks.add(task)
        # One callback: each is a turn of its own in the loop.
        task.add_done_callback(self._done if then is None else partial(self._over, then))

    def _over(self, then: Then, task: asyncio.Future[Any]) -> None:
        try:
            then(task)
        finally:
            self._done(task)

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        self._begun -= 1
        if self._waiting:
            job, size, then = self._waiting.popleft()
            self._bytes -= size
            self._begin(job, then)
        elif not self._begun and self._idle is not None:
            self._idle.set()

"""What asyncio's Queue and Event do for a connection, without the four kilobytes that their deques take in each."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue with one reader."""

    __slots__ = ("_items", "_reader")

    def __init__(self) -> None:
        self._items: deque[T] | None = None
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, item: T) -> None:
        """Put it in, and wake the reader."""
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def empty(self) -> bool:
        """Whether the reader would have to wait."""
        return self._items is None

    async def get(self) -> T:
        """The oldest item, as soon as there is one."""
        while self._items is None:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        item = self._items.popleft()
        if not self._items:
            self._items = None
        return item


class Gate:
    """An event that is mostly set."""

    __slots__ = ("_closed",)

    def __init__(self) -> None:
        self._closed: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Open it, and wake all who wait."""
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        self._closed = None

    def clear(self) -> None:
        """Close it."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()

    async def wait(self) -> None:
        """Return when it is open."""
        if self._closed is not None:
            await asyncio.shield(self._closed)

"""What waits to be written: a list of ready frames per connection, joined into one write per loop tick.

One system call per delivery costs more than everything else together (performance.md §2), and neither uvloop nor the kernel
joins writes. Nothing here ever awaits: a reader who does not read fills the transport's buffer and is then cut off.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)

_SLICE = 1_000
"""Connections written to before the loop gets to do other things."""


class Writer(Protocol):
    """What a transport does for us."""

    @property
    def open(self) -> bool:
        """Whether frames may be written: the handshake is over, and neither side has begun to close."""
        ...

    def write(self, data: bytes) -> int:
        """Write complete frames, if it is `open`; how many bytes the kernel has not taken yet. One call, because each
        costs a twentieth of a delivery."""
        ...

    def finish(self, code: int, reason: str) -> None:
        """Send a close frame behind everything written, and end when the peer answers or time is up."""
        ...

    def abort(self) -> None:
        """End now, dropping what is unwritten."""
        ...

    def attend(self) -> None:
        """Read on although the last message is not dealt with yet, so that the peer's end is noticed."""
        ...

    async def drained(self) -> None:
        """Wait until little is buffered, or the connection is gone."""
        ...


class Flusher:
    """Writes, once per loop tick, what has gathered in outboxes."""

    def __init__(self) -> None:
        self._dirty: list[Outbox] = []
        self._scheduled = False

    def add(self, outbox: "Outbox") -> None:
        """Something is pending there now."""
        self._dirty.append(outbox)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        batch, self._dirty = self._dirty[:_SLICE], self._dirty[_SLICE:]
        self._scheduled = bool(self._dirty)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._flush)
        for outbox in batch:
            try:
                outbox.flush()
            except Exception:
                log.exception("a connection could not be written to")
                outbox.writer.abort()


class Outbox:
    """One connection's pending frames. `overflowed` is called once, when too much lies unread in front of the peer."""

    __slots__ = ("_flusher", "_limit", "_overflowed", "pending", "writer")

    def __init__(self, writer: Writer, flusher: Flusher, limit: int, overflowed: Callable[[], None]) -> None:
        self.writer = writer
        self.pending: list[bytes] = []
        self._flusher = flusher
        self._limit = limit
        self._overflowed = overflowed

    def push(self, frame: bytes) -> None:
        """Send a frame after all that were pushed before."""
        if not self.pending:
            self._flusher.add(self)
        self.pending.append(frame)

    def flush(self) -> None:
        """Write what is pending now."""
        pending, self.pending = self.pending, []
        if pending and self.writer.write(pending[0] if len(pending) == 1 else b"".join(pending)) > self._limit:
            self._overflowed()

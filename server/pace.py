"""Holding people to a rate: what comes too fast waits its turn, in the order it came, and beyond that is refused in words.

Nothing is dropped: whoever waits is let through, and whoever is refused is told. A waiting line is released in its order
whatever the timers do, so that the messages of one person stay in theirs.
"""

import asyncio
from collections import deque
from collections.abc import Hashable

from server import metrics
from server.errors import TooMany
from server.limits import Rate, Rates


class Pace:
    """A rate per key on this process's clock. `kind` is the word that delays and refusals are counted under."""

    def __init__(self, kind: str, rate: Rate, words: str) -> None:
        self._kind = kind
        self._rates = Rates(rate, words)
        self._lines: dict[Hashable, deque[tuple[float, asyncio.Future[None]]]] = {}

    def go(self, key: Hashable) -> bool:
        """Whether it is this one's turn at once; if not, nothing was taken, and `turn` has them wait."""
        return key not in self._lines and self._rates.go(key, asyncio.get_running_loop().time())

    async def turn(self, key: Hashable) -> None:
        """Return when it is this one's turn. Raises TooMany when that would take too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            wait = self._rates.take(key, now)
        except TooMany:
            metrics.LIMITED.labels(self._kind).inc()
            raise
        line = self._lines.get(key)
        if wait <= 0 and line is None:
            return
        metrics.LIMITED.labels(f"{self._kind}_delayed").inc()
        if line is None:
            line = self._lines[key] = deque()
            loop.call_at(now + wait, self._release, key)
        mine: asyncio.Future[None] = loop.create_future()
        line.append((now + wait, mine))
        await mine

    def _release(self, key: Hashable) -> None:
        """Let go all whose time has come, in order; a timer may be a little early or late."""
        loop, line = asyncio.get_running_loop(), self._lines[key]
        while line and line[0][0] <= loop.time() + 0.001:
            _, one = line.popleft()
            if not one.done():
                one.set_result(None)
        if line:
            loop.call_at(line[0][0], self._release, key)
        else:
            del self._lines[key]

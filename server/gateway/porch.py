"""Handshakes that wait: while many connect at once, no more are taken up than are looked up in time.

An SDK gives its commands five seconds, and counts from the upgrade; for that browsers wait as long as it takes. So whoever
cannot be served yet waits in front of it, where waiting costs next to nothing, and those who are connected are served
meanwhile. Who loses patience before (centrifuge-python after five seconds, centrifuge-go after one) has gone, and costs nothing
either; who has waited in vain is told 503, and comes again later.
"""

import asyncio
import logging
from itertools import islice
from typing import Protocol

from server import metrics
from server.gateway.doors import Turnstile
from server.limits import Counts

log = logging.getLogger(__name__)

_IN_A_TICK = 8
"""Handshakes before the loop gets to do other things."""


class Arrival(Protocol):
    """A request for a WebSocket. It says `leave` when its peer has gone."""

    def address(self) -> str:
        """Where it comes from, as it is counted."""
        ...

    def proceed(self) -> None:
        """It is its turn."""
        ...

    def turn_away(self) -> None:
        """There is no place, or its time is over."""
        ...


class Porch:
    """In the order of coming; `each`: of one address at a time, `waiting`: together, `patience`: seconds."""

    def __init__(self, turnstile: Turnstile, each: int, waiting: int, patience: float) -> None:
        self._turnstile = turnstile
        self._counts = Counts(each, waiting)
        self._patience = patience
        self._line: dict[Arrival, tuple[str, float]] = {}
        self._closed = False
        self._looking: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        turnstile.freed = self._look_soon

    def __len__(self) -> int:
        return len(self._line)

    def enter(self, one: Arrival) -> bool:
        """Whether it may go on at once. If not, it will be told to proceed, or was turned away."""
        if self._closed or (not self._line and self._turnstile.free):
            return True
        address = one.address()
        if not self._counts.take(address):
            _turn_away(one)
            return False
        loop = asyncio.get_running_loop()
        self._line[one] = (address, loop.time() + self._patience)
        self._timer = self._timer or loop.call_later(self._patience, self._over)
        self._look_soon()
        return False

    def leave(self, one: Arrival) -> None:
        """Its peer has gone, or its turn has come. Saying so again does nothing."""
        if one in self._line:
            address, _ = self._line.pop(one)
            self._counts.give_back(address)

    def close(self) -> None:
        """Turn all away; from now on everybody goes on, to be told that we are going down."""
        self._closed = True
        for one in list(self._line):
            self.leave(one)
            _turn_away(one)

    def _look_soon(self) -> None:
        if self._line and self._looking is None and self._turnstile.free:
            self._looking = asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._looking = None
        for one in list(islice(self._line, _IN_A_TICK)):
            self.leave(one)
            try:
                one.proceed()
            except Exception:
                log.exception("a handshake failed")
                one.turn_away()
        self._look_soon()

    def _over(self) -> None:
        """Turn away whose time is over."""
        loop, self._timer = asyncio.get_running_loop(), None
        while self._line:
            one, (_, until) = next(iter(self._line.items()))
            if until > loop.time():
                self._timer = loop.call_at(until, self._over)
                return
            self.leave(one)
            _turn_away(one)


def _turn_away(one: Arrival) -> None:
    metrics.LIMITED.labels("admissions").inc()
    metrics.HANDSHAKES_REFUSED.labels("503").inc()
    one.turn_away()

"""Who may come in, and when: counts of those nobody knows yet, counts per person, and a turnstile for what is expensive.

All refusals here are for now, not for good, so they come before the connect reply (503 before the upgrade, error 111 after
it): a client that is let in and then thrown out would come back at once, one that was never in waits longer each time
(protocol.md §7). And none of them is terminal: a person's dead connections may block new ones only until they are noticed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from server import metrics
from server.errors import TooMany
from server.gateway.settings import GatewaySettings
from server.limits import Counts, Rates

BUSY = "Too many are connecting just now. Try again in a moment."
_CONNECTIONS = "You have too many connections open. Close some, or try again in a moment."
_CONNECTS = "You have connected too often. Try again in {seconds} s."


class Turnstile:
    """So many inside at once, and a short line in front; nobody stands in it for long, or after they have left."""

    def __init__(self, at_once: int, waiting: int, patience: float) -> None:
        self._at_once, self._waiting, self._patience = at_once, waiting, patience
        self._inside = 0
        self._line: deque[tuple[asyncio.Future[bool], Callable[[], bool]]] = deque()
        self.freed: Callable[[], None] = lambda: None
        """Called when somebody has gone out."""

    @property
    def free(self) -> bool:
        """Whether the next one goes straight in."""
        return self._inside < self._at_once

    @property
    def full(self) -> bool:
        """Whether the line is full of people who are still there."""
        if len(self._line) >= self._waiting:
            self._line = deque(one for one in self._line if one[1]() and not one[0].done())
        return len(self._line) >= self._waiting

    @asynccontextmanager
    async def turn(self, alive: Callable[[], bool]) -> AsyncIterator[None]:
        """Inside. `alive`: whether they still wait for it. Raises TooMany when the line is too long, or too slow."""
        await self._enter(alive)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, alive: Callable[[], bool]) -> None:
        if self.free:
            self._inside += 1
            return
        if self.full:
            raise _limited("admissions", BUSY)
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line.append((turn, alive))
        try:
            async with asyncio.timeout(self._patience):
                entered = await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.result():
                self._leave()  # it came in the same moment
            if isinstance(error, TimeoutError):
                raise _limited("admissions", BUSY) from None
            raise
        if not entered:
            raise TooMany(BUSY)  # for nobody to hear: they have left

    def _leave(self) -> None:
        self._inside -= 1
        while self._line and self.free:
            turn, alive = self._line.popleft()
            if turn.done():
                continue
            if alive():
                self._inside += 1
                turn.set_result(True)
            else:
                turn.set_result(False)
        self.freed()


class Knock:
    """Somebody at the door of whom nobody knows yet who they are."""

    __slots__ = ("_address", "_strangers")

    def __init__(self, strangers: Counts, address: str) -> None:
        self._strangers: Counts | None = strangers
        self._address = address

    def over(self) -> None:
        """They are known now, or gone. Saying so again does nothing."""
        if self._strangers is not None:
            self._strangers.give_back(self._address)
            self._strangers = None


class Doors:
    """One per gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.turnstile = Turnstile(settings.connects_at_once, settings.connects_waiting, settings.connect_patience)
        self._strangers = Counts(settings.unauthenticated_per_address, settings.unauthenticated)
        self._people = Counts(settings.connections_per_person)
        self._connects = Rates(settings.connects, _CONNECTS)

    def knock(self, address: str) -> Knock:
        """Somebody who has not said who they are. Raises TooMany."""
        if self.turnstile.full:
            raise _limited("admissions", BUSY)
        if not self._strangers.take(address):
            raise _limited("unauthenticated", BUSY)
        return Knock(self._strangers, address)

    def enter(self, person: str, now: float) -> None:
        """One more connection of this person. Raises TooMany."""
        if not self._people.take(person):
            raise _limited("connections", _CONNECTIONS)
        try:
            self._connects.take(person, now)
        except TooMany:
            self._people.give_back(person)
            metrics.LIMITED.labels("connects").inc()
            raise

    def left(self, person: str) -> None:
        """One less: once for every `enter` that was granted."""
        self._people.give_back(person)


def _limited(kind: str, words: str) -> TooMany:
    metrics.LIMITED.labels(kind).inc()
    return TooMany(words)

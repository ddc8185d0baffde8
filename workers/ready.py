"""Emails that may leave, between the one who claims them and the connections that take them."""

import asyncio
from collections import deque
from collections.abc import Sequence

from server.notices.mails import MailDue


class Ready:
    """A line of claimed mails. More are claimed while there are still some in it, so that nobody waits for the database."""

    def __init__(self) -> None:
        self._line: deque[MailDue] = deque()
        self._came, self._went = asyncio.Event(), asyncio.Event()
        self._few = self._out = 0
        self.ended = False
        """No more are to come: there are none, or somebody who takes them has given up."""

    async def add(self, due: Sequence[MailDue], few: int) -> None:
        """Put these at the end; return when no more than a few are left in the line, or it has ended."""
        self._line.extend(due)
        self._few = few
        self._came.set()
        while len(self._line) > few and not self.ended:
            self._went.clear()
            await self._went.wait()

    async def take(self) -> MailDue | None:
        """The next one, when it is there; None when there is none and the line has ended."""
        while not self._line and (self._out or not self.ended):
            self._came.clear()
            await self._came.wait()
        if not self._line:
            return None
        if len(self._line) - 1 <= self._few:
            self._went.set()
        return self._line.popleft()

    def take_out(self, most: int) -> list[MailDue]:
        """Up to so many of the next ones, for whoever looks at them again; they come back by `bring_back`."""
        taken = [self._line.popleft() for _ in range(min(most, len(self._line)))]
        self._out += len(taken)
        return taken

    def bring_back(self, taken: int, due: Sequence[MailDue]) -> None:
        """What is left of so many that were taken out goes to the front."""
        self._out -= taken
        self.back(*due)
        self._went.set()

    def back(self, *due: MailDue) -> None:
        """To the front of the line."""
        self._line.extendleft(reversed(due))
        self._came.set()

    def end(self) -> None:
        """No more are to come."""
        self.ended = True
        self._came.set()
        self._went.set()

    def rest(self) -> list[MailDue]:
        """What nobody has taken."""
        return list(self._line)

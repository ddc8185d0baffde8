"""Badges: what changed in channels that a connected person is in but, on some connection, not subscribed to.

A hint is an absolute fact on the personal channel, so it may come late or twice and needs no position. It is fetched when it
goes out, many at once, and sent once more a while later, because nothing tells whether the first one arrived.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass, field

from server.ending import end
from server.gateway.channels import Channel, Channels, Listener, Subscription, Topics
from server.gateway.ports import Policy
from server.gateway.settings import Counters, GatewaySettings

log = logging.getLogger(__name__)

Pair = tuple[str, str]
"""(person key, channel key)"""

_PAUSE = 1.0


@dataclass(slots=True, eq=False)
class _Person:
    listeners: set[Listener] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)
    """The channels they watch, each once."""


@dataclass(slots=True)
class _Due:
    """`everywhere`: for all connections, not only those that are not subscribed. `again`: it is the second time."""

    everywhere: bool
    again: bool


class Watch:
    """Who is here, which channels they watch, and which hints are due."""

    def __init__(
        self, policy: Policy, topics: Topics, channels: Channels, settings: GatewaySettings, counters: Counters
    ) -> None:
        self._policy = policy
        self._topics = topics
        self._channels = channels
        self._settings = settings
        self._counters = counters
        self._people: dict[str, _Person] = {}
        self._written: dict[Channel, None] = {}
        self._due: dict[Pair, _Due] = {}
        self._later: dict[Pair, tuple[float, bool]] = {}
        self._sender: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """End what is being sent."""
        await end(self._sender)

    # Who is here

    def joined(self, listener: Listener, keys: Iterable[str]) -> None:
        """A connection of a person who is in these channels."""
        if listener.person not in self._people:
            self._people[listener.person] = _Person()
            self._topics.open(listener.person)
        self._people[listener.person].listeners.add(listener)
        for key in keys:
            self._start(listener.person, key)

    def left(self, listener: Listener) -> None:
        """A connection is gone, if it ever was admitted; its subscriptions have ended before."""
        person = self._people.get(listener.person)
        if person is None or listener not in person.listeners:
            return
        person.listeners.discard(listener)
        if not person.listeners:
            for key in list(person.keys):
                self._stop(listener.person, key)
            del self._people[listener.person]
            self._topics.close(listener.person)

    def signed_out(self, people: Sequence[tuple[str, float]]) -> None:
        """Close the connections of sign-ins that began before their person was signed out; said again, nothing happens."""
        for name, at in people:
            person = self._people.get(name)
            for listener in list(person.listeners) if person is not None else ():
                if listener.began < at:
                    listener.signed_out()
                    self._counters.signed_out += 1

    def changed(self, subscription: Subscription, change: int) -> None:
        """A subscription began (1) or ended (-1): its connection needs no hints about the channel any more, or again."""
        watchers, person = subscription.channel.watchers, subscription.listener.person
        if person in watchers:
            watchers[person] += change

    def _start(self, person: str, key: str) -> None:
        channel, known = self._channels.open(key), self._people[person]
        if person not in channel.watchers:
            channel.watchers[person] = sum(listener.subscribed(key) for listener in known.listeners)
            known.keys.append(key)

    def _stop(self, person: str, key: str) -> None:
        channel, known = self._channels.open(key), self._people[person]
        if channel.watchers.pop(person, None) is not None:
            known.keys.remove(key)
        self._channels.release(channel)

    # What is due

    def row(self, channel: Channel) -> None:
        """Something was written there. Whom that concerns is asked once per round of hints, not for each row."""
        if channel.watchers:
            self._written[channel] = None
            self._wake()

    def _spread(self) -> None:
        written, self._written = self._written, {}
        for channel in written:
            for person, subscribed in channel.watchers.items():
                if subscribed < len(self._people[person].listeners):
                    self._make_due((person, channel.key), everywhere=False)

    def came_in(self, pairs: Sequence[Pair]) -> None:
        """People who became members lately: watch what is not yet watched, and say so."""
        for person, key in pairs:
            channel = self._channels.get(key)
            if channel is None or person not in channel.watchers:
                self.called(person, key)

    def called(self, person: str, key: str) -> None:
        """Look at this channel again, for all connections of the person."""
        if person in self._people:
            self._start(person, key)
            self._make_due((person, key), everywhere=True)

    def everything(self) -> None:
        """The bus was away: what it would have called out is unknown."""
        for person, known in self._people.items():
            for key in known.keys:
                self._make_due((person, key), everywhere=True)

    def tick(self, now: float) -> None:
        """Make due again what was sent a while ago."""
        while self._later:
            pair, (when, everywhere) = next(iter(self._later.items()))
            if when > now:
                return
            del self._later[pair]
            self._make_due(pair, everywhere, again=True)

    def _make_due(self, pair: Pair, everywhere: bool, again: bool = False) -> None:
        due = self._due.get(pair)
        if due is None:
            self._due[pair] = _Due(everywhere, again)
        else:
            due.everywhere |= everywhere
            due.again &= again
        self._wake()

    def _wake(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send(), context=Context())

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        took = 0.0
        while self._due or self._written:
            # However much is due, fetching it takes a fifth of the time at most: the sends need the database too.
            await asyncio.sleep(max(self._settings.hint_delay, 4 * took))
            began = loop.time()
            self._spread()
            pairs = list(self._due)[: self._settings.hint_batch]
            batch = {pair: self._due.pop(pair) for pair in pairs}
            batch = {pair: due for pair, due in batch.items() if pair[0] in self._people}
            told = not batch or await self._tell(batch)
            took = loop.time() - began
            if not told:
                await asyncio.sleep(_PAUSE)

    async def _tell(self, batch: dict[Pair, _Due]) -> bool:
        try:
            hints = await self._policy.hints(list(batch))
        except Exception as error:
            log.warning("hints cannot be read and wait: %s", type(error).__name__)
            self._due = batch | self._due
            return False
        now = asyncio.get_running_loop().time()
        for hint in hints:
            pair = (hint.person, hint.key)
            person, due = self._people.get(hint.person), batch.get(pair)
            if person is None or due is None:
                continue
            for listener in person.listeners:
                if due.everywhere or not listener.subscribed(hint.key):
                    listener.hint(hint.data)
                    self._counters.hints += 1
            self._later.pop(pair, None)
            if not due.again:
                self._later[pair] = (now + self._settings.hint_again, due.everywhere)
            if not hint.watched:
                self._stop(hint.person, hint.key)
        return True

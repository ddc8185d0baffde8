"""What is listened to here: channels, the live subscriptions in groups that get the same bytes, and who else is interested."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from server.gateway.outbox import Outbox
from server.gateway.ports import LogRow
from server.gateway.protocol import ClientInfo, Codec, EndCode
from server.gateway.recovery import Start


class Listener(Protocol):
    """A connection, as those who deliver to it see it."""

    outbox: Outbox
    codec: Codec
    person: str
    began: float
    """When the sign-in behind it began."""

    def subscribed(self, key: str) -> bool:
        """Whether it has a subscription to that channel, live or not yet."""
        ...

    def hint(self, data: bytes) -> None:
        """Say this on the personal channel."""
        ...

    def signed_out(self) -> None:
        """Its sign-in is over: close it for good."""
        ...

    def ended(self, subscription: "Subscription", code: EndCode) -> None:
        """The hub has dropped this subscription; the client must hear why."""
        ...


@dataclass(slots=True, eq=False)
class Progress:
    """How far a subscription that is not live yet has come."""

    start: Start
    top: int
    """The newest offset when leave was given."""
    position: int
    answered: bool = False
    rows: int = 0
    size: int = 0
    """What was sent, in rows and bytes."""
    portion: int = 0
    """Rows that fitted into the last portion; 0: none was sent yet."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One connection's interest in one channel, a Viewer. It catches up first (`progress`), then it is live in a group.

    `info` is how it shows to others there (None: not at all), once it is `shown`. `joins`: they are pushed to it unasked.
    `ttl` is the grant's.
    """

    listener: Listener
    name: str
    channel: "Channel"
    membership: str
    audience: str
    floor: int
    progress: Progress | None
    group: "Group | None" = None
    info: ClientInfo | None = None
    joins: bool = False
    ttl: int = 0
    shown: bool = False


@dataclass(slots=True, eq=False)
class Group:
    """Live subscriptions of one channel that get the same bytes: same codec, same name for it, same audience."""

    codec: Codec
    name: str
    audience: str
    members: set[Subscription] = field(default_factory=set)
    floor: int = 0
    """The highest floor of any member, ever: at or above it nobody needs to be looked at one by one."""

    def push(self, frame: bytes) -> None:
        """Send it to all members."""
        for member in self.members:
            member.listener.outbox.push(frame)


@dataclass(slots=True, eq=False)
class Channel:
    """A channel that somebody here has an interest in.

    `last` is the offset up to which everything was delivered to the live subscriptions; without any, the newest offset
    that was noticed. `catching` are subscriptions on their way to `last`; for them the rows since are kept in `ring`.
    `held` are rows that came while others before them were missing. `asking` are those who want joins
    and leaves. `watchers` are the person keys whose badge counts this
    channel, with the number of their connections that are subscribed to it and need no hints.
    """

    key: str
    last: int = 0
    groups: dict[tuple[Codec, str, str], Group] = field(default_factory=dict)
    catching: set[Subscription] = field(default_factory=set)
    ring: deque[LogRow] | None = None
    held: dict[int, LogRow] = field(default_factory=dict)
    watchers: dict[str, int] = field(default_factory=dict)
    asking: set[Subscription] | None = None

    @property
    def followed(self) -> bool:
        """Whether anybody here gets this channel's rows."""
        return bool(self.groups or self.catching)

    def subscriptions(self) -> list[Subscription]:
        """All of them, live or not."""
        return [*self.catching, *(member for group in self.groups.values() for member in group.members)]


class Topics:
    """Keys that are listened to, and the topics they have on the bus."""

    def __init__(
        self, topic: Callable[[str], str], listen: Callable[[str], None], unlisten: Callable[[str], None]
    ) -> None:
        self._topic = topic
        self._listen = listen
        self._unlisten = unlisten
        self._keys: dict[str, str] = {}

    def open(self, key: str) -> None:
        """Listen to the topic of a key."""
        topic = self._topic(key)
        self._keys[topic] = key
        self._listen(topic)

    def close(self, key: str) -> None:
        """Listen no more."""
        topic = self._topic(key)
        del self._keys[topic]
        self._unlisten(topic)

    def key(self, topic: str) -> str | None:
        """The key whose topic that is, if it is listened to."""
        return self._keys.get(topic)


class Channels:
    """The registry. A channel is listened to as long as somebody is interested in it."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._by_key: dict[str, Channel] = {}

    def open(self, key: str) -> Channel:
        """The channel of a key; from now on it is listened to. Show interest before the loop turns, or `release` it."""
        channel = self._by_key.get(key)
        if channel is None:
            channel = self._by_key[key] = Channel(key)
            self._topics.open(key)
        return channel

    def release(self, channel: Channel) -> None:
        """Forget it if nobody is interested any more."""
        if not (channel.followed or channel.watchers) and self._by_key.get(channel.key) is channel:
            del self._by_key[channel.key]
            self._topics.close(channel.key)

    def get(self, key: str) -> Channel | None:
        """The channel of a key, if it is listened to."""
        return self._by_key.get(key)

    def on(self, topic: str) -> Channel | None:
        """The channel of a topic, if it is listened to."""
        key = self._topics.key(topic)
        return None if key is None else self._by_key[key]

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._by_key.values()))

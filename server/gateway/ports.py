"""What the gateway asks of the rest of the product, as ports: a Policy (who may what), a Log (what was said), and a
Board (who is there, on all gateways).

The gateway knows no domain. It moves opaque channel keys, offsets, audiences and JSON bytes; a Policy and a Log give them
meaning. The product's are in server/app; a test gateway may bring others.

Words: a *name* is what a client calls a channel on the wire; a *key* is the channel's identity inside the server (two
organisations may use one name, never one key). A *person key* names a person the same way. An *audience* is one of a small
set of views of a channel (the product has "staff" and "patient"): a publication is encoded once per audience.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from server.errors import Unavailable, WarmlineError
from server.gateway.protocol import ClientInfo


class Renewed(Unavailable):
    """The log has another epoch than the one that is known: it was restored, or another server took over. What stands in it
    follows on no position of the old one; the tops check finds out, and has everybody begin anew."""

    def __init__(self) -> None:
        super().__init__("The log was renewed just now. Try again.")


@dataclass(frozen=True, slots=True)
class Admission:
    """Who a connection belongs to, as the Policy judged its token.

    `identity` is opaque to the gateway and handed back with every call. `person` is the person key: hints for it reach all
    connections of the person. `personal` is the wire name of the personal channel. `ttl` is in seconds until the token
    expires (0: never). `info` is JSON that goes into the connect reply's data, or None. `began` is when the sign-in behind it
    began, on the clock of Policy.signed_out. `idle` is how many seconds the connection may go without its person doing
    anything (0: any time): every rpc counts, but for the methods in `passive`. `followed`: the personal channel is one of
    the log; the connection is subscribed to it, as Policy.subscribe judges, before it is welcomed. The product's is not.
    """

    identity: Any
    person: str
    personal: str
    ttl: int
    info: bytes | None = None
    began: float = 0.0
    idle: float = 0.0
    passive: frozenset[str] = frozenset()
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to listen to one channel, read in one snapshot together with `top`.

    `membership` is the id whose end (LogRow.ends) ends the subscription. `floor` is the first offset that may be seen
    (1 = all); `top` the newest offset that is committed. `info` is how the connection shows in the channel, in presence,
    joins and leaves; None: it does not show, and may not ask who else does. `joins`: joins and leaves are pushed to it
    unasked. `ttl` is in seconds until a new subscription token is wanted (0: never). `epoch` is the log's, in the same
    snapshot (empty: the Policy does not say, and it is the one known).
    """

    key: str
    membership: str
    audience: str
    floor: int
    top: int
    info: ClientInfo | None = None
    joins: bool = False
    ttl: int = 0
    epoch: str = ""


class LogRow(Struct, frozen=True):
    """One event of a channel's log, or, with offset 0, a passing signal that is not in the log and moves no position.

    `audience` is the only audience that may see it (None: all). `target` is the offset of the older event that this one
    changes, if any. `opens` and `ends` are the membership ids that begin and end here. `content` is the Log's own.
    `after` says, for a signal, which offset was the newest when it was made: it is not delivered before that one is, so that
    nobody removed before it gets to see it (0: does not matter). `written` is when, in Unix seconds of the log's clock
    (0: unknown). `info` is whose connection it came from, where listeners may know.
    """

    key: str
    offset: int
    audience: str | None
    target: int | None
    opens: tuple[str, ...]
    ends: tuple[str, ...]
    content: Any
    after: int = 0
    written: float = 0.0
    info: ClientInfo | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """An absolute fact for one person, as JSON: sent on the personal channel, without an offset, as often as one likes.

    `watched` is False when the channel is no longer the person's: the gateway then stops watching it for them.
    """

    person: str
    key: str
    data: bytes
    watched: bool


class Policy(Protocol):
    """Who may what. Every refusal is a WarmlineError, raised or (in the batch forms) returned in place."""

    async def connect(self, token: str | None) -> Admission:
        """Judge a connection token. Raises TokenExpired (→ 109), Unauthorized (→ close 3500), Unavailable (→ 100)."""
        ...

    async def signed_out(self) -> Sequence[tuple[str, float]]:
        """Who was signed out lately, and when: (person key, time); one statement. Connections of sign-ins that began before
        are closed. Looks further back than any transaction can last."""
        ...

    async def watched(self, identity: Any) -> Sequence[str]:
        """The keys of all channels this person is in: the gateway listens to them for hints."""
        ...

    async def subscribe(
        self, identity: Any, client: str, asked: Sequence[tuple[str, str]]
    ) -> Sequence[Grant | WarmlineError]:
        """Judge subscriptions, one answer per (name, token) in order, in a constant number of statements. `client` is the
        connection's id. An Unauthorized among them closes the connection (3500); of TokenExpired comes error 109."""
        ...

    async def resubscribe(self, identity: Any, name: str, token: str) -> tuple[str, int]:
        """Judge a new token of a standing subscription: its name, and the seconds it is good for. An empty name is to be
        taken from the token (protocol.md §4). Raises TokenExpired (→ unsubscribed with 2501), Unauthorized (→ close 3500)."""
        ...

    async def history(self, identity: Any, client: str, name: str, subscribed: bool) -> Grant:
        """Leave to read the channel's log now. `subscribed`: the connection has a subscription to it. Raises WarmlineError."""
        ...

    async def presence(self, identity: Any, client: str, name: str, subscribed: bool) -> Grant:
        """Leave to ask who is there, if the grant has an `info`. Raises WarmlineError."""
        ...

    async def publish(self, identity: Any, client: str, name: str, data: bytes, subscribed: bool) -> None:
        """Write a publication into the channel's log. Raises WarmlineError."""
        ...

    def rpc(self, identity: Any, method: str, data: bytes) -> Awaitable[bytes]:
        """Run one operation; its result is JSON without raw newlines. What is awaited raises WarmlineError, the call itself
        nothing; a future stands for what is under way already, and costs no task."""
        ...

    async def hints(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Hint]:
        """The present facts for (person key, channel key) pairs, in a constant number of statements."""
        ...


class Board(Protocol):
    """Where gateways say who is there, each for itself, and read what the others say. A gateway that is silent for a few
    seconds is gone, and with it all it said."""

    async def alive(self) -> bool:
        """Say that this gateway lives. False: nothing is known of it (any more), so that it has to say all again."""
        ...

    async def say(self, parts: Mapping[str, bytes | None]) -> None:
        """For each channel key, all that this gateway has to say about it; None: nothing."""
        ...

    async def others(self, key: str) -> Sequence[bytes]:
        """What the other living gateways say about a channel."""
        ...


class Log(Protocol):
    """What was said, in order. No message on a channel's topic begins with a zero byte: those are the gateway's own."""

    @property
    def epoch(self) -> str:
        """The identity of this incarnation of the log, as of the last `lately`."""
        ...

    async def since(self, wanted: Sequence[tuple[str, int, int]]) -> Sequence[Sequence[LogRow]]:
        """For each (key, after, limit): the rows with offset > after, ascending, at most `limit`; one statement for all.
        Raises Renewed where they are not of `epoch`: a gateway learns of a new one a moment late, and must not mix them."""
        ...

    async def lately(self) -> tuple[Sequence[tuple[str, int]], Sequence[tuple[str, str]]]:
        """What was written lately, whatever the number of channels: (key, top) of channels, and (person, key) of those
        who came in. Looks further back than any transaction can last, and reads the epoch again."""
        ...

    def topic(self, key: str) -> str:
        """The Redis topic of a channel key."""
        ...

    def person_topic(self, person: str) -> str:
        """The Redis topic of a person key. Its messages are channel keys, in UTF-8: "look at this channel again";
        an empty one says: look at once who was signed out."""
        ...

    def decode(self, key: str, payload: bytes) -> LogRow:
        """The row that a message on a channel's topic carries. Raises ValueError when it is none."""
        ...

    def publication(self, row: LogRow, audience: str) -> bytes:
        """The row as JSON (no raw newline) for one audience: what goes into `pub.data`."""
        ...

    def void(self) -> bytes:
        """The JSON that stands at the offset of an event that a viewer may not see."""
        ...

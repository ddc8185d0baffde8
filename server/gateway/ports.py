"""What the gateway asks of the rest of the product, as two ports: a Policy (who may what) and a Log (what was said).

The gateway knows no domain. It moves opaque channel keys, offsets, audiences and JSON bytes; a Policy and a Log give them
meaning. The product's are in server/app_ports.py; a test gateway may bring others.

Words: a *name* is what a client calls a channel on the wire; a *key* is the channel's identity inside the server (two
organisations may use one name, never one key). A *person key* names a person the same way. An *audience* is one of a small
set of views of a channel (the product has "staff" and "patient"): a publication is encoded once per audience.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from server.errors import WarmlineError


@dataclass(frozen=True, slots=True)
class Admission:
    """Who a connection belongs to, as the Policy judged its token.

    `identity` is opaque to the gateway and handed back with every call. `person` is the person key: hints for it reach all
    connections of the person. `personal` is the wire name of the personal channel. `ttl` is in seconds until the token
    expires (0: never). `info` is JSON that goes into the connect reply's data, or None. `began` is when the sign-in behind it
    began, on the clock of Policy.signed_out. `idle` is how many seconds the connection may go without its person doing
    anything (0: any time): every rpc counts, but for the methods in `passive`.
    """

    identity: Any
    person: str
    personal: str
    ttl: int
    info: bytes | None = None
    began: float = 0.0
    idle: float = 0.0
    passive: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to listen to one channel, read in one snapshot together with `top`.

    `membership` is the id whose end (LogRow.ends) ends the subscription. `floor` is the first offset that may be seen
    (1 = all); `top` the newest offset that is committed.
    """

    key: str
    membership: str
    audience: str
    floor: int
    top: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """One event of a channel's log, or, with offset 0, a passing signal that is not in the log and moves no position.

    `audience` is the only audience that may see it (None: all). `target` is the offset of the older event that this one
    changes, if any. `opens` and `ends` are the membership ids that begin and end here. `content` is the Log's own.
    `after` says, for a signal, which offset was the newest when it was made: it is not delivered before that one is, so that
    nobody removed before it gets to see it (0: does not matter). `written` says when it was, in Unix seconds of the log's clock
    (0: unknown). `written` is when, in Unix seconds of the log's clock (0: unknown).
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

    async def subscribe(self, identity: Any, names: Sequence[str]) -> Sequence[Grant | WarmlineError]:
        """Judge subscriptions, one answer per name in order, in a constant number of statements."""
        ...

    async def rpc(self, identity: Any, method: str, data: bytes) -> bytes:
        """Run one operation and return its result as JSON without raw newlines. Raises WarmlineError."""
        ...

    async def hints(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Hint]:
        """The present facts for (person key, channel key) pairs, in a constant number of statements."""
        ...


class Log(Protocol):
    """What was said, in order."""

    @property
    def epoch(self) -> str:
        """The identity of this incarnation of the log, as of the last `lately`."""
        ...

    async def since(self, wanted: Sequence[tuple[str, int, int]]) -> Sequence[Sequence[LogRow]]:
        """For each (key, after, limit): the rows with offset > after, ascending, at most `limit`; one statement for all."""
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

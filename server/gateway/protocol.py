"""The client protocol as plain values: what a client may ask, what we answer, and what we push.

One model for every codec (protocol.md §1–§7). Payloads are UTF-8 JSON bytes that nobody here looks into; that a codec embeds
them as they are, or as bytes, is its own affair.
"""

from typing import Protocol

from msgspec import Struct

from server.gateway.codes import CloseCode as CloseCode
from server.gateway.codes import EndCode as EndCode
from server.gateway.codes import ErrorCode as ErrorCode

# What a client sends. Every command but Pong, Send and Malformed carries the id under which its reply goes.


class Connect(Struct, frozen=True):
    """The first command, and only the first."""

    id: int
    token: str | None = None
    positions: dict[str, tuple[int, str]] = {}
    """Where the client stands in channels that it was subscribed to by us: (offset, epoch)."""


class Subscribe(Struct, frozen=True):
    """Listen to a channel, from a position if `recover`."""

    id: int
    channel: str
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    flag: int = 0
    token: str = ""
    joins: bool = False
    """Whether joins and leaves of others are wanted (`join_leave`)."""

    @property
    def strict(self) -> bool:
        """Whether the client wants error 112 rather than `recovered: false` (flag bit 2)."""
        return bool(self.flag & 2)

    def same_wish(self, other: "Subscribe") -> bool:
        """Whether the other asks for the same thing, under whatever id."""
        mine = (self.recover, self.epoch, self.offset, self.strict, self.token, self.joins)
        return mine == (other.recover, other.epoch, other.offset, other.strict, other.token, other.joins)


class Unsubscribe(Struct, frozen=True):
    """Listen no more."""

    id: int
    channel: str


class PublishRequest(Struct, frozen=True):
    """Say something on a channel. The product has operations for that, and refuses."""

    id: int
    channel: str
    data: bytes


class History(Struct, frozen=True):
    """A page of a channel's events. `limit` 0: only where it stands; negative: as many as one reply carries. `since`, an
    exclusive position, is (offset, epoch); without it a page begins at the oldest event, or, reversed, at the newest."""

    id: int
    channel: str
    limit: int = 0
    since: tuple[int, str] | None = None
    reverse: bool = False


class Presence(Struct, frozen=True):
    """Who is there; with `stats` only how many."""

    id: int
    channel: str
    stats: bool = False


class SubRefresh(Struct, frozen=True):
    """A new token for a subscription whose first one ends. Old SDKs leave the channel out (§4)."""

    id: int
    channel: str
    token: str


class Rpc(Struct, frozen=True):
    """Call an operation by name."""

    id: int
    method: str
    data: bytes


class Refresh(Struct, frozen=True):
    """A new token for a connection whose first one ends."""

    id: int
    token: str


class Pong(Struct, frozen=True):
    """The answer to our ping."""


class Send(Struct, frozen=True):
    """A message that wants no answer: not offered."""


class Unavailable(Struct, frozen=True):
    """A command of the protocol that this gateway does not offer; `name` as in the schema."""

    id: int
    name: str


class BadRequest(Struct, frozen=True):
    """A command that cannot be taken, but whose sender can be told why."""

    id: int
    reason: str


class Malformed(Struct, frozen=True):
    """What is no command at all; nothing after it can be trusted."""

    reason: str


Question = PublishRequest | History | Presence | SubRefresh
"""Commands about a channel that are answered once something was looked up."""

Command = (
    Connect | Subscribe | Unsubscribe | Question | Rpc | Refresh | Pong | Send | Unavailable | BadRequest | Malformed
)


# What we send.


class Error(Struct, frozen=True):
    """Why a command was not done; the text is for people."""

    code: int
    message: str
    temporary: bool = False


class ClientInfo(Struct, frozen=True):
    """A connection as others in a channel may see it: two opaque ids, and JSON that a Policy may add."""

    user: str
    client: str
    conn_info: bytes | None = None
    chan_info: bytes | None = None


class Publication(Struct, frozen=True):
    """One event as its viewer may see it. Offset 0: a passing signal that moves no position."""

    data: bytes
    offset: int = 0
    info: ClientInfo | None = None


class SubscribeResult(Struct, frozen=True):
    """Where a subscription begins, and what it missed (ascending, without holes)."""

    positioned: bool = False
    """Both `positioned` and `recoverable` on the wire: every channel is both, the personal channel neither."""
    epoch: str = ""
    offset: int = 0
    was_recovering: bool = False
    recovered: bool = False
    publications: tuple[Publication, ...] = ()
    ttl: int = 0
    """Seconds until a sub_refresh is wanted (0: never)."""


class ConnectResult(Struct, frozen=True):
    """Welcome. `ttl` in seconds until a refresh is wanted (0: never); `subs` is the complete set of server-side ones."""

    client: str
    version: str
    ping: int
    ttl: int = 0
    data: bytes | None = None
    subs: dict[str, SubscribeResult] = {}


class UnsubscribeResult(Struct, frozen=True):
    """Done; always."""


class PublishResult(Struct, frozen=True):
    """It is in the log."""


class HistoryResult(Struct, frozen=True):
    """A page, and where the channel stands."""

    publications: tuple[Publication, ...]
    epoch: str
    offset: int


class PresenceResult(Struct, frozen=True):
    """Who is there, each connection under its own name."""

    clients: dict[str, ClientInfo]


class PresenceStatsResult(Struct, frozen=True):
    """How many connections, and of how many."""

    clients: int
    users: int


class SubRefreshResult(Struct, frozen=True):
    """The subscription lives on, for so many seconds (0: for good)."""

    ttl: int = 0


class RpcResult(Struct, frozen=True):
    """What the operation returned."""

    data: bytes


class RefreshResult(Struct, frozen=True):
    """The connection lives on. Carries `client`, without which some SDKs forget their own id."""

    client: str
    version: str
    ttl: int = 0


Answer = PublishResult | HistoryResult | PresenceResult | PresenceStatsResult | SubRefreshResult | Error
"""What a Question leads to."""

Result = ConnectResult | SubscribeResult | UnsubscribeResult | RpcResult | RefreshResult | Answer


class Reply(Struct, frozen=True):
    """The answer to the command of that id."""

    id: int
    result: Result


class Publish(Struct, frozen=True):
    """A publication on a channel, unasked."""

    channel: str
    publication: Publication


class Join(Struct, frozen=True):
    """Somebody has subscribed. May be lost."""

    channel: str
    info: ClientInfo


class Leave(Struct, frozen=True):
    """Somebody's subscription is over. May be lost."""

    channel: str
    info: ClientInfo


class End(Struct, frozen=True):
    """A subscription ended by us."""

    channel: str
    code: EndCode


class Ping(Struct, frozen=True):
    """Are you there?"""


Message = Reply | Publish | Join | Leave | End | Ping


class Codec(Protocol):
    """How commands and messages look in WebSocket frames."""

    @property
    def name(self) -> str:
        """In one word."""
        ...

    def decode(self, data: bytes, max_command: int) -> list[Command]:
        """The commands of one WebSocket message, in order; never raises. The last may be Malformed."""
        ...

    def frame(self, message: Message) -> bytes:
        """One message as a complete, unmasked WebSocket frame, ready for any number of connections."""
        ...

"""The client protocol as plain values: what a client may ask, what we answer, what we push, and the numbers for it.

One model for every codec (protocol.md §1–§7). Payloads are UTF-8 JSON bytes that nobody here looks into; that a codec embeds
them as they are, or as bytes, is its own affair.
"""

from enum import IntEnum
from typing import Protocol

from msgspec import Struct


class ErrorCode(IntEnum):
    """Numbers of error replies (§7). Only INTERNAL and TOO_MANY_REQUESTS are temporary."""

    INTERNAL = 100
    UNKNOWN_CHANNEL = 102
    PERMISSION_DENIED = 103
    ALREADY_SUBSCRIBED = 105
    LIMIT_EXCEEDED = 106
    BAD_REQUEST = 107
    NOT_AVAILABLE = 108
    TOKEN_EXPIRED = 109
    TOO_MANY_REQUESTS = 111
    UNRECOVERABLE_POSITION = 112


class CloseCode(IntEnum):
    """Numbers of close frames (§7): a client comes back after 3000–3499 and stays away after 3500–3999."""

    SHUTDOWN = 3001
    SERVER_ERROR = 3004
    EXPIRED = 3005
    SLOW = 3008
    NO_PONG = 3012
    TOO_MANY_REQUESTS = 3013
    INVALID_TOKEN = 3500
    BAD_REQUEST = 3501
    STALE = 3502
    SIGNED_OUT = 3503
    NOT_AVAILABLE = 3508

    @property
    def reason(self) -> str:
        """Plain words: a reason that parses as JSON would be taken for advice (§7)."""
        return _REASONS[self]


_REASONS = {
    CloseCode.SHUTDOWN: "shutdown",
    CloseCode.SERVER_ERROR: "server error",
    CloseCode.EXPIRED: "connection expired",
    CloseCode.SLOW: "too slow",
    CloseCode.NO_PONG: "no pong",
    CloseCode.TOO_MANY_REQUESTS: "too many requests",
    CloseCode.INVALID_TOKEN: "invalid token",
    CloseCode.BAD_REQUEST: "bad request",
    CloseCode.STALE: "stale",
    CloseCode.SIGNED_OUT: "signed out",
    CloseCode.NOT_AVAILABLE: "not available",
}


class EndCode(IntEnum):
    """Numbers of unsubscribe pushes (§7): after REMOVED a client stays away, after INSUFFICIENT_STATE it resubscribes."""

    REMOVED = 2000
    INSUFFICIENT_STATE = 2500

    @property
    def reason(self) -> str:
        """Never empty: clients index it."""
        return "removed" if self is EndCode.REMOVED else "insufficient state"


# What a client sends. Every command but Pong, Send and Malformed carries the id under which its reply goes.


class Connect(Struct, frozen=True):
    """The first command, and only the first."""

    id: int
    token: str | None = None


class Subscribe(Struct, frozen=True):
    """Listen to a channel, from a position if `recover`."""

    id: int
    channel: str
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    flag: int = 0

    @property
    def strict(self) -> bool:
        """Whether the client wants error 112 rather than `recovered: false` (flag bit 2)."""
        return bool(self.flag & 2)

    def same_wish(self, other: "Subscribe") -> bool:
        """Whether the other asks for the same thing, under whatever id."""
        mine = (self.recover, self.epoch, self.offset, self.strict)
        return mine == (other.recover, other.epoch, other.offset, other.strict)


class Unsubscribe(Struct, frozen=True):
    """Listen no more."""

    id: int
    channel: str


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


Command = Connect | Subscribe | Unsubscribe | Rpc | Refresh | Pong | Send | Unavailable | BadRequest | Malformed


# What we send.


class Error(Struct, frozen=True):
    """Why a command was not done; the text is for people."""

    code: int
    message: str
    temporary: bool = False


class Publication(Struct, frozen=True):
    """One event as its viewer may see it. Offset 0: a passing signal that moves no position."""

    data: bytes
    offset: int = 0


class SubscribeResult(Struct, frozen=True):
    """Where a subscription begins, and what it missed (ascending, without holes)."""

    positioned: bool = False
    """Both `positioned` and `recoverable` on the wire: every channel is both, the personal channel neither."""
    epoch: str = ""
    offset: int = 0
    was_recovering: bool = False
    recovered: bool = False
    publications: tuple[Publication, ...] = ()


class ConnectResult(Struct, frozen=True):
    """Welcome. `ttl` in seconds until a refresh is wanted (0: never); `subs` is the complete set of server-side ones."""

    client: str
    version: str
    ping: int
    ttl: int = 0
    data: bytes | None = None
    subs: tuple[str, ...] = ()


class UnsubscribeResult(Struct, frozen=True):
    """Done; always."""


class RpcResult(Struct, frozen=True):
    """What the operation returned."""

    data: bytes


class RefreshResult(Struct, frozen=True):
    """The connection lives on. Carries `client`, without which some SDKs forget their own id."""

    client: str
    version: str
    ttl: int = 0


Result = ConnectResult | SubscribeResult | UnsubscribeResult | RpcResult | RefreshResult | Error


class Reply(Struct, frozen=True):
    """The answer to the command of that id."""

    id: int
    result: Result


class Publish(Struct, frozen=True):
    """A publication on a channel, unasked."""

    channel: str
    publication: Publication


class End(Struct, frozen=True):
    """A subscription ended by us."""

    channel: str
    code: EndCode


class Ping(Struct, frozen=True):
    """Are you there?"""


Message = Reply | Publish | End | Ping


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

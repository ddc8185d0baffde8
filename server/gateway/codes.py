"""The numbers of the client protocol: of error replies, of close frames, of subscriptions that we end (protocol.md §7). Pure."""

from enum import IntEnum


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
    INSUFFICIENT_STATE = 3010
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
    CloseCode.INSUFFICIENT_STATE: "insufficient state",
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
    EXPIRED = 2501

    @property
    def reason(self) -> str:
        """Never empty: clients index it."""
        return _ENDS[self]


_ENDS = {
    EndCode.REMOVED: "removed",
    EndCode.INSUFFICIENT_STATE: "insufficient state",
    EndCode.EXPIRED: "subscription expired",
}

"""What a connection's state machine wants done, and the Policy's refusals in the numbers of the wire. Pure."""

from msgspec import Struct

from server.errors import Forbidden, Invalid, NotFound, WarmlineError
from server.gateway import protocol as p


class Say(Struct, frozen=True):
    """Send this."""

    message: p.Message


class Admit(Struct, frozen=True):
    """Ask the Policy about this token; then `admitted` or `refused`."""

    token: str | None


class Begin(Struct, frozen=True):
    """Start the subscription that `wish` describes; then `subscribed` or `denied`."""

    channel: str


class Leave(Struct, frozen=True):
    """Stop whatever goes on for this channel, at once and silently."""

    channel: str


class Call(Struct, frozen=True):
    """Run an operation and answer it."""

    id: int
    method: str
    data: bytes


class Ask(Struct, frozen=True):
    """Look it up and answer it."""

    question: p.Question


class Renew(Struct, frozen=True):
    """Ask the Policy about a new token; then `renewed` or `renewal_refused`."""

    id: int
    token: str


class Close(Struct, frozen=True):
    """The last effect: close with this code."""

    code: p.CloseCode


Effect = Say | Admit | Begin | Leave | Call | Ask | Renew | Close


def as_error(error: WarmlineError) -> p.Error:
    """An operation's refusal, with the product's own code and words (§11)."""
    return p.Error(error.code, error.message or "internal error", error.temporary)


def as_subscribe_error(error: WarmlineError) -> p.Error:
    """A refusal to subscribe, in the protocol's own numbers (§7, §11)."""
    match error:
        case NotFound():
            code: int = p.ErrorCode.UNKNOWN_CHANNEL
        case Forbidden():
            code = p.ErrorCode.PERMISSION_DENIED
        case Invalid():
            code = p.ErrorCode.BAD_REQUEST
        case _:
            code = error.code
    return p.Error(code, error.message or "subscription refused", error.temporary)


def refusal(number: int, code: p.ErrorCode, message: str) -> Say:
    """An error reply in the protocol's own numbers."""
    return Say(p.Reply(number, p.Error(code, message, code in (100, 111))))


def unavailable(command: p.Unavailable) -> Say:
    """The answer to what we do not offer."""
    return refusal(command.id, p.ErrorCode.NOT_AVAILABLE, f"This server does not offer {command.name}.")

"""What can go wrong, in words a caller can act on: one class per answer, with its HTTP status and its wire code.

The wire codes are those of the client protocol (protocol.md §7 and §11): 400–1999 is the application's own range, 100 and
111 are the protocol's temporary errors. `temporary` tells a client that trying the same again may succeed.
"""

from typing import ClassVar


class WarmlineError(Exception):
    """An error that is meant for the caller: its text says what is wrong and what to do, and carries nothing private."""

    status: ClassVar[int] = 500
    code: ClassVar[int] = 100
    temporary: ClassVar[bool] = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unauthorized(WarmlineError):
    """Nobody this server knows: no token, a forged one, or one of a person who may not sign in."""

    status, code, temporary = 401, 401, False


class TokenExpired(Unauthorized):
    """The token was good once; fetch another one (protocol error 109)."""

    code = 109


class Forbidden(WarmlineError):
    """Known, but not allowed; the text is the permission's denial text."""

    status, code, temporary = 403, 403, False


class NotFound(WarmlineError):
    """Not there, or not theirs: the two are never told apart (domain.md §1)."""

    status, code, temporary = 404, 404, False


class NoSuchOperation(NotFound):
    """A name that is no operation's (protocol error 108, "not available")."""

    code = 108


class Conflict(WarmlineError):
    """Right in itself, but not with what is there by now."""

    status, code, temporary = 409, 409, False


class Invalid(WarmlineError):
    """The request itself is wrong; the text names the field and what it takes."""

    status, code, temporary = 422, 422, False


class TooMany(WarmlineError):
    """Too much at once, or something is held by somebody else just now: try again soon."""

    status, code, temporary = 429, 111, True

    def __init__(self, message: str, after: float = 1.0) -> None:
        super().__init__(message)
        self.after = after
        """Seconds after which it may succeed."""


class TooLarge(Invalid):
    """More than one request may carry."""

    status = 413


class Unavailable(WarmlineError):
    """A part that is needed is away: try again."""

    status, code, temporary = 503, 100, True


class Failed(WarmlineError):
    """A fault of ours; what it was stands in the log, under the request's id, and nowhere else."""

    def __init__(self, request_id: str | None = None) -> None:
        given = "the request id" if request_id is None else f"the request id {request_id}"
        super().__init__(f"Something went wrong here. Try again; if it stays, give your administrator {given}.")


class Misconfigured(Exception):
    """The process cannot start like this; the text names the setting or the state and the fix."""


class Away(Misconfigured):
    """What the setting names is not there just now; it may be in a moment."""

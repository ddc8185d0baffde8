"""What a provider's answer to a push means, and when to come again. Pure."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

Outcome = Literal["sent", "gone", "refused", "later"]

LONGEST_WAIT = 3600.0
"""Seconds: whoever asks for more is asked again after so long all the same."""
_FIRST_WAIT, _LONGEST_BACKOFF = 2.0, 900.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one push at one device.

    `status` is the HTTP status, None where there was none; `wait` the seconds that the provider wants to be left alone;
    `ailing`: it says of the provider that it cannot just now.
    """

    outcome: Outcome
    status: int | None = None
    wait: float = 0.0
    ailing: bool = False


def judged(status: int, retry_after: str | None, at: datetime) -> Answer:
    """The meaning of an HTTP answer (RFC 8030): taken, gone for good, refused for good, or to be tried again."""
    if 200 <= status < 300:
        return Answer("sent", status)
    if status in (404, 410):
        return Answer("gone", status)
    if status == 429 or status >= 500:
        return Answer("later", status, waiting(retry_after, at), ailing=True)
    return Answer("refused", status)


def waiting(retry_after: str | None, at: datetime) -> float:
    """The seconds of a Retry-After, which is a number or a date; 0 where there is none that can be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    if when.tzinfo is None:
        return 0.0
    return min(max((when - at).total_seconds(), 0.0), LONGEST_WAIT)


def backoff(attempts: int) -> float:
    """Seconds until a push that found nobody is tried again, after so many attempts."""
    return min(_FIRST_WAIT * 2.0 ** min(max(attempts - 1, 0), 16), _LONGEST_BACKOFF)

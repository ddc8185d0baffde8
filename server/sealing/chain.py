"""The chain: what an entry is as bytes, and how each seal binds it to everything before. Pure; no secret is in it.

A seal's hash covers the hash before it, its number, when it was made, and the entry. So nothing can be changed, taken out, put
in or moved without every later hash being another one; that these are the true ones is what signed heads are for.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

NOTHING: Final = "0" * 64
"""The hash before the first seal."""

Entry = dict[str, Any]
"""An access as it is sealed: every column of audit_entries under its own name; times as text in UTC to the microsecond."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A link of an organisation's chain.

    Args:
        sequence: 1, 2, 3 … without a gap.
        hash: of the link, in hex.
        sealed_at: when, by the database's clock, as text.
        more: the round that made it had to leave committed entries to the next one.
    """

    sequence: int
    hash: str
    sealed_at: str
    more: bool


def parsed(text: str | bytes) -> Any:
    """A JSON value from its text, so that no digit of a number is lost."""
    return json.loads(text, parse_float=lambda digits: {"number": digits})


def link(previous: str, sequence: int, sealed_at: str, more: bool, entry: Entry) -> str:
    """The hash of the seal that has this number and follows on `previous`."""
    return hashlib.sha256(_bytes(["warmline audit seal 1", previous, sequence, sealed_at, more, entry])).hexdigest()


def _bytes(value: list[Any]) -> bytes:
    """One text for one value: keys sorted, no spaces, nothing but ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

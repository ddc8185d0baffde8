"""An export as lines of JSON: written while the log is read, read again while it is verified; neither keeps more than a line.

`log`: whose, from which seal on, and what came before. `sealed`: an entry with its seal; before it, `head`s that speak of it.
`waiting`: an entry without a seal. `end`: so that a file that was cut is seen to be.
"""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from server.sealing.chain import Entry, Seal, parsed
from server.sealing.heads import Head
from server.sealing.verifying import Verification


class Log(msgspec.Struct, tag="log", tag_field="kind"):
    """The first line."""

    organization_id: str
    first: int
    previous: str
    mark: int
    as_of: str
    complete: bool


class Sealed(msgspec.Struct, tag="sealed", tag_field="kind"):
    """An entry and its seal."""

    sequence: int
    hash: str
    sealed_at: str
    more: bool
    entry: msgspec.Raw


class HeadLine(msgspec.Struct, tag="head", tag_field="kind"):
    """A signed head."""

    organization_id: str
    sequence: int
    hash: str
    signed_at: str
    key_id: str
    signature: str


class Waiting(msgspec.Struct, tag="waiting", tag_field="kind"):
    """An entry that has no seal yet."""

    entry: msgspec.Raw


class End(msgspec.Struct, tag="end", tag_field="kind"):
    """The last line: how many seals and waiting entries there were."""

    sealed: int
    waiting: int


_DECODER = msgspec.json.Decoder(Log | Sealed | HeadLine | Waiting | End)


class NotAnExport(ValueError):
    """A file that is none of ours, or was damaged; the text says which line."""


def line(kind: str, **fields: Any) -> str:
    """One line of an export."""
    return json.dumps({"kind": kind, **fields}, separators=(",", ":"))


def check(lines: Iterable[bytes | str], verification: Verification) -> None:
    """Verify an export.

    Raises:
        NotAnExport: a line that cannot be read, or that stands where it cannot.
    """
    reader = Reader(verification)
    for text in lines:
        reader.feed(text)
    reader.finish()


class Reader:
    """Feeds a verification with lines."""

    def __init__(self, verification: Verification) -> None:
        self._verification = verification
        self._log: Log | None = None
        self._number = 0
        self._over = False

    def feed(self, text: bytes | str) -> None:
        """One line. Raises NotAnExport."""
        self._number += 1
        try:
            item = _DECODER.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise NotAnExport(f"Line {self._number} is none of an export's.") from None
        if self._over or (self._log is None) != isinstance(item, Log):
            raise NotAnExport(f"Line {self._number} stands where it cannot: an export is one log, from `log` to `end`.")
        if isinstance(item, Log):
            self._log = item
            self._verification.open(item.organization_id, item.first, item.previous, item.mark, complete=item.complete)
        elif isinstance(item, End):
            self._end(item)
        else:
            self._item(item)

    def finish(self) -> None:
        """After the last line. Raises NotAnExport when it was none."""
        if not self._over:
            raise NotAnExport(f"The file ends after line {self._number}, in the middle: it was cut. Fetch it anew.")

    def _item(self, item: Sealed | HeadLine | Waiting) -> None:
        if isinstance(item, HeadLine):
            self._verification.head(Head(**{name: getattr(item, name) for name in item.__struct_fields__}))
        elif isinstance(item, Waiting):
            self._verification.waiting(self._entry(item.entry))
        else:
            seal = Seal(item.sequence, item.hash, item.sealed_at, item.more)
            gone = bytes(item.entry) == b"null"
            self._verification.sealed(seal, None if gone else self._entry(item.entry))

    def _entry(self, raw: msgspec.Raw) -> Entry:
        entry = parsed(bytes(raw))
        if isinstance(entry, dict) and isinstance(entry.get("id"), int) and isinstance(entry.get("at"), str):
            return entry
        raise NotAnExport(f"Line {self._number} holds no entry.")

    def _end(self, item: End) -> None:
        self._over = True
        assert self._log is not None
        self._verification.close(self._log.as_of, item.sealed, item.waiting)

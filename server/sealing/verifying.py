"""Verification: walks a chain as it is found, and says in words where it was changed, cut, added to or moved. Pure.

It is fed one item after the other and remembers little, so that a log of any length can be checked. What the chain alone cannot
show (somebody who may change everything computes all hashes anew, or cuts the end) is shown by signed heads, best of all by
heads that were kept elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.sealing.chain import Entry, Seal, link
from server.sealing.heads import Head, is_genuine

LATE = timedelta(seconds=60)
"""A transaction lasts 10 s at most and the sealer comes every second: what is later than this did not come by itself."""
_SUSPECTS = 200
_FAR = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed: where, which kind of thing, and what it means."""

    sequence: int
    what: str
    text: str

    def __str__(self) -> str:
        return f"#{self.sequence}: {self.what}. {self.text}"


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An entry that does not fit its seal, and what the seal follows on."""

    seal: Seal
    entry: Entry
    previous: str
    number: int


class Verification:
    """One organisation's log, or a span of it. Feed it with open, then head and sealed in order, waiting, close."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey], kept: Iterable[Head] = (), *, trusted: bool) -> None:
        """
        Args:
            keys: public keys by their name.
            kept: heads that were kept outside the log.
            trusted: the keys were kept outside the log as well; else they only show that heads belong together.
        """
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.seals = self.unsealed = 0
        self.last = 0
        self._keys, self._trusted = keys, trusted
        self._kept = list(kept)
        self._heads: dict[int, list[Head]] = {}
        self._good = 0
        self._before: str | None = None
        self._previous: str | None = None
        self._time: datetime | None = None
        self._round: Seal | None = None
        self._shift = 0
        self._suspects: list[_Suspect] = []
        self._oldest = ""

    def open(self, organization_id: str, first: int, previous: str, mark: int, *, complete: bool = True) -> None:
        """Begin before the seal `first`.

        Args:
            mark: the entry id up to which the sealer says that everything is sealed.
            complete: this goes to the log's end; else it is a span that was asked for, and says nothing of what came later.
        """
        self._complete = complete
        self._organization_id, self._first, self._previous, self._mark = organization_id, first, previous, mark
        self.last = first - 1
        for head in self._kept:
            if head.organization_id == organization_id:
                self.head(head)

    def head(self, head: Head) -> None:
        """A head of this chain; comes before the seal that it speaks of."""
        key = self._keys.get(head.key_id)
        if head.organization_id != self._organization_id:
            self._find(head.sequence, "foreign head", "This head is another organisation's.")
        elif key is None and self._trusted:
            text = f"The head of {head.signed_at} is signed with key {head.key_id}, which is none of those you trust."
            self._find(head.sequence, "unknown signature", text)
        elif key is None:
            self.notes.append(f"The head at #{head.sequence} is signed with key {head.key_id}, which is not at hand.")
        elif not is_genuine(head, key):
            text = f"The head of {head.signed_at} was not signed as it stands: it was forged or changed."
            self._find(head.sequence, "forged head", text)
        else:
            self._heads.setdefault(head.sequence, []).append(head)

    def sealed(self, seal: Seal, entry: Entry | None) -> None:
        """A seal, and the entry that stands behind it; None where it is gone."""
        self.seals += 1
        if seal.sequence <= self.last:
            text = f"It stands after #{self.last}: the order was changed, or it is there twice."
            return self._find(seal.sequence, "moved", text)
        if seal.sequence > self.last + 1:
            self._find(self.last + 1, "deleted", _missing(self.last + 1, seal.sequence - 1))
            self._before = self._previous = None
        if self._round is not None and seal.sealed_at != self._round.sealed_at:
            self._time = None if self._round.more else _moment(self._round.sealed_at)
        if entry is None:
            self._find(seal.sequence, "deleted", "The entry is gone; only its seal is left.")
        elif self._previous is not None and not self._fits(seal, entry, self._previous, self._shift):
            self._puzzle(seal, entry, self._previous)
        else:
            self._time_of(seal, entry)
        self._before, self._previous, self.last = self._previous, seal.hash, seal.sequence
        self._round = seal
        for head in self._heads.pop(seal.sequence + self._shift, ()):
            self._compare(head, seal)
        return None

    def waiting(self, entry: Entry) -> None:
        """An entry without a seal."""
        self.unsealed += 1
        self._oldest = min(self._oldest or entry["at"], entry["at"])
        if entry["id"] <= self._mark:
            text = f"{_told(entry)} was never sealed, though the sealer had gone past it: it was put in afterwards."
            self._find(self.last + 1, "inserted", text)

    def close(self, as_of: str, sealed: int, waiting: int) -> None:
        """The end. `as_of`: when the log looked like this, and how many entries were read then."""
        for suspect in self._suspects:
            self._explain(suspect)
        for sequence in sorted(sequence for sequence in self._heads if sequence >= self._first):
            self._leftover(self._heads[sequence][0])
        if (sealed, waiting) != (self.seals, self.unsealed):
            text = (
                f"{sealed} sealed and {waiting} waiting entries were read; {self.seals} and {self.unsealed} are here."
            )
            self._find(self.last + 1, "cut or added to", text)
        if self.unsealed:
            self.notes.append(f"{self.unsealed} entries wait for their seal, the oldest since {self._oldest}.")
            oldest, now = _moment(self._oldest), _moment(as_of)
            if oldest and now and now - oldest > LATE:
                self.notes.append("That is longer than it should take: is a worker running?")
        if self.last > self._good and self.seals:
            text = "no signed head covers it; whoever owns the database could have written it anew."
            self.notes.append(f"#{max(self._good + 1, self._first)} to #{self.last}: {text}")
        self.findings.sort(key=lambda finding: finding.sequence)

    def _find(self, sequence: int, what: str, text: str) -> None:
        self.findings.append(Finding(sequence, what, text))

    def _fits(self, seal: Seal, entry: Entry, previous: str, shift: int) -> bool:
        return link(previous, seal.sequence + shift, seal.sealed_at, seal.more, entry) == seal.hash

    def _puzzle(self, seal: Seal, entry: Entry, previous: str) -> None:
        """It does not fit. Was the one before put in, or were some taken out and the rest renumbered? Else: later."""
        before = self._suspects[-1:]
        beside = before[0].seal.sequence == seal.sequence - 1 if before else False
        if self._before is not None and self._fits(seal, entry, self._before, self._shift - 1):
            self._shift -= 1
            self._suspects = self._suspects[:-1] if beside else self._suspects
            return self._find(
                seal.sequence - 1, "inserted", "It was put in: what stands around it was sealed as neighbours."
            )
        for gone in range(1, _FAR):
            if self._fits(seal, entry, previous, self._shift + gone):
                self._shift += gone
                first = seal.sequence - 1 if beside else seal.sequence
                self._suspects = self._suspects[:-1] if beside else self._suspects
                text = f"{gone} entries were taken out before it, and what follows was numbered anew."
                return self._find(first, "deleted", text)
        if len(self._suspects) < _SUSPECTS:
            return self._suspects.append(_Suspect(seal, entry, previous, seal.sequence + self._shift))
        return None

    def _explain(self, suspect: _Suspect) -> None:
        """Was it exchanged with another, or changed?"""
        seal, number = suspect.seal, suspect.number
        for other in self._suspects:
            if link(suspect.previous, number, seal.sealed_at, seal.more, other.entry) == seal.hash:
                text = f"What was sealed here stands at #{other.seal.sequence} now: the order was changed."
                return self._find(seal.sequence, "moved", text)
        text = f"{_told(suspect.entry)} does not match its seal: the entry or the seal was changed afterwards."
        return self._find(seal.sequence, "changed", text)

    def _time_of(self, seal: Seal, entry: Entry) -> None:
        at = _moment(str(entry.get("at")))
        if at is not None and self._time is not None and at < self._time - LATE:
            text = (
                f"{_told(entry)} was not there when the entries before it were sealed, at {self._time.isoformat()}: it was "
                "written later than it says (or the database's clock was set back)."
            )
            self._find(seal.sequence, "backdated", text)

    def _compare(self, head: Head, seal: Seal) -> None:
        if head.hash == seal.hash:
            self._good = max(self._good, seal.sequence)
            return
        first = max(self._good + 1, self._first)
        text = (
            f"The head of {head.signed_at} says otherwise of #{head.sequence}: something from #{first} to #{head.sequence} "
            "was changed, and the seals were computed anew."
        )
        self._find(first, "written anew", text)

    def _leftover(self, head: Head) -> None:
        if head.sequence > self.last + self._shift and not self._complete:
            return self.notes.append(f"The head at #{head.sequence} lies beyond this span and was not compared.")
        if head.sequence > self.last + self._shift:
            text = (
                f"The log ends with #{self.last}, but at {head.signed_at} it had come to #{head.sequence}: "
                f"{head.sequence - self.last} entries were cut off at its end."
            )
            return self._find(self.last + 1, "cut", text)
        return self._find(head.sequence, "deleted", f"The head of {head.signed_at} speaks of it, and it is not there.")


def _missing(first: int, last: int) -> str:
    return "It is missing." if first == last else f"#{first} to #{last} are missing."


def _told(entry: Mapping[str, Any]) -> str:
    """An entry in words."""
    who, what, when = (str(entry.get(name)) for name in ("actor_id", "operation", "at"))
    return f"Entry {entry.get('id')} ({what:.60} by {who:.40} at {when:.40})"


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None

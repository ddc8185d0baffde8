"""Positions: where a subscription begins, what follows a position, what of it one viewer may see (protocol.md §5, §11).

Pure. A position is an offset within an epoch; a stream is right when it goes on by one, always.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from server.gateway.ports import Grant, LogRow
from server.gateway.protocol import History, Publication, Subscribe


@dataclass(frozen=True, slots=True)
class Start:
    """Where a subscription begins: what comes after `position` is to be sent. `recovered`: nothing before it is missing."""

    position: int
    was_recovering: bool = False
    recovered: bool = False


def start(wish: Subscribe, grant: Grant, epoch: str, most: int) -> Start | None:
    """Judge a position. None: it cannot be continued from, and the client asked for an error then (112).

    `most`: events that one may be behind. Empty epoch and offset 0 mean the beginning, which is the floor.
    """
    if not wish.recover:
        return Start(grant.top)
    first = min(max(grant.floor - 1, 0), grant.top)
    position = first if wish.epoch == "" and wish.offset == 0 else wish.offset
    if wish.epoch in ("", epoch) and first <= position <= grant.top and grant.top - position <= most:
        return Start(position, was_recovering=True, recovered=True)
    return lost(wish, grant.top)


def lost(wish: Subscribe, top: int) -> Start | None:
    """The position cannot be continued from: begin at the top and say so, or None for error 112."""
    return None if wish.strict else Start(top, was_recovering=True)


def follow(position: int, *sources: Iterable[LogRow]) -> list[LogRow]:
    """The unbroken run of rows after a position, out of sources in any order, with repeats and holes."""
    rows = {row.offset: row for source in sources for row in source if row.offset > position}
    run = []
    while (row := rows.get(position + 1)) is not None:
        run.append(row)
        position += 1
    return run


def window(asked: History, grant: Grant, epoch: str, most: int) -> tuple[int, int] | None:
    """Which rows a page of the history holds: (after which offset, how many). None: its position is of another epoch (112).

    Nothing below the floor is in any page; `most`: rows that one page may hold.
    """
    if asked.since is not None and asked.since[1] not in ("", epoch):
        return None
    first = max(grant.floor, 1)
    count = most if asked.limit < 0 else min(asked.limit, most)
    if asked.reverse:
        last = grant.top if asked.since is None else min(asked.since[0] - 1, grant.top)
        after = max(first - 1, last - count)
    else:
        after = first - 1 if asked.since is None else max(asked.since[0], first - 1)
        last = min(after + count, grant.top)
    return after, max(0, last - after)


class View(Enum):
    """What one viewer gets of one row."""

    SEE = auto()
    VOID = auto()
    """Nothing to see, but the offset counts."""
    CUT = auto()
    """The viewer's membership ends with this row: neither it nor anything after it is theirs."""


class Viewer(Protocol):
    """Somebody who was granted a view of a channel."""

    @property
    def membership(self) -> str:
        """See Grant."""
        ...

    @property
    def audience(self) -> str:
        """See Grant."""
        ...

    @property
    def floor(self) -> int:
        """See Grant."""
        ...


def view(row: LogRow, viewer: Viewer) -> View:
    """What a viewer gets of a row (domain.md §2, floors; protocol.md §11, kicked)."""
    if viewer.membership in row.ends:
        return View.CUT
    if row.audience not in (None, viewer.audience):
        return View.VOID
    # A signal (offset 0) has no place of its own that could lie below the floor.
    if 0 < row.offset < viewer.floor or (row.target is not None and row.target < viewer.floor):
        return View.VOID
    return View.SEE


@dataclass(slots=True)
class Portion:
    """What goes out in one go while catching up: bounded, but never empty for want of room."""

    max_rows: int
    max_bytes: int
    publications: list[Publication] = field(default_factory=list)
    size: int = 0

    # What JSON puts around a publication, at most.
    _FRAME = 64

    def add(self, publication: Publication) -> bool:
        """Take it in, unless there is no room for it."""
        size = len(publication.data) + self._FRAME
        if self.publications and (len(self.publications) >= self.max_rows or self.size + size > self.max_bytes):
            return False
        self.publications.append(publication)
        self.size += size
        return True

    def too_much_to_come(self, rows: int, max_bytes: int) -> bool:
        """Whether so many rows more, of the size of these, would be more than one recovery carries."""
        return bool(self.publications) and self.size * (1 + rows / len(self.publications)) > max_bytes


def rows_to_ask(needed: list[int], budget: int, most: int) -> list[int]:
    """How many rows to read for each subscription, if each needs so many: not over `most` each nor `budget` in all."""
    wanted = [max(1, min(rows, most)) for rows in needed]
    total = sum(wanted)
    return wanted if total <= budget else [max(1, rows * budget // total) for rows in wanted]

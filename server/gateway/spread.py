"""Rows out: each is encoded once per codec and audience, and handed to all who listen; those whom it concerns are looked at one
by one. Rows that were written together reach each listener in one piece.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from server.gateway import protocol as p
from server.gateway.channels import Channel, Group, Subscription
from server.gateway.ports import Log, LogRow
from server.gateway.recovery import View, view
from server.gateway.settings import Counters

log = logging.getLogger(__name__)


class Spread:
    """The hub's way out. `end` ends a subscription and tells its client."""

    def __init__(self, source: Log, counters: Counters, end: Callable[[Subscription, p.EndCode], None]) -> None:
        self._log = source
        self._counters = counters
        self._end = end
        self._together: dict[Group, list[bytes]] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is taken meanwhile, without a wait, is handed to each listener in one piece."""
        self._together = {}
        try:
            yield
        finally:
            together, self._together = self._together, None
            for group, frames in together.items():
                group.push(b"".join(frames))

    def row(self, channel: Channel, row: LogRow) -> None:
        """Hand it to all who listen to the channel; whose membership ends with it hears no more."""
        seen: dict[str, bytes] = {}
        for group in list(channel.groups.values()):
            audience = group.audience
            shown = row.audience in (None, audience)
            if shown and audience not in seen:
                seen[audience] = self.publication(row, audience)
            if row.ends or (shown and not _above_floor(row, group.floor)):
                self._one_by_one(group, row, seen.get(audience, b""))
            elif shown or row.offset:
                self._to_all(group, seen[audience] if shown else None, row)

    def _to_all(self, group: Group, data: bytes | None, row: LogRow) -> None:
        frame = self._frame(group, data, row)
        if self._together is None:
            group.push(frame)
        else:
            self._together.setdefault(group, []).append(frame)
        self._counters.deliveries += len(group.members)

    def _frame(self, group: Group, data: bytes | None, row: LogRow) -> bytes:
        if data is None:
            self._counters.voids += 1
            return group.codec.frame(p.Publish(group.name, p.Publication(self._log.void(), row.offset)))
        return group.codec.frame(p.Publish(group.name, p.Publication(data, row.offset, row.info)))

    def _one_by_one(self, group: Group, row: LogRow, data: bytes) -> None:
        if self._together and group in self._together:
            group.push(b"".join(self._together.pop(group)))
        frames: dict[View, bytes] = {}
        for member in list(group.members):
            sees = view(row, member)
            if sees is View.CUT:
                self._end(member, p.EndCode.REMOVED)
            elif sees is View.SEE or row.offset:
                if sees not in frames:
                    frames[sees] = self._frame(group, data if sees is View.SEE else None, row)
                member.listener.outbox.push(frames[sees])
                self._counters.deliveries += 1

    def publication(self, row: LogRow, audience: str | None) -> bytes:
        """The row for one audience, or for nobody (None); where the log cannot say it, a void, and an alarm."""
        if audience is None:
            return self._log.void()
        try:
            return self._log.publication(row, audience)
        except Exception:
            self._counters.unreadable += 1
            log.exception("event %d of channel %s cannot be read; a void goes out in its place", row.offset, row.key)
            return self._log.void()


def _above_floor(row: LogRow, floor: int) -> bool:
    """Whether nobody with a floor up to this one needs to be looked at one by one."""
    return (row.offset == 0 or row.offset >= floor) and (row.target is None or row.target >= floor)

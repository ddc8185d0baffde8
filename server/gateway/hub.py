"""The hub: a row comes in once and goes out to every subscription, in order, without a hole, encoded once per group.

The bus may lose, double or reorder; the log never does. So a row that does not follow on the last one waits until the log
has told what lies between, and everything else about delivery can rely on the order (design.md, fan out).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context

from server import metrics
from server.ending import end
from server.gateway import protocol as p
from server.gateway.channels import Channel, Channels, Group, Subscription
from server.gateway.ports import Log, LogRow
from server.gateway.reads import Reads
from server.gateway.recovery import follow
from server.gateway.settings import Counters, GatewaySettings
from server.gateway.spread import Spread
from server.ids import now

log = logging.getLogger(__name__)

_RETRY = (0.1, 0.3, 1.0)


class Hub:
    """Delivers rows. `on_row` is told of every new row of any channel listened to."""

    def __init__(
        self, source: Log, channels: Channels, reads: Reads, settings: GatewaySettings, counters: Counters
    ) -> None:
        self.on_row: Callable[[Channel], None] = lambda channel: None
        self.on_change: Callable[[Subscription, int], None] = lambda subscription, change: None
        """Called with 1 when a subscription begins, with -1 when it ends."""
        self.epoch = ""
        self.spread = Spread(source, counters, self.end)
        self._log = source
        self._channels = channels
        self._reads = reads
        self._settings = settings
        self._counters = counters
        self._fresh: list[float] = []
        self._gaps: dict[Channel, None] = {}
        self._repair: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """End the repair that may be under way."""
        await end(self._repair)

    # Rows in

    def receive(self, channel: Channel, payload: bytes) -> None:
        """A message on a channel's topic."""
        try:
            row = self._log.decode(channel.key, payload)
        except ValueError:
            # Whatever it was, the log knows it better.
            self._counters.malformed += 1
            self._look(channel)
        else:
            self.take(channel, row)

    def take(self, channel: Channel, row: LogRow) -> None:
        """A row of a channel, from wherever it was heard of."""
        if row.offset == 0:
            self._signal(channel, row)
        elif not channel.followed:
            self.notice(channel, row.offset)
        elif row.offset == channel.last + 1:
            self._deliver(channel, row)
            if channel.held:
                self.absorb(channel, ())
        elif row.offset <= channel.last:
            self._counters.duplicates += 1
        else:
            self._counters.gaps += 1
            if len(channel.held) < self._settings.ring_rows:
                channel.held[row.offset] = row
            self._behind(channel, row.offset)

    def notice(self, channel: Channel, offset: int) -> None:
        """There is a row up to this offset: read what is missing, or, where only badges depend on it, say so."""
        if offset <= channel.last:
            return
        if channel.followed:
            self._behind(channel, offset)
        else:
            channel.last = offset
            self.on_row(channel)

    def absorb(self, channel: Channel, rows: Sequence[LogRow]) -> None:
        """Rows that were read, with those held: deliver what follows on the last one."""
        for row in follow(channel.last, rows, channel.held.values()):
            self._deliver(channel, row)
        channel.held = {offset: row for offset, row in channel.held.items() if offset > channel.last}

    # Subscriptions

    def enter(self, subscription: Subscription, top: int) -> bool:
        """A granted subscription: from now on the rows that it may need are kept. `top` is the grant's. Returns whether
        it is the first one: then nobody was listening between the grant and now, and the log must be read."""
        channel, first = subscription.channel, not subscription.channel.followed
        if first:
            channel.last = top
            channel.held = {}
        if channel.ring is None:
            channel.ring = deque(maxlen=self._settings.ring_rows)
        channel.catching.add(subscription)
        self._count(subscription, 1)
        self.on_change(subscription, 1)
        self.notice(channel, top)
        return first

    def go_live(self, subscription: Subscription) -> bool:
        """Join the live ones, if it stands exactly where they do."""
        channel, progress = subscription.channel, subscription.progress
        if progress is None or progress.position != channel.last or subscription not in channel.catching:
            return False
        channel.catching.discard(subscription)
        self._tidy(channel)
        codec = subscription.listener.codec
        kind = (codec, subscription.name, subscription.audience)
        group = channel.groups.setdefault(kind, Group(*kind))
        group.members.add(subscription)
        group.floor = max(group.floor, subscription.floor)
        subscription.group, subscription.progress = group, None
        return True

    def leave(self, subscription: Subscription) -> None:
        """End a subscription, live or not; nothing more goes out for it. The client is told by others, if at all."""
        channel, group = subscription.channel, subscription.group
        if group is None:
            channel.catching.remove(subscription)
        else:
            group.members.remove(subscription)
            if not group.members:
                del channel.groups[group.codec, group.name, group.audience]
        self._count(subscription, -1)
        self._tidy(channel)
        self.on_change(subscription, -1)
        self._channels.release(channel)

    def end(self, subscription: Subscription, code: p.EndCode) -> None:
        """End a subscription and tell the client."""
        self.leave(subscription)
        if code is p.EndCode.REMOVED:
            self._counters.cuts += 1
        else:
            self._counters.resets += 1
        subscription.listener.ended(subscription, code)

    def reset(self, channels: Iterable[Channel]) -> None:
        """Positions in these channels mean nothing any more: every subscription begins anew."""
        for channel in channels:
            channel.last = 0
            for subscription in channel.subscriptions():
                self.end(subscription, p.EndCode.INSUFFICIENT_STATE)

    def _count(self, subscription: Subscription, change: int) -> None:
        kind, kinds = (subscription.listener.codec.name, subscription.audience), self._counters.by_kind
        kinds[kind] = kinds.get(kind, 0) + change

    def _tidy(self, channel: Channel) -> None:
        if not channel.catching:
            channel.ring = None
        if not channel.followed:
            channel.held = {}
            self._gaps.pop(channel, None)

    # Rows out

    def _deliver(self, channel: Channel, row: LogRow) -> None:
        channel.last = row.offset
        if channel.ring is not None:
            channel.ring.append(row)
        self.spread.row(channel, row)
        if row.written and channel.groups:
            self._time(row.written)
        self.on_row(channel)

    def _time(self, written: float) -> None:
        """Time it once what was pushed is written to the sockets: that is the next thing the loop does."""
        self._fresh.append(written)
        if len(self._fresh) == 1:
            asyncio.get_running_loop().call_soon(self._timed)

    def _timed(self) -> None:
        fresh, self._fresh, moment = self._fresh, [], now().timestamp()
        for written in fresh:
            metrics.FANOUT_SECONDS.observe(max(0.0, moment - written))

    def _signal(self, channel: Channel, row: LogRow) -> None:
        if not channel.groups:
            return
        if row.after > channel.last:
            # Somebody may have been removed in between: it comes too early, and it is not worth keeping.
            self._behind(channel, row.after)
            return
        self.spread.row(channel, row)

    # Gaps

    def _look(self, channel: Channel) -> None:
        """Something happened there that only the log can tell."""
        if channel.followed:
            self._behind(channel, channel.last + 1)
        else:
            self.on_row(channel)

    def _behind(self, channel: Channel, offset: int) -> None:
        """Something up to `offset` is missing: read it, unless that is too much."""
        if offset - channel.last > self._settings.recover_events:
            self.reset([channel])
            return
        self._gaps[channel] = None
        if self._repair is None or self._repair.done():
            # Whoever's task noticed it, the log's lines about it are about nobody in particular.
            self._repair = asyncio.get_running_loop().create_task(self._close_gaps(), context=Context())

    async def _close_gaps(self) -> None:
        """Read on behind `last`, for all channels with gaps at once, until nothing is missing."""
        page = self._settings.reply_publications
        failures = 0
        while self._gaps:
            batch, self._gaps = list(self._gaps), {}
            before = [channel.last for channel in batch]
            try:
                pages = await self._reads.since([(channel.key, channel.last, page) for channel in batch])
            except Exception as error:
                if not failures:
                    log.warning("the log cannot be read, gaps stay open until it can: %s", type(error).__name__)
                self._gaps |= dict.fromkeys(channel for channel in batch if channel.followed)
                await asyncio.sleep(_RETRY[min(failures, len(_RETRY) - 1)])
                failures += 1
                continue
            failures = 0
            for channel, last, rows in zip(batch, before, pages, strict=True):
                self._repaired(channel, last, rows, len(rows) == page)

    def _repaired(self, channel: Channel, before: int, rows: Sequence[LogRow], full: bool) -> None:
        if not channel.followed:
            return
        self.absorb(channel, rows)
        self._counters.gaps_repaired += len(rows)
        if rows and channel.last == before and rows[0].offset > before + 1:
            log.warning("channel %s has lost its older events: its subscriptions begin anew", channel.key)
            self.reset([channel])
        elif full or (channel.held and rows):
            # More to come. With nothing read the log is behind what was heard: the next tops check asks again.
            self._gaps[channel] = None

"""One connection's subscriptions on their way: judged together, read together, answered one by one, then live.

The order of protocol.md §5: register with the hub, which keeps the rows from then on, then read the log, then answer, then
send what is left in portions as the reader takes them, then go live; nothing missing, nothing twice. A grant comes first,
because only it says which channel a name means. Everything that waits goes into one call of the Policy and one read of the
log, whatever the number of channels.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from server.errors import TokenExpired, Unauthorized, Unavailable, WarmlineError
from server.gateway import protocol as p
from server.gateway import recovery
from server.gateway.channels import Listener, Progress, Subscription
from server.gateway.connection import Connection
from server.gateway.effects import Effect, as_subscribe_error
from server.gateway.parts import Parts
from server.gateway.ports import Grant, LogRow, Renewed

log = logging.getLogger(__name__)

_SLACK = 16
"""Rows asked for beyond the known top: what is written meanwhile."""

_UNAVAILABLE = Unavailable("Subscribing failed. Try again.")


class Subscribing:
    """`perform` does what the connection's machine answers."""

    __slots__ = ("_asked", "_catching", "_connection", "_listener", "_parts", "_perform", "_standing", "_task")

    def __init__(
        self, listener: Listener, connection: Connection, perform: Callable[[Sequence[Effect]], None], parts: Parts
    ) -> None:
        self._listener = listener
        self._connection = connection
        self._perform = perform
        self._parts = parts
        self._asked: dict[str, None] = {}
        self._catching: dict[str, Subscription] = {}
        self._standing: dict[str, Subscription] = {}
        self._task: asyncio.Task[None] | None = None

    def has(self, key: str) -> bool:
        """Whether there is a subscription to that channel, live or not yet."""
        return any(subscription.channel.key == key for subscription in self._standing.values())

    def begin(self, name: str) -> None:
        """Start a subscription; the connection knows what is wished."""
        self._asked[name] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, name: str) -> None:
        """Stop a subscription, wherever it is on its way."""
        self._asked.pop(name, None)
        subscription = self._standing.get(name)
        if subscription is not None:
            self.forget(subscription)
            self._parts.hub.leave(subscription)

    def forget(self, subscription: Subscription) -> None:
        """The hub has ended it."""
        self._catching.pop(subscription.name, None)
        self._standing.pop(subscription.name, None)

    def stop(self) -> None:
        """The connection is over."""
        if self._task is not None:
            self._task.cancel()
        self._asked.clear()
        for subscription in list(self._standing.values()):
            self.forget(subscription)
            self._parts.hub.leave(subscription)

    async def _run(self) -> None:
        try:
            while self._asked or self._catching:
                if self._asked:
                    await self._judge()
                if self._catching:
                    await self._read()
                    if self._catching:
                        self._listener.outbox.flush()
                        await self._listener.outbox.writer.drained()
        except Exception:
            log.exception("a connection's subscriptions failed")
            self._perform(self._connection.close(p.CloseCode.SERVER_ERROR))

    # Step one: may they?

    async def _judge(self) -> None:
        wishes = [(name, self._connection.wish(name)) for name in self._asked]
        self._asked.clear()
        asked = [(name, wish.token) for name, wish in wishes if wish is not None]
        assert self._connection.admission is not None
        answers: Sequence[Grant | WarmlineError]
        try:
            answers = await self._parts.policy.subscribe(
                self._connection.admission.identity, self._connection.client, asked
            )
        except WarmlineError as error:
            answers = [error] * len(asked)
        except Exception:
            log.exception("subscriptions could not be judged")
            answers = [_UNAVAILABLE] * len(asked)
        for (name, _), answer in zip(asked, answers, strict=True):
            wish = self._connection.wish(name)
            if wish is None or name in self._asked:
                continue  # meanwhile given up, or asked for anew
            if isinstance(answer, Unauthorized) and not isinstance(answer, TokenExpired):
                self._perform(self._connection.close(p.CloseCode.INVALID_TOKEN))
            elif isinstance(answer, WarmlineError):
                self._deny(name, as_subscribe_error(answer))
            else:
                self._enter(name, wish, answer)

    def _enter(self, name: str, wish: p.Subscribe, grant: Grant) -> None:
        if not self._parts.knows(grant.epoch):
            self._deny(name, as_subscribe_error(Renewed()))
            return
        start = recovery.start(wish, grant, self._parts.hub.epoch, self._parts.settings.recover_events)
        if start is None:
            self._unrecoverable(name)
            return
        channel = self._parts.channels.open(grant.key)
        progress = Progress(start, grant.top, start.position)
        subscription = Subscription(
            self._listener, name, channel, grant.membership, grant.audience, grant.floor, progress,
            info=grant.info, joins=grant.joins or wish.joins, ttl=grant.ttl,
        )  # fmt: skip
        self._standing[name] = self._catching[name] = subscription
        first = self._parts.hub.enter(subscription, grant.top)
        if not first and self._go_live(subscription):
            self._answer(name, start, [])

    def _go_live(self, subscription: Subscription) -> bool:
        live = self._parts.hub.go_live(subscription)
        if live:
            del self._catching[subscription.name]
        return live

    def _deny(self, name: str, error: p.Error) -> None:
        self.leave(name)
        self._perform(self._connection.denied(name, error))

    def _unrecoverable(self, name: str) -> None:
        self._parts.counters.unrecovered += 1
        self._deny(name, p.Error(p.ErrorCode.UNRECOVERABLE_POSITION, "unrecoverable position"))

    # Step two: what did they miss?

    async def _read(self) -> None:
        catching = [(one, one.progress) for one in self._catching.values() if one.progress is not None]
        froms = [min(progress.position, one.channel.last) for one, progress in catching]
        needed = []
        for (one, progress), after in zip(catching, froms, strict=True):
            missing = max(progress.top, one.channel.last) - after + _SLACK
            needed.append(min(missing, 2 * progress.portion or missing))
        limits = recovery.rows_to_ask(needed, self._parts.settings.read_rows, self._parts.settings.reply_publications)
        wanted = [(one.channel.key, after, n) for (one, _), after, n in zip(catching, froms, limits, strict=True)]
        try:
            pages = await self._parts.reads.since(wanted)
        except Exception as error:
            log.warning("a recovery could not be read: %s", type(error).__name__)
            for one, progress in catching:
                self._failed(one, progress)
            return
        for (one, progress), rows in zip(catching, pages, strict=True):
            if self._standing.get(one.name) is one:
                before = one.channel.last
                self._parts.hub.absorb(one.channel, rows)
                self._advance(one, progress, rows, one.channel.last > before)

    def _failed(self, subscription: Subscription, progress: Progress) -> None:
        if self._standing.get(subscription.name) is not subscription:
            return
        if progress.answered:
            self._parts.hub.end(subscription, p.EndCode.INSUFFICIENT_STATE)
        else:
            self._deny(subscription.name, as_subscribe_error(_UNAVAILABLE))

    def _advance(self, subscription: Subscription, progress: Progress, rows: Sequence[LogRow], moved: bool) -> None:
        """Send on what was read, as much of it as goes in one portion; go live when nothing is left. `moved`: the
        channel itself learned something from these rows."""
        channel, settings = subscription.channel, self._parts.settings
        run = recovery.follow(progress.position, rows, channel.ring or ())
        portion, cut = self._portion(subscription, run)
        if not (run or moved or progress.position == channel.last):
            self._stuck(subscription, progress)
            return
        left = channel.last - progress.position - len(portion.publications)
        if not (cut or progress.answered) and portion.too_much_to_come(left, settings.recover_bytes):
            self._give_up(subscription, progress)
            return
        progress.portion = len(portion.publications)
        progress.position += progress.portion
        progress.rows += progress.portion
        progress.size += portion.size
        self._send(subscription.name, progress, portion.publications)
        if cut:
            self._parts.hub.end(subscription, p.EndCode.REMOVED)
        elif not self._go_live(subscription) and (
            progress.rows > 2 * settings.recover_events or progress.size > 2 * settings.recover_bytes
        ):
            # It grew while we sent. The client comes back with the position it has got to.
            self._parts.hub.end(subscription, p.EndCode.INSUFFICIENT_STATE)

    def _portion(self, subscription: Subscription, run: Sequence[LogRow]) -> tuple[recovery.Portion, bool]:
        portion = recovery.Portion(self._parts.settings.reply_publications, self._parts.settings.reply_bytes)
        for row in run:
            sees = recovery.view(row, subscription)
            if sees is recovery.View.CUT:
                return portion, True
            seen = sees is recovery.View.SEE
            data = self._parts.hub.spread.publication(row, subscription.audience if seen else None)
            if not portion.add(p.Publication(data, row.offset, row.info if seen else None)):
                break
        return portion, False

    def _stuck(self, subscription: Subscription, progress: Progress) -> None:
        """The log does not go on where it should: its older rows are gone, or it is behind itself."""
        if not progress.answered and progress.start.recovered:
            self._give_up(subscription, progress)
        else:
            self._failed(subscription, progress)

    def _give_up(self, subscription: Subscription, progress: Progress) -> None:
        """It cannot be continued from there, or is too far behind: begin at the top instead."""
        wish = self._connection.wish(subscription.name)
        assert wish is not None
        start = recovery.lost(wish, progress.top)
        if start is None:
            self._unrecoverable(subscription.name)
            return
        progress.start, progress.position, progress.answered = start, start.position, True
        self._answer(subscription.name, start, [])
        self._go_live(subscription)

    # Step three: tell them

    def _send(self, name: str, progress: Progress, publications: list[p.Publication]) -> None:
        if not progress.answered:
            progress.answered = True
            in_reply = publications if progress.start.recovered else []
            self._answer(name, progress.start, in_reply)
            if in_reply:
                return
        outbox, codec = self._listener.outbox, self._listener.codec
        for publication in publications:
            outbox.push(codec.frame(p.Publish(name, publication)))

    def _answer(self, name: str, start: recovery.Start, publications: list[p.Publication]) -> None:
        counters = self._parts.counters
        counters.recoveries += start.recovered
        counters.unrecovered += start.was_recovering and not start.recovered
        subscription = self._standing[name]
        result = p.SubscribeResult(
            True, self._parts.hub.epoch, start.position, start.was_recovering, start.recovered, tuple(publications),
            subscription.ttl,
        )  # fmt: skip
        self._perform(self._connection.subscribed(name, result, asyncio.get_running_loop().time()))
        if self._standing.get(name) is subscription:  # of a personal channel, more than the answer may have followed
            self._parts.presence.joined(subscription)

"""One connection's subscriptions on their way: judged together, read together, answered one by one, then live.

The order of protocol.md §5: register with the hub, which keeps the rows from then on, then read the log, then answer, then
send what is left in portions as the reader takes them, then go live; nothing missing, nothing twice. A grant comes first,
because only it says which channel a name means. Everything that waits goes into one call of the Policy and one read of the
log, whatever the number of channels.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from server.errors import Unavailable, WarmlineError
from server.gateway import protocol as p
from server.gateway import recovery
from server.gateway.channels import Channels, Listener, Subscription
from server.gateway.connection import Connection
from server.gateway.effects import Effect, as_subscribe_error
from server.gateway.hub import Hub
from server.gateway.ports import Grant, LogRow, Policy
from server.gateway.reads import Reads
from server.gateway.settings import Counters, GatewaySettings

log = logging.getLogger(__name__)

_SLACK = 16
"""Rows asked for beyond the known top: what is written meanwhile."""

_UNAVAILABLE = Unavailable("Subscribing failed. Try again.")


class Subscribing:
    """`perform` does what the connection's machine answers."""

    def __init__(
        self,
        listener: Listener,
        connection: Connection,
        perform: Callable[[Sequence[Effect]], None],
        policy: Policy,
        hub: Hub,
        channels: Channels,
        reads: Reads,
        settings: GatewaySettings,
        counters: Counters,
    ) -> None:
        self._listener = listener
        self._connection = connection
        self._perform = perform
        self._policy = policy
        self._hub = hub
        self._channels = channels
        self._reads = reads
        self._settings = settings
        self._counters = counters
        self._asked: dict[str, None] = {}
        self._catching: dict[str, Subscription] = {}
        self._standing: dict[str, Subscription] = {}
        self._task: asyncio.Task[None] | None = None

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
            self._hub.leave(subscription)

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
            self._hub.leave(subscription)

    async def _run(self) -> None:
        while self._asked or self._catching:
            if self._asked:
                await self._judge()
            if self._catching:
                await self._read()
                if self._catching:
                    self._listener.outbox.flush()
                    await self._listener.outbox.writer.drained()

    # Step one: may they?

    async def _judge(self) -> None:
        names = list(self._asked)
        self._asked.clear()
        assert self._connection.admission is not None
        answers: Sequence[Grant | WarmlineError]
        try:
            answers = await self._policy.subscribe(self._connection.admission.identity, names)
        except WarmlineError as error:
            answers = [error] * len(names)
        except Exception:
            log.exception("subscriptions could not be judged")
            answers = [_UNAVAILABLE] * len(names)
        for name, answer in zip(names, answers, strict=True):
            wish = self._connection.wish(name)
            if wish is None or name in self._asked:
                continue  # meanwhile given up, or asked for anew
            if isinstance(answer, WarmlineError):
                self._deny(name, as_subscribe_error(answer))
            else:
                self._enter(name, wish, answer)

    def _enter(self, name: str, wish: p.Subscribe, grant: Grant) -> None:
        start = recovery.start(wish, grant, self._hub.epoch, self._settings.recover_events)
        if start is None:
            self._unrecoverable(name)
            return
        channel = self._channels.open(grant.key)
        subscription = Subscription(self._listener, name, grant, channel, start, start.position)
        self._standing[name] = self._catching[name] = subscription
        first = self._hub.enter(subscription)
        if not first and self._hub.go_live(subscription):
            self._answer(subscription, [])
            del self._catching[name]

    def _deny(self, name: str, error: p.Error) -> None:
        self.leave(name)
        self._perform(self._connection.denied(name, error))

    def _unrecoverable(self, name: str) -> None:
        self._counters.unrecovered += 1
        self._deny(name, p.Error(p.ErrorCode.UNRECOVERABLE_POSITION, "unrecoverable position"))

    # Step two: what did they miss?

    async def _read(self) -> None:
        subscriptions = list(self._catching.values())
        froms = [min(one.position, one.channel.last) for one in subscriptions]
        tops = [max(one.grant.top, one.channel.last) for one in subscriptions]
        needed = [
            min(top - after + _SLACK, 2 * one.portion or top - after + _SLACK)
            for one, after, top in zip(subscriptions, froms, tops, strict=True)
        ]
        limits = recovery.rows_to_ask(needed, self._settings.read_rows, self._settings.reply_publications)
        wanted = [(one.channel.key, a, n) for one, a, n in zip(subscriptions, froms, limits, strict=True)]
        try:
            pages = await self._reads.since(wanted)
        except Exception as error:
            log.warning("a recovery could not be read: %s", type(error).__name__)
            for subscription in subscriptions:
                self._failed(subscription)
            return
        for subscription, rows in zip(subscriptions, pages, strict=True):
            if self._standing.get(subscription.name) is subscription:
                before = subscription.channel.last
                self._hub.absorb(subscription.channel, rows)
                self._advance(subscription, rows, subscription.channel.last > before)

    def _failed(self, subscription: Subscription) -> None:
        if self._standing.get(subscription.name) is not subscription:
            return
        if subscription.answered:
            self._hub.end(subscription, p.EndCode.INSUFFICIENT_STATE)
        else:
            self._deny(subscription.name, as_subscribe_error(_UNAVAILABLE))

    def _advance(self, subscription: Subscription, rows: Sequence[LogRow], moved: bool) -> None:
        """Send on what was read, as much of it as goes in one portion; go live when nothing is left. `moved`: the
        channel itself learned something from these rows."""
        channel = subscription.channel
        run = recovery.follow(subscription.position, rows, channel.ring or ())
        portion, cut = self._portion(subscription, run)
        if not (run or moved or subscription.position == channel.last):
            self._stuck(subscription)
            return
        left = channel.last - subscription.position - len(portion.publications)
        if not (cut or subscription.answered) and portion.too_much_to_come(left, self._settings.recover_bytes):
            self._give_up(subscription)
            return
        subscription.position += len(portion.publications)
        subscription.portion = len(portion.publications)
        subscription.sent_rows += len(portion.publications)
        subscription.sent_bytes += portion.size
        self._send(subscription, portion.publications)
        if cut:
            self._hub.end(subscription, p.EndCode.REMOVED)
        elif self._hub.go_live(subscription):
            del self._catching[subscription.name]
        elif (
            subscription.sent_rows > 2 * self._settings.recover_events
            or subscription.sent_bytes > 2 * self._settings.recover_bytes
        ):
            # It grew while we sent. The client comes back with the position it has got to.
            self._hub.end(subscription, p.EndCode.INSUFFICIENT_STATE)

    def _portion(self, subscription: Subscription, run: Sequence[LogRow]) -> tuple[recovery.Portion, bool]:
        grant = subscription.grant
        portion = recovery.Portion(self._settings.reply_publications, self._settings.reply_bytes)
        for row in run:
            sees = recovery.view(row, grant)
            if sees is recovery.View.CUT:
                return portion, True
            data = self._hub.publication(row, grant.audience if sees is recovery.View.SEE else None)
            if not portion.add(p.Publication(data, row.offset)):
                break
        return portion, False

    def _stuck(self, subscription: Subscription) -> None:
        """The log does not go on where it should: its older rows are gone, or it is behind itself."""
        if not subscription.answered and subscription.start.recovered:
            self._give_up(subscription)
        else:
            self._failed(subscription)

    def _give_up(self, subscription: Subscription) -> None:
        """It cannot be continued from there, or is too far behind: begin at the top instead."""
        wish = self._connection.wish(subscription.name)
        assert wish is not None
        start = recovery.lost(wish, subscription.grant)
        if start is None:
            self._unrecoverable(subscription.name)
            return
        subscription.start, subscription.position = start, start.position
        self._answer(subscription, [])
        if self._hub.go_live(subscription):
            del self._catching[subscription.name]

    # Step three: tell them

    def _send(self, subscription: Subscription, publications: list[p.Publication]) -> None:
        if not subscription.answered:
            in_reply = publications if subscription.start.recovered else []
            self._answer(subscription, in_reply)
            if in_reply:
                return
        outbox, codec = self._listener.outbox, self._listener.codec
        for publication in publications:
            outbox.push(codec.frame(p.Publish(subscription.name, publication)))

    def _answer(self, subscription: Subscription, publications: list[p.Publication]) -> None:
        start = subscription.start
        subscription.answered = True
        self._counters.recoveries += start.recovered
        self._counters.unrecovered += start.was_recovering and not start.recovered
        result = p.SubscribeResult(
            True, self._hub.epoch, start.position, start.was_recovering, start.recovered, tuple(publications)
        )
        now = asyncio.get_running_loop().time()
        self._perform(self._connection.subscribed(subscription.name, result, now))

"""The driver of one connection: does what its state machine says, and tells it how it went. It decides nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from functools import partial
from random import random

from server import metrics
from server.errors import Unavailable, WarmlineError
from server.gateway import protocol as p
from server.gateway import questions
from server.gateway.calls import Calls, Job, Then
from server.gateway.channels import Subscription
from server.gateway.connection import Connection
from server.gateway.doors import Knock
from server.gateway.effects import Admit, Ask, Begin, Call, Close, Effect, Leave, Renew, Say, as_error
from server.gateway.outbox import Outbox, Writer
from server.gateway.parts import Parts
from server.gateway.subscribing import Subscribing
from server.ids import random_token

log = logging.getLogger(__name__)

_ROUNDED = 0.001
"""uvloop's timers go by whole milliseconds and may be early by half of one: the tick came in vain, and again at once until it
was time. With 10,000 connections that was most of what an idle gateway did."""


class Driver:
    """A Listener, from the handshake to the end."""

    __slots__ = (
        "_calls",
        "_connection",
        "_entered",
        "_knock",
        "_loop",
        "_over",
        "_parts",
        "_subscribing",
        "_timer",
        "_timer_at",
        "began",
        "codec",
        "draining",
        "outbox",
        "person",
    )

    def __init__(self, parts: Parts, writer: Writer, codec: p.Codec, knock: Knock | None = None) -> None:
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(random_token(), parts.settings, self._loop.time(), random())
        self._calls = Calls(parts.settings, parts.tasks)
        self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.codec = codec
        self.draining = False
        self.outbox = Outbox(writer, parts.flusher, parts.settings.outbox_limit, self._too_slow)
        self._knock = knock
        self._entered = ""
        self.person = ""
        self.began = 0.0
        self._subscribing = Subscribing(self, self._connection, self._perform, parts)
        parts.counters.connections += 1
        self._arm()

    @property
    def reference(self) -> str:
        """Its random id, which the client knows as well."""
        return self._connection.client

    @property
    def admitted(self) -> bool:
        """Whether the client is in, so that no message of its has to be waited for any more."""
        return self._connection.admission is not None

    async def receive(self, data: bytes) -> None:
        """One message from the client. Returns when the next may be taken: at once, unless it held a connect command."""
        effects = self._heard(data)
        if effects and isinstance(effects[-1], Admit):
            effects = await self._admit(effects[-1])
        self._perform(effects)

    def take(self, data: bytes) -> None:
        """One message from a client that is `admitted`. No command brings the machine's deadline forward."""
        self._carry_out(self._heard(data))

    def _heard(self, data: bytes) -> list[Effect]:
        if self.draining or self._connection.closed:
            return []
        commands = self.codec.decode(data, self._parts.settings.max_command)
        self._parts.counters.commands += len(commands)
        self._parts.counters.bad_frames += isinstance(commands[-1], p.Malformed)
        return self._connection.receive(commands, self._loop.time())

    def close(self, code: p.CloseCode) -> None:
        """Close it, behind everything that was said."""
        self._perform(self._connection.close(code))

    async def drain(self, patience: float) -> None:
        """Take no more commands, let those under way finish, close with 3001."""
        self.draining = True
        try:
            async with asyncio.timeout(patience):
                await self._calls.finished()
        except TimeoutError:
            pass
        self.close(p.CloseCode.SHUTDOWN)

    def release(self) -> None:
        """It is over: let go of everything. Operations that have begun are finished, for nobody to hear."""
        if self._over:
            return
        self._over = True
        if not self._connection.closed:
            metrics.CLOSED.labels("client").inc()
        if self._timer is not None:
            self._timer.cancel()
        self._known()
        if self._entered:
            self._parts.doors.left(self._entered)
        self._calls.forget()
        self._subscribing.stop()
        self._parts.watch.left(self)
        self._parts.counters.connections -= 1

    # What the hub and the watch say

    def subscribed(self, key: str) -> bool:
        """See Listener."""
        return self._subscribing.has(key)

    def hint(self, data: bytes) -> None:
        """See Listener."""
        admission = self._connection.admission
        assert admission is not None
        if admission.personal:
            self._say(p.Publish(admission.personal, p.Publication(data)))

    def signed_out(self) -> None:
        """See Listener."""
        self.close(p.CloseCode.SIGNED_OUT)

    def ended(self, subscription: Subscription, code: p.EndCode) -> None:
        """See Listener."""
        self._subscribing.forget(subscription)
        if subscription.progress is None or subscription.progress.answered:
            self._perform(self._connection.ended(subscription.name, code))
        else:
            again = p.Error(p.ErrorCode.INTERNAL, "The channel's log has changed. Subscribe again.", True)
            self._perform(self._connection.denied(subscription.name, again))

    # What the machine says

    def _perform(self, effects: Sequence[Effect]) -> None:
        self._carry_out(effects)
        self._arm()

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say():
                    self._say(effect.message)
                case Call():
                    self._begin(effect.id, effect.data, partial(self._call, effect), partial(self._called, effect.id))
                case Ask():
                    data = effect.question.data if isinstance(effect.question, p.PublishRequest) else b""
                    self._begin(effect.question.id, data, partial(self._ask, effect.question))
                case Begin():
                    self._subscribing.begin(effect.channel)
                case Leave():
                    self._subscribing.leave(effect.channel)
                case Renew():
                    self._begin(effect.id, b"", partial(self._renew, effect))
                case _:
                    assert isinstance(effect, Close)  # Admit is dealt with where it comes from
                    self._end(effect.code)

    def _say(self, message: p.Message) -> None:
        if not self._over:
            self.outbox.push(self.codec.frame(message))

    def _end(self, code: p.CloseCode) -> None:
        log.debug("a connection is closed", extra={"code": int(code)})
        metrics.CLOSED.labels(str(int(code))).inc()
        if code is p.CloseCode.TOO_MANY_REQUESTS:
            metrics.LIMITED.labels("commands").inc()
        self.outbox.flush()
        self.outbox.writer.finish(code, code.reason)
        self.release()

    def _too_slow(self) -> None:
        self._parts.counters.aborted_readers += 1
        writer = self.outbox.writer
        self.close(p.CloseCode.SLOW)
        # Behind all that is unread the close frame arrives soon, or there is nobody to read it.
        self._loop.call_later(self._parts.settings.slow_grace, writer.abort)

    async def _admit(self, admit: Admit) -> list[Effect]:
        connection, policy = self._connection, self._parts.policy
        writer, turnstile = self.outbox.writer, self._parts.doors.turnstile
        if not turnstile.free:
            writer.attend()
        try:
            async with turnstile.turn(lambda: writer.open):
                admission = await policy.connect(admit.token)
                self._enter(admission.person)
                keys = await policy.watched(admission.identity)
        except WarmlineError as error:
            metrics.CONNECTS.labels(metrics.outcome(error)).inc()
            return connection.refused(error, self._loop.time())
        except Exception:
            metrics.CONNECTS.labels("failed").inc()
            log.exception("a connection could not be admitted")
            return connection.refused(Unavailable("Connecting failed. Try again."), self._loop.time())
        metrics.CONNECTS.labels("ok").inc()
        if not self._over:
            self.person, self.began = admission.person, admission.began
            self._parts.watch.joined(self, keys)
        return connection.admitted(admission, self._loop.time())

    def _enter(self, person: str) -> None:
        if not self._over:
            self._parts.doors.enter(person, self._loop.time())
            self._entered = person
            self._known()

    def _known(self) -> None:
        if self._knock is not None:
            self._knock.over()
            self._knock = None

    def _begin(self, number: int, data: bytes, job: Job, then: Then | None = None) -> None:
        if not self._calls.add(job, len(data), then):
            busy = p.Error(p.ErrorCode.TOO_MANY_REQUESTS, "Too many commands at once. Try again in a moment.", True)
            self._say(p.Reply(number, busy))

    def _call(self, call: Call) -> Awaitable[bytes]:
        assert self._connection.admission is not None
        return self._parts.policy.rpc(self._connection.admission.identity, call.method, call.data)

    def _called(self, number: int, running: asyncio.Future[bytes]) -> None:
        if running.cancelled():
            return
        result: p.Result
        error = running.exception()
        if error is None:
            result = p.RpcResult(running.result())
        elif isinstance(error, WarmlineError):
            result = as_error(error)
        else:
            log.error("an operation failed", exc_info=error)
            result = p.Error(p.ErrorCode.INTERNAL, "Something went wrong here. Try again.", True)
        self._say(p.Reply(number, result))

    async def _ask(self, question: p.Question) -> None:
        self._perform(await questions.answer(self._connection, question, self._parts))

    async def _renew(self, renew: Renew) -> None:
        try:
            admission = await self._parts.policy.connect(renew.token)
        except WarmlineError as error:
            self._perform(self._connection.renewal_refused(renew.id, error))
        except Exception:
            log.exception("a token could not be judged")
            self._perform(self._connection.renewal_refused(renew.id, Unavailable("Refreshing failed. Try again.")))
        else:
            self._perform(self._connection.renewed(renew.id, admission, self._loop.time()))
            self.began = admission.began

    # Time

    def _arm(self) -> None:
        """See that `_tick` runs at the machine's deadline; a timer that is early enough already stays."""
        deadline = self._connection.deadline
        if self._over or deadline == float("inf"):
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        # The handle is not asked for its time: for a deadline that is over, uvloop's has none.
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline + _ROUNDED, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._connection.tick(self._loop.time()))

"""What one connection listens to, as its state machine sees it: subscriptions wished for, and those that stand. Pure."""

from dataclasses import dataclass, field
from sys import intern

from server.gateway import protocol as p
from server.gateway.effects import Begin, Effect, Leave, Say, refusal
from server.gateway.lapses import Lapses
from server.gateway.settings import GatewaySettings

MAX_CHANNEL_NAME = 255
MAX_JOINED = 32
"""Subscribe commands that may wait for one and the same answer."""

_LATE = 3.0
"""A subscribe that took longer may have been given up by its sender (SDKs wait 5 s) …"""
_AGAIN_WITHIN = 10.0
"""… who then asks again within this time."""


def may_be_meant(question: p.Question) -> bool:
    """Whether it names a channel; only an old SDK's sub_refresh may do without, because its token names one (§4)."""
    return bool(question.channel) or isinstance(question, p.SubRefresh)


def is_too_long(channel: str) -> bool:
    """Whether nothing can be called that."""
    return len(channel.encode()) > MAX_CHANNEL_NAME


def too_long(command: p.Subscribe | p.Question) -> Say:
    """What a command with such a name is answered."""
    return refusal(command.id, p.ErrorCode.BAD_REQUEST, "The channel's name is longer than 255 bytes.")


@dataclass(slots=True)
class _Pending:
    """A subscription on its way. `earlier`: ids of overlapped commands that wait for the same answer."""

    wish: p.Subscribe
    asked: float
    earlier: list[int] = field(default_factory=list)


class Interests:
    """A part of Connection."""

    __slots__ = ("_lapses", "_pending", "_settings", "_standing")

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._pending: dict[str, _Pending] = {}
        self._standing: dict[str, float] = {}
        """Channel names with a subscription, and until when its answer may turn out to have come too late."""
        self._lapses = Lapses()

    def wish(self, channel: str) -> p.Subscribe | None:
        """What the client wants of a channel whose subscription is on its way; None if it is not."""
        pending = self._pending.get(channel)
        return None if pending is None else pending.wish

    def _subscribe(self, command: p.Subscribe, now: float, personal: str) -> list[Effect]:
        """`personal`: the name of the channel that is always there."""
        name = intern(command.channel)  # many connections use the same names, and keep them long
        if is_too_long(name):
            return [too_long(command)]
        if name in self._pending:
            return self._overlap(self._pending[name], command)
        if name in self._standing:
            return self._again(command, now)
        if name == personal:
            return [refusal(command.id, p.ErrorCode.ALREADY_SUBSCRIBED, "The personal channel is always there.")]
        if len(self._pending) + len(self._standing) >= self._settings.max_subscriptions:
            return [refusal(command.id, p.ErrorCode.LIMIT_EXCEEDED, "Too many subscriptions. Unsubscribe from some.")]
        return self._want(name, command, now)

    def _want(self, name: str, command: p.Subscribe, now: float) -> list[Effect]:
        self._pending[name] = _Pending(command, now)
        return [Begin(name)]

    def _overlap(self, pending: _Pending, command: p.Subscribe) -> list[Effect]:
        """A second subscribe joins the one in flight, or replaces it if it wants something else (§5, timeouts)."""
        if len(pending.earlier) >= MAX_JOINED:
            return [refusal(command.id, p.ErrorCode.TOO_MANY_REQUESTS, "Still subscribing. Wait for the answer.")]
        pending.earlier.append(pending.wish.id)
        same, pending.wish = pending.wish.same_wish(command), command
        return [] if same else [Leave(command.channel), Begin(command.channel)]

    def _again(self, command: p.Subscribe, now: float) -> list[Effect]:
        """A second subscribe to a standing one: an error, unless the client may have missed our late answer."""
        if now >= self._standing[command.channel]:
            return [refusal(command.id, p.ErrorCode.ALREADY_SUBSCRIBED, "Already subscribed.")]
        del self._standing[command.channel]
        self._pending[command.channel] = _Pending(command, now)
        return [Leave(command.channel), Begin(command.channel)]

    def subscribed(self, channel: str, result: p.SubscribeResult, now: float) -> list[Effect]:
        """The subscription stands; its pushes may follow."""
        pending = self._pending.pop(channel)
        self._standing[channel] = now + _AGAIN_WITHIN if now - pending.asked > _LATE else 0.0
        self.extended(channel, result.ttl, now)
        effects: list[Effect] = [Say(p.Reply(pending.wish.id, result))]
        # Overlapped commands learn where the stream stands now; the publications went out once, above.
        last = result.publications[-1].offset if result.publications else result.offset
        stand = p.SubscribeResult(
            result.positioned, result.epoch, last, result.was_recovering, result.recovered, ttl=result.ttl
        )
        return effects + [Say(p.Reply(number, stand)) for number in pending.earlier]

    def denied(self, channel: str, error: p.Error) -> list[Effect]:
        """The subscription does not come about."""
        pending = self._pending.pop(channel)
        return [Say(p.Reply(number, error)) for number in (*pending.earlier, pending.wish.id)]

    def ended(self, channel: str, code: p.EndCode) -> list[Effect]:
        """We ended a standing subscription."""
        return [Say(p.End(channel, code))] if self._forget(channel) else []

    def stands(self, channel: str) -> bool:
        """Whether there is a subscription that was answered."""
        return channel in self._standing

    def extended(self, channel: str, ttl: int, now: float) -> None:
        """A standing subscription is good for so many seconds (0: for good)."""
        self._lapses.put(channel, now + ttl + self._settings.refresh_grace if ttl else None)

    def lapsed(self, channel: str) -> list[Effect]:
        """A standing subscription was good until now (§4)."""
        return [Leave(channel), Say(p.End(channel, p.EndCode.EXPIRED))] if self._forget(channel) else []

    def _forget(self, channel: str) -> bool:
        self._lapses.put(channel, None)
        return self._standing.pop(channel, None) is not None

    def _unsubscribe(self, command: p.Unsubscribe) -> list[Effect]:
        """Always `{}`: an error would make clients drop the whole connection (§6)."""
        name, done = command.channel, Say(p.Reply(command.id, p.UnsubscribeResult()))
        if name in self._pending:
            overtaken = p.Error(p.ErrorCode.INTERNAL, "Unsubscribed before the subscription stood.", True)
            return [Leave(name), *self.denied(name, overtaken), done]
        return [Leave(name), done] if self._forget(name) else [done]

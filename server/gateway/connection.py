"""One connection as a state machine: commands, answers and the time go in, effects come out.

Pure: it reads no clock, rolls no dice and awaits nothing. The driver does what the effects say, in their order, and tells
the machine how it went. Rules and numbers are those of protocol.md §2–§7.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from math import ceil

from server.errors import TokenExpired, Unauthorized, Unavailable, WarmlineError
from server.gateway import protocol as p
from server.gateway.budget import Budget, Verdict, refused_for_now
from server.gateway.effects import Admit, Ask, Call, Close, Effect, Renew, Say, as_error, refusal, unavailable
from server.gateway.interests import Interests, is_too_long, may_be_meant, too_long
from server.gateway.ports import Admission
from server.gateway.settings import GatewaySettings

_ASLEEP = 1.0
"""A tick this late says that the process stood still: pongs may lie unread."""


_NONE: Mapping[str, tuple[int, str]] = {}


class _Phase(Enum):
    NEW = auto()
    ADMITTING = auto()
    OPEN = auto()
    REFUSED = auto()
    CLOSED = auto()


class Connection(Interests):
    """The machine. `jitter` is a random number in [0, 1); `now` is any clock that only goes forward, in seconds."""

    __slots__ = (
        "_budget",
        "_connect_id",
        "_expired_at",
        "_idle_at",
        "_jitter",
        "_phase",
        "_ping_at",
        "_pong_by",
        "_positions",
        "_stale_at",
        "_waiting",
        "admission",
        "client",
    )

    def __init__(self, client: str, settings: GatewaySettings, now: float, jitter: float) -> None:
        self.client = client
        self.admission: Admission | None = None
        super().__init__(settings)
        self._budget = Budget(settings)
        self._jitter = jitter
        self._phase = _Phase.NEW
        self._connect_id = 0
        self._positions: Mapping[str, tuple[int, str]] = _NONE
        self._waiting: Sequence[p.Command] = ()
        self._stale_at = now + settings.connect_timeout
        self._ping_at = self._pong_by = self._expired_at = self._idle_at = float("inf")

    @property
    def closed(self) -> bool:
        """Whether Close was given out: nothing comes after it."""
        return self._phase is _Phase.CLOSED

    @property
    def deadline(self) -> float:
        """When `tick` wants to be called."""
        if self._phase in (_Phase.NEW, _Phase.REFUSED):
            return self._stale_at
        ends = min(self._expired_at, self._idle_at, self._lapses.next)
        return min(self._ping_at, self._pong_by, ends) if self._phase is _Phase.OPEN else float("inf")

    # Commands

    def receive(self, commands: Sequence[p.Command], now: float) -> list[Effect]:
        """Take the commands of one frame, in order."""
        effects: list[Effect] = []
        for index, command in enumerate(commands):
            if self._phase is _Phase.NEW:
                effects += self._first(command)
            elif self._phase is _Phase.OPEN:
                effects += self._take(command, now)
            elif self._phase is _Phase.ADMITTING:
                # What comes with the connect command waits for its outcome, and is dropped if that is bad (§2).
                self._waiting = [*self._waiting, *commands[index:]]
                break
            else:
                break
        return effects

    def _first(self, command: p.Command) -> list[Effect]:
        match command:
            case p.Connect() if command.token or self._settings.anonymous:
                self._phase, self._connect_id = _Phase.ADMITTING, command.id
                self._positions = command.positions
                return [Admit(command.token)]  # without a token nobody comes in: 3501, below
            case p.BadRequest():
                self._phase = _Phase.REFUSED
                return [refusal(command.id, p.ErrorCode.BAD_REQUEST, command.reason)]
        return self._close(p.CloseCode.BAD_REQUEST)

    def _take(self, command: p.Command, now: float) -> list[Effect]:
        match self._budget.judge(now):
            case Verdict.REFUSE:
                return refused_for_now(command)
            case Verdict.CLOSE:
                return self._close(p.CloseCode.TOO_MANY_REQUESTS)
        return self._do(command, now)

    def _do(self, command: p.Command, now: float) -> list[Effect]:
        match command:
            case p.Rpc():
                self._acted(command.method, now)
                return [Call(command.id, command.method, command.data)]
            case p.Pong():
                self._pong_by = float("inf")
                return []
            case p.Subscribe() if command.channel:
                assert self.admission is not None
                return self._subscribe(command, now, self.admission.personal)
            case p.Unsubscribe():
                return self._unsubscribe(command)
            case p.PublishRequest() | p.History() | p.Presence() | p.SubRefresh() if may_be_meant(command):
                return [too_long(command)] if is_too_long(command.channel) else [Ask(command)]
            case p.Refresh() if self._expired_at < float("inf"):
                return [Renew(command.id, command.token)]
            case p.Unavailable():
                return [unavailable(command)]
            case p.BadRequest():
                return [refusal(command.id, p.ErrorCode.BAD_REQUEST, command.reason)]
            case p.Send():
                return self._close(p.CloseCode.NOT_AVAILABLE)
        # A second connect, a refresh that nobody asked for, no channel, or nothing we know.
        return self._close(p.CloseCode.BAD_REQUEST)

    # Connecting

    def admitted(self, admission: Admission, now: float) -> list[Effect]:
        """The token is good: welcome, and now the commands that waited."""
        if self._phase is not _Phase.ADMITTING:
            return []
        self.admission = admission
        self._expires_in(admission.ttl, now)
        self._acted("", now)
        name, positions, self._positions = admission.personal, self._positions, _NONE
        if admission.followed and name:
            offset, epoch = positions.get(name, (0, ""))
            return self._want(name, p.Subscribe(self._connect_id, name, name in positions, epoch, offset), now)
        return self._welcome(admission, {name: p.SubscribeResult()} if name else {}, now)

    def _welcome(self, admission: Admission, subs: dict[str, p.SubscribeResult], now: float) -> list[Effect]:
        interval = self._settings.ping_interval
        self._phase = _Phase.OPEN
        self._ping_at = now + interval * (1 + self._jitter) / 2
        ping = ceil(interval)
        result = p.ConnectResult(self.client, self._settings.version, ping, admission.ttl, admission.info, subs)
        waiting, self._waiting = self._waiting, ()
        return [Say(p.Reply(self._connect_id, result)), *self.receive(waiting, now)]

    def refused(self, error: WarmlineError, now: float) -> list[Effect]:
        """The token is not good (§2): 109 or a temporary error as a reply, anything else closes for good."""
        if self._phase is not _Phase.ADMITTING:
            return []
        if isinstance(error, TokenExpired) or error.temporary:
            self._phase, self._stale_at = _Phase.REFUSED, now + self._settings.connect_timeout
            return [Say(p.Reply(self._connect_id, as_error(error)))]
        return self._close(p.CloseCode.INVALID_TOKEN)

    # A personal channel that is one of the log (Admission.followed)

    def subscribed(self, channel: str, result: p.SubscribeResult, now: float) -> list[Effect]:
        """See Interests. One that stands before the welcome is answered by that."""
        answers = super().subscribed(channel, result, now)
        if self._phase is not _Phase.ADMITTING:
            return answers
        assert self.admission is not None
        return self._welcome(self.admission, {channel: result}, now)

    def denied(self, channel: str, error: p.Error) -> list[Effect]:
        """See Interests. Without the personal channel there is no welcome: the error answers the connect command."""
        if self._phase is _Phase.ADMITTING:
            self._phase, self._waiting = _Phase.REFUSED, ()
        return super().denied(channel, error)

    def ended(self, channel: str, code: p.EndCode) -> list[Effect]:
        """See Interests. Nobody resubscribes to a channel that we subscribed them to: they have to come back (§5)."""
        assert self.admission is not None
        if channel == self.admission.personal and code is p.EndCode.INSUFFICIENT_STATE:
            return self.close(p.CloseCode.INSUFFICIENT_STATE)
        return super().ended(channel, code)

    # Staying connected

    def renewed(self, number: int, admission: Admission, now: float) -> list[Effect]:
        """A new token: it must be of the same person (§4)."""
        if self.closed:
            return []
        assert self.admission is not None
        if admission.person != self.admission.person:
            return self._close(p.CloseCode.INVALID_TOKEN)
        self.admission = admission
        self._expires_in(admission.ttl, now)
        return [Say(p.Reply(number, p.RefreshResult(self.client, self._settings.version, admission.ttl)))]

    def renewal_refused(self, number: int, error: WarmlineError) -> list[Effect]:
        """No new token. Only temporary errors may be replies here: any other would end the client for good (§4)."""
        if self.closed:
            return []
        if isinstance(error, TokenExpired):
            return self._close(p.CloseCode.EXPIRED)
        if isinstance(error, Unauthorized):
            return self._close(p.CloseCode.INVALID_TOKEN)
        return [Say(p.Reply(number, as_error(error if error.temporary else Unavailable(error.message))))]

    def _expires_in(self, ttl: int, now: float) -> None:
        self._expired_at = now + ttl + self._settings.refresh_grace if ttl else float("inf")

    def _acted(self, method: str, now: float) -> None:
        """The person has done something, unless this is one of the operations that pages call by themselves."""
        assert self.admission is not None
        if self.admission.idle and method not in self.admission.passive:
            self._idle_at = now + self.admission.idle

    def tick(self, now: float) -> list[Effect]:
        """It is `deadline` or later."""
        if now < self.deadline:
            return []
        if self._phase is not _Phase.OPEN:
            return self._close(p.CloseCode.STALE)
        if now >= self._pong_by:
            if now - self._pong_by < _ASLEEP:
                return self._close(p.CloseCode.NO_PONG)
            self._pong_by = now + _ASLEEP / 2
        if now >= self._expired_at:
            return self._close(p.CloseCode.EXPIRED)
        if now >= self._idle_at:
            return self._close(p.CloseCode.SIGNED_OUT)
        lapsed = [effect for channel in self._lapses.due(now) for effect in self.lapsed(channel)]
        if now < self._ping_at:
            return lapsed
        self._ping_at += self._settings.ping_interval
        if self._ping_at <= now:
            self._ping_at = now + self._settings.ping_interval
        self._pong_by = min(self._pong_by, now + self._settings.pong_timeout)
        return [*lapsed, Say(p.Ping())]

    def close(self, code: p.CloseCode) -> list[Effect]:
        """We want to close, for a reason from outside."""
        return [] if self.closed else self._close(code)

    def _close(self, code: p.CloseCode) -> list[Effect]:
        self._phase = _Phase.CLOSED
        return [Close(code)]

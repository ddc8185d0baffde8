"""How many commands one connection may give: a burst, then a rate; beyond it refusals, and beyond those the end. Pure."""

from enum import Enum, auto

from server.gateway import protocol as p
from server.gateway.effects import Effect, refusal
from server.gateway.settings import GatewaySettings


class Verdict(Enum):
    """What becomes of a command."""

    TAKE = auto()
    REFUSE = auto()
    CLOSE = auto()


class Budget:
    """One connection's. An honest page spends little of it; what refuses to slow down wears out our patience."""

    __slots__ = ("_settings", "_whole", "_worn")

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._whole = self._worn = 0.0

    def judge(self, now: float) -> Verdict:
        """One more command."""
        commands, refusals = self._settings.commands, self._settings.commands_refused
        self._whole, wait = commands.take(self._whole, now)
        if wait <= commands.patience:
            return Verdict.TAKE
        self._worn, wait = refusals.take(self._worn, now)
        return Verdict.REFUSE if wait <= refusals.patience else Verdict.CLOSE


def refused_for_now(command: p.Command) -> list[Effect]:
    """The answer to a command too many. What carries no id is dropped: only pongs, and what would end the connection."""
    number = getattr(command, "id", 0)
    return [refusal(number, p.ErrorCode.TOO_MANY_REQUESTS, "Too many commands. Slow down.")] if number else []

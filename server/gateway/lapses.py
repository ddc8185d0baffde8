"""When the subscriptions of one connection end whose tokens do, unless they are refreshed in time. Pure."""


class Lapses:
    """Most connections have none."""

    __slots__ = ("_at", "next")

    def __init__(self) -> None:
        self._at: dict[str, float] | None = None
        self.next = float("inf")
        """When the first of them is due."""

    def put(self, channel: str, at: float | None) -> None:
        """It ends at that time; None: never."""
        if at is not None:
            self._at = self._at or {}
            self._at[channel] = at
        elif self._at is not None:
            self._at.pop(channel, None)
        else:
            return
        self.next = min(self._at.values(), default=float("inf"))

    def due(self, now: float) -> list[str]:
        """Those that have ended by now; they stay until put otherwise."""
        return [channel for channel, at in (self._at or {}).items() if now >= at]

"""The circuit breaker of one provider's host: who does not answer is left alone for a while, and then asked once. Pure."""

from typing import Final

FAILURES: Final = 5
"""In a row, until it is left alone."""
FIRST_SECONDS, LONGEST_SECONDS = 5.0, 300.0
"""How long it is left alone at first and at most; twice as long each time."""
PROBE_SECONDS = 30.0
"""After which a probe that never came back no longer counts."""


class Breaker:
    """What is known of one host. Moments are seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._failures = 0
        self._rounds = 0
        self._until = 0.0
        self._probed = -PROBE_SECONDS

    def wait(self, now: float) -> float:
        """How many seconds to leave it alone; 0: go. After its rest one push goes ahead, and the others wait for it."""
        if now < self._until:
            return self._until - now
        if self._rounds == 0:
            return 0.0
        if now - self._probed < PROBE_SECONDS:
            return FIRST_SECONDS
        self._probed = now
        return 0.0

    def worked(self) -> None:
        """It answered as it should; all is forgotten."""
        self._failures = self._rounds = 0
        self._until, self._probed = 0.0, -PROBE_SECONDS

    def failed(self, now: float) -> bool:
        """It did not answer, or said that it cannot just now. Whether it is left alone from here on, anew."""
        if now < self._until:  # sent before; one outage counts once
            return False
        self._failures += 1
        if self._failures < FAILURES and self._rounds == 0:
            return False
        self._until = now + min(FIRST_SECONDS * 2**self._rounds, LONGEST_SECONDS)
        self._rounds += 1
        self._probed = -PROBE_SECONDS
        return True

    @property
    def resting(self) -> bool:
        """Whether it is left alone, or asked for the first time since."""
        return self._rounds > 0

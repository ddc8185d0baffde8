"""How much of something is let through, and how many of something there may be at a time. Pure: the time is handed in.

A rate is kept as one number per key: the moment at which the key will have its whole burst again. Whose moment has passed is
like one never seen, and is forgotten, so that what is held is bounded by who was busy lately, not by who ever came.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from server.errors import TooMany

_FORGET_FROM = 1_024
"""From how many keys on the idle ones are looked for; then again whenever the number has doubled."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` in the long run; `burst` at once by whoever was quiet; `patience`: seconds that one may be asked to wait."""

    per_second: float
    burst: float
    patience: float = 0.0

    def take(self, whole: float, now: float) -> tuple[float, float]:
        """Take one.

        Args:
            whole: when the burst is whole again; any moment that has passed (0) for who was quiet.
            now: by the same clock.

        Returns:
            The new `whole`, and the seconds to wait. More than `patience`: it is refused, and nothing was taken.
        """
        after = max(whole, now) + 1 / self.per_second
        # A whole burst may be spent at once; the rounding of sums must not cost its last one.
        wait = max(0.0, after - now - self.burst / self.per_second - 1e-9)
        return (after, wait) if wait <= self.patience else (whole, wait)


class Rates:
    """One rate for every key. `words` is what a refused one is told; it gets the seconds to wait filled in as {seconds}."""

    def __init__(self, rate: Rate, words: str) -> None:
        self.rate = rate
        self._words = words
        self._whole: dict[Hashable, float] = {}
        self._forget_at = _FORGET_FROM

    def take(self, key: Hashable, now: float) -> float:
        """Take one for a key; the seconds it has to wait. Raises TooMany, with the seconds after which it may try again."""
        whole, wait = self.rate.take(self._whole.get(key, 0.0), now)
        if wait > self.rate.patience:
            after = wait - self.rate.patience
            raise TooMany(self._words.format(seconds=seconds(after)), after)
        self._keep(key, whole, now)
        return wait

    def go(self, key: Hashable, now: float) -> bool:
        """Take one for a key that need not wait for it; False, and nothing is taken, for one that would have to."""
        whole, wait = self.rate.take(self._whole.get(key, 0.0), now)
        if wait > 0:
            return False
        self._keep(key, whole, now)
        return True

    def _keep(self, key: Hashable, whole: float, now: float) -> None:
        self._whole[key] = whole
        if len(self._whole) >= self._forget_at:
            self._forget(now)

    def _forget(self, now: float) -> None:
        self._whole = {key: whole for key, whole in self._whole.items() if whole > now}
        self._forget_at = max(_FORGET_FROM, 2 * len(self._whole))

    def __len__(self) -> int:
        return len(self._whole)


class Counts:
    """How many each key has at a time, and all together."""

    def __init__(self, each: int, together: int | None = None) -> None:
        self._each, self._together = each, together
        self._held: dict[Hashable, int] = {}
        self.total = 0

    def take(self, key: Hashable) -> bool:
        """One more for this key; False when it has all it may have, or all together have."""
        held = self._held.get(key, 0)
        if held >= self._each or (self._together is not None and self.total >= self._together):
            return False
        self._held[key] = held + 1
        self.total += 1
        return True

    def give_back(self, key: Hashable) -> None:
        """One less: once for every `take` that was granted."""
        self.total -= 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def __len__(self) -> int:
        return len(self._held)


def seconds(wait: float) -> int:
    """A time to wait as people and Retry-After are told it: whole seconds, at least one."""
    return max(1, -int(-wait // 1))


def origin(host: str) -> str:
    """What is counted as one address: of IPv6 the network of 64 bits, because whoever has one has all of it."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"

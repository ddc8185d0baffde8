"""A histogram for what happens thousands of times a second: the metrics library's own takes ten times as long to count one."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Tally:
    """The observations of one kind. To be used in one thread; reading it from another gives it as it just stands."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds`: the greatest value of each bucket, ascending; what is greater than all of them is counted as well."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """How many were at most as great as each bound, the last of them endless; and the sum of all."""
        upto, buckets = 0, []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            upto += count
            buckets.append((floatToGoString(bound), float(upto)))  # type: ignore[no-untyped-call]
        return buckets, self._sum


class Tallies(Collector):
    """A metric of tallies, one for each value of its label. Without a label there is one tally, `labels("")`."""

    def __init__(
        self, name: str, help: str, bounds: Sequence[float], registry: CollectorRegistry, label: str | None = None
    ) -> None:
        self._name, self._help, self._bounds, self._label = name, help, bounds, label
        self._tallies: dict[str, Tally] = {}
        if label is None:
            self.labels("")  # so that it is there before anything happens
        registry.register(self)

    def labels(self, value: str) -> Tally:
        """The tally under this value of the label."""
        return self._tallies.setdefault(value, Tally(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What Prometheus reads."""
        family = HistogramMetricFamily(self._name, self._help, labels=[self._label] if self._label else [])
        for value, tally in list(self._tallies.items()):
            family.add_metric([value] if self._label else [], *tally.read())
        yield family

"""Figures as a table: median, spread and ratio to the reference of the same round, in Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.clients import Sample

HEADER = "| | per second | spread | per busy core and second | ratio | p50 / p99 ms | cores busy |\n|---|---|---|---|---|---|---|"


@dataclass
class Row:
    """One contestant: what it did in each round, and the ratio to its reference, round by round."""

    what: str
    samples: Sequence[Sample]
    count: Callable[[Sample], int]
    ratios: Sequence[float] = ()

    def __str__(self) -> str:
        rates = [self.count(sample) / sample.seconds for sample in self.samples]
        per_core = [self.per_core(sample) for sample in self.samples]
        p50, p99 = (median(getattr(sample, name) for sample in self.samples) * 1e3 for name in ("p50", "p99"))
        ratio = f"{median(self.ratios):.2f} [{min(self.ratios):.2f}–{max(self.ratios):.2f}]" if self.ratios else "–"
        busy = {who: median(sample.busy(who) for sample in self.samples) for who in self.samples[0].spent}
        busy["load client's busiest thread"] = median(sample.busiest for sample in self.samples)
        cells = (
            *(self.what, f"{median(rates):,.0f}", f"{min(rates):,.0f}–{max(rates):,.0f}", f"{median(per_core):,.0f}"),
            *(ratio, f"{p50:.1f} / {p99:.1f}", ", ".join(f"{who} {cores:.2f}" for who, cores in busy.items())),
        )
        return f"| {' | '.join(cells)} |"

    def per_core(self, sample: Sample) -> float:
        """What it did in one second of the server's processor time."""
        return self.count(sample) / sample.spent["server"]


@dataclass
class Table:
    """One benchmark's figures, and what must be said beside them."""

    title: str
    rows: list[Row] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"### {self.title}", "", HEADER, *map(str, self.rows), "", *(f"- {remark}" for remark in self.remarks)]
        return "\n".join(lines) + "\n"


def deliveries(sample: Sample) -> int:
    """Publications that reached a connection."""
    return sample.deliveries


def commands(sample: Sample) -> int:
    """Commands answered."""
    return sample.done

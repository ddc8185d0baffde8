"""Figures as one table: median, spread and ratio to the reference of the same round, and what is to be reached, in Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.clients import Sample

HEADER = "| | median | spread | ratio | to reach | beside |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Target:
    """What issue 4 asks for: a bound on the ratio, or on the figure itself. Above it is good, unless `most`."""

    bound: float
    most: bool = False
    ratio: bool = True

    def words(self, figure: float, ratio: float | None) -> str:
        """The bound, and whether the median keeps to it. Without a reference nobody can say."""
        said = f"{'ratio ' if self.ratio else ''}{'≤' if self.most else '≥'} {self.bound:g}"
        value = ratio if self.ratio else figure
        if value is None:
            return said
        reached = value <= self.bound if self.most else value >= self.bound
        return f"{said}: {'reached' if reached else '**missed**'}"


@dataclass
class Figure:
    """One line: a value of each round, in some unit, and its ratio to the reference of that round."""

    what: str
    unit: str
    values: Sequence[float]
    ratios: Sequence[float] = ()
    target: Target | None = None
    beside: str = ""

    def __str__(self) -> str:
        middle = median(self.values)
        ratio = median(self.ratios) if self.ratios else None
        spread = f"{ratio:.2f} [{min(self.ratios):.2f}–{max(self.ratios):.2f}]" if ratio is not None else "–"
        cells = (
            *(self.what, f"{_number(middle)} {self.unit}", f"{_number(min(self.values))}–{_number(max(self.values))}"),
            *(spread, self.target.words(middle, ratio) if self.target else "", self.beside),
        )
        return f"| {' | '.join(cells)} |"


@dataclass
class Row:
    """One contestant: what it did in each round, and the ratio to its reference, round by round."""

    what: str
    samples: Sequence[Sample]
    count: Callable[[Sample], int]
    ratios: Sequence[float] = ()
    target: Target | None = None
    unit: str = ""
    """If it is not what `count` is called."""

    def __str__(self) -> str:
        rates = [self.count(sample) / sample.seconds for sample in self.samples]
        per_core = median(self.per_core(sample) for sample in self.samples)
        p50, p99 = (median(getattr(sample, name) for sample in self.samples) * 1e3 for name in ("p50", "p99"))
        busy = {who: median(sample.busy(who) for sample in self.samples) for who in self.samples[0].spent}
        busy["load client's busiest thread"] = median(sample.busiest for sample in self.samples)
        beside = (
            f"{per_core:,.0f} per busy core and second; p50 / p99 {p50:.1f} / {p99:.1f} ms; cores busy: "
            + ", ".join(f"{who} {cores:.2f}" for who, cores in busy.items())
        )
        return str(Figure(self.what, self.unit or f"{self.count.__name__}/s", rates, self.ratios, self.target, beside))

    def per_core(self, sample: Sample) -> float:
        """What it did in one second of the server's processor time."""
        return self.count(sample) / sample.spent["server"]

    def against(self, reference: "Row") -> None:
        """Take the ratio to a reference, of what both did in a second of processor time, round by round."""
        pairs = zip(self.samples, reference.samples, strict=True)
        self.ratios = [self.per_core(own) / reference.per_core(other) for own, other in pairs]


@dataclass
class Table:
    """One benchmark's figures, and what must be said beside them."""

    title: str
    rows: list[Row | Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return together([self])


def together(tables: Sequence[Table]) -> str:
    """All figures in one table, and below it what must be said beside them."""
    lines = [HEADER]
    for table in tables:
        lines += [f"| **{table.title}** | | | | | |", *map(str, table.rows)]
    for table in tables:
        lines += ["", f"{table.title}:", *(f"- {remark}" for remark in table.remarks)]
    return "\n".join(lines) + "\n"


def deliveries(sample: Sample) -> int:
    """Publications that reached a connection."""
    return sample.deliveries


def commands(sample: Sample) -> int:
    """Commands answered."""
    return sample.done


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

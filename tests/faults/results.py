"""What came of the runs with faults: kept from one `make faults` to the next, and written down as docs/reliability.md."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.run import Run
from tests.faults.scenario import Scenario
from tests.support.history import CHECKS
from tests.support.history.whole import answered_again, figures

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".faults" / "results.json"


@dataclass
class Result:
    """One row, played once: with faults (`injected`), or by tests (`tests`)."""

    row: str
    says: str
    seed: int = 0
    seconds: float = 0.0
    """How long things were broken; of tests: how long they took."""
    at: str = ""
    load: float = 0.0
    """The machine's load average when it ended."""
    injected: dict[str, int] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    again: float = 0.0
    red: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether all was as it must be."""
        return not (self.red or self.wrong or self.error)

    @property
    def key(self) -> tuple[str, int]:
        """What a later one replaces."""
        return self.row, self.seed

    @property
    def verdict(self) -> str:
        """For the table."""
        if self.error:
            return f"**did not come to an end**: {self.error}"
        wrong = [*self.red, *self.wrong]
        return f"**wrong: {'; '.join(wrong)}**" if wrong else "passed" if self.tests else "all green"


def result(scenario: Scenario, seed: int, seconds: float, going: Run | None, error: str) -> Result:
    """What came of a run."""
    made = Result(scenario.name, scenario.says, seed, seconds, now(), round(os.getloadavg()[0], 1), error=error)
    if going is None or not going.found:
        made.error = error or "it was not judged"
        return made
    made.injected = dict(Counter(event.fault for event in going.history.of("fault.start")))
    made.figures = figures(going.history)
    made.again = max((took for _, took in answered_again(going.history)), default=0.0)
    made.red = [name for name in CHECKS if going.found[name]]
    made.notes, made.wrong = going.notes, going.wrong
    return made


def now() -> str:
    """The minute, as the page tells it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")


def read() -> list[Result]:
    """What is kept."""
    return [Result(**one) for one in json.loads(KEPT.read_text())] if KEPT.exists() else []


def keep(results: Sequence[Result]) -> None:
    """Write all of it down."""
    KEPT.parent.mkdir(exist_ok=True)
    fresh = KEPT.with_suffix(".new")
    fresh.write_text(json.dumps([asdict(one) for one in results], indent=1))
    fresh.rename(KEPT)


def with_(results: Sequence[Result], newer: Result) -> list[Result]:
    """This one in place of an older one of the same row and seed."""
    return sorted([*(one for one in results if one.key != newer.key), newer], key=lambda one: one.key)

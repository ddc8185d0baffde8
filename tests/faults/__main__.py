"""`python -m tests.faults` (make faults): play every scenario, one after the other, and write down what came of each.

Writes docs/reliability.md, histories that were found wrong beside the logs of the run, and ends with 1 if any was.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.faults.playing import play
from tests.faults.run import Run
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.support.history import CHECKS
from tests.support.history.whole import answered_again, figures

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

INTRODUCTION = """# What was broken on purpose, and what came of it

The last full run of `make faults`. Gateways run as processes of their own, each behind lines of ours to Postgres and
Redis. People write (with retries under one key), listen (dropping their line now and then, and coming back with their
position), and are removed and added again; by the raw protocol and by centrifuge-python. Meanwhile things are broken by
a plan that a seed decides. Then everything is healed and read: by SQL, by the history of every gateway, and by somebody
who has never been there. The whole record is judged by the thirteen checks of `tests/support/history`, which know the
guarantees and nothing of the product: K1 nothing acknowledged lost, K2 nothing that nobody sent, K3 nothing twice, K4
no holes, K5 one order for all, K6 what was answered first stands first, K7 every listener's stream unbroken, K8 no
false "recovered", K9 everybody arrives, K10 nothing to who was removed or belongs elsewhere, K11 retries get one
answer, K12 the run meant something, K13 sends are answered again soon.

That the checks find what is wrong is shown by `tests/faults/test_teeth.py`: eight bugs planted on purpose, each found.
Rows of the catalogue that need no load are tests of their own; those carry the row's name (`@pytest.mark.catalogue`).
"""


@dataclass
class Played:
    """What came of one run."""

    scenario: Scenario
    seed: int
    going: Run | None
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether every check was satisfied."""
        return self.going is not None and bool(self.going.found) and not any(self.going.found.values())

    def row(self) -> str:
        """For the table."""
        what = f"{self.scenario.name}: {self.scenario.says}"
        if self.going is None or not self.going.found:
            return f"| {what} | {self.seed} | | | | | | | | did not come to an end: {self.error} |"
        history = self.going.history
        counted = figures(history)
        injected = Counter(event.fault for event in history.of("fault.start"))
        again = max((took for _, took in answered_again(history)), default=0.0)
        red = [name for name in CHECKS if self.going.found[name]]
        told = ", ".join(f"{name} ×{count}" for name, count in injected.items())
        numbers = [counted[name] for name in ("sends", "unknown", "deliveries", "recoveries", "resets")]
        cells = [what, self.seed, told, *numbers, f"{again:.1f} s", f"**{', '.join(red)} red**" if red else "all green"]
        return "| " + " | ".join(map(str, cells)) + " |"


async def play_all(options: argparse.Namespace, folder: Path) -> list[Played]:
    """One after the other, so that none disturbs the next."""
    chosen = [one for one in SCENARIOS if not options.rows or set(one.rows) & set(options.rows)]
    plans = [(one, options.seed + n) for one in chosen for n in range(options.storms if one.rows == ("R36",) else 1)]
    least = {"sends": options.sends, "recoveries": options.recoveries}
    done = []
    for scenario, seed in plans:
        place = Path(tempfile.mkdtemp(prefix=f"{scenario.name}-", dir=folder))
        place.chmod(0o711)
        played = Played(scenario, seed, None)
        try:
            played.going = await play(scenario, place, seed, options.seconds, **least)
        except Exception as error:
            played.error = f"{type(error).__name__}: {error}"[:300].replace("|", "/").replace("\n", " ")
        done.append(played)
        print(played.row(), flush=True)
        if played.going and not played.good:
            (place / "history.jsonl").write_text("\n".join(event.line() for event in played.going.history.events))
            for name, found in played.going.found.items():
                for finding in found[:5]:
                    print("   ", name, finding, flush=True)
    return done


def page(done: list[Played], options: argparse.Namespace, before: tuple[float, ...]) -> str:
    """The document."""
    loads = f"{before[0]:.1f} at its beginning and {os.getloadavg()[0]:.1f} at its end"
    around = (
        f"This run: seed {options.seed}, about {options.seconds:g} s of faults each, on {os.cpu_count()} processors "
        f"({platform.machine()}, {platform.system()}, Python {platform.python_version()}), with a load average of {loads}. "
        "Gateways, Postgres, Redis, the lines between them and everybody who takes part share that machine: "
        "the times say how soon things went on there, and nothing about a machine of its own. "
        f"A run had to have {options.sends} answered sends and {options.recoveries} recoveries that brought something, "
        "or K12 is red."
    )
    head = (
        "| row, what was broken | seed | injected | sends answered | outcomes unknown | deliveries | recoveries | resets | "
        "longest until the next answer | K1–K13 |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    good = f"{sum(one.good for one in done)} of {len(done)} runs were found good by all thirteen checks."
    return "\n".join((INTRODUCTION, around, "", good, "", head, *(one.row() for one in done), ""))


def main() -> int:
    """Play, write, and say with the exit status whether all was well."""
    options = argparse.ArgumentParser(prog="make faults", description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=60.0, help="how long things are broken in each run, about")
    options.add_argument("--storms", type=int, default=3, help="runs of R36, each with another seed")
    options.add_argument("--sends", type=int, default=1000, help="answered sends that a run must have")
    options.add_argument("--recoveries", type=int, default=50)
    options.add_argument("--rows", nargs="*", help="some rows alone; nothing is then written to docs/reliability.md")
    options.add_argument("--to", type=Path, default=PAGE, help="where the table goes")
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="warmline-faults-"))
    folder.chmod(0o711)
    before = os.getloadavg()
    done = uvloop.run(play_all(chosen, folder))
    if not chosen.rows:
        chosen.to.write_text(page(done, chosen, before))
    return 0 if all(one.good for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())

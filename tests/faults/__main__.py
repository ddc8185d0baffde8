"""`python -m tests.faults` (make faults): play every scenario, one after the other, and write down what came of each.

Writes docs/reliability.md after every row, histories that were found wrong beside the logs of the run, and ends with 1 if any
was. What was played stays in .faults/, so that rows can be played by themselves, and a run that was broken off be resumed.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.faults import ordinary, results
from tests.faults.page import PAGE, page
from tests.faults.playing import play
from tests.faults.results import Result
from tests.faults.scenario import Scenario
from tests.faults.scenarios import SCENARIOS

Todo = list[tuple[Scenario, int]]


def planned(chosen: argparse.Namespace) -> tuple[Todo, dict[str, list[str]]]:
    """The runs with their seeds, and the rows with tests, that the options ask for."""
    wanted = set(chosen.rows or ())
    some = [one for one in SCENARIOS if not wanted or set(one.rows) & wanted]
    todo = [(one, chosen.seed + n) for one in some for n in range(chosen.seeds if one.rows == ("R36",) else 1)]
    return todo, {row: tests for row, tests in ordinary.rows().items() if not wanted or row in wanted}


def missing(chosen: argparse.Namespace, done: list[Result]) -> list[str]:
    """Rows that nothing is kept of."""
    everything, tests = planned(argparse.Namespace(**vars(chosen) | {"rows": None}))
    there = {one.row for one in done}
    return sorted({one.name for one, _ in everything if one.name not in there} | (tests.keys() - there))


async def run(scenario: Scenario, seed: int, chosen: argparse.Namespace, folder: Path) -> Result:
    """One run; what is wrong is told at once."""
    place = Path(tempfile.mkdtemp(prefix=f"{scenario.name}-", dir=folder))
    place.chmod(0o711)
    going, error = None, ""
    least = {"sends": int(chosen.seconds * chosen.sends), "recoveries": int(chosen.seconds * chosen.recoveries)}
    try:
        going = await play(scenario, place, seed, chosen.seconds, **least)
    except Exception as wrong:
        logging.getLogger(__name__).exception("%s did not come to an end", scenario.name)
        error = f"{type(wrong).__name__}: {wrong}"[:300].replace("|", "/").replace("\n", " ")
    made = results.result(scenario, seed, chosen.seconds, going, error)
    if going and not made.good:
        (place / "history.jsonl").write_text("\n".join(event.line() for event in going.history.events))
        for found in going.found.values():
            for finding in found[:5]:
                print("   ", finding, flush=True)
        print("    its history and logs:", place, flush=True)
    return made


async def play_all(chosen: argparse.Namespace, folder: Path) -> list[Result]:
    """One after the other, so that none disturbs the next."""
    kept = results.read() if chosen.rows or chosen.resume else []
    there = {one.key for one in kept if one.good} if chosen.resume else set()
    todo, tests = planned(chosen)
    done: list[Result] = []

    def tell(made: Result) -> None:
        nonlocal kept
        done.append(made)
        kept = results.with_(kept, made)
        results.keep(kept)
        chosen.to.write_text(page(kept, missing(chosen, kept)))
        print(f"{made.at[-5:]} {made.row} (seed {made.seed}): {made.verdict}; {made.figures} {made.notes}", flush=True)

    for scenario, seed in todo:
        if (scenario.name, seed) not in there:
            tell(await run(scenario, seed, chosen, folder))
    for row, names in tests.items():
        if (row, 0) not in there:
            tell(await asyncio.to_thread(ordinary.played, row, names, folder))
    return done


def options() -> argparse.ArgumentParser:
    """What can be said to it; `make faults` takes SECONDS, SEEDS, SEED, ROWS and RESUME."""
    made = argparse.ArgumentParser(prog="make faults", description=__doc__)
    made.add_argument("--seconds", type=float, default=25.0, help="how long things are broken in each run, about")
    made.add_argument("--seeds", type=int, default=3, help="runs of R36, each with another seed")
    made.add_argument("--seed", type=int, default=1, help="the first one")
    made.add_argument("--rows", nargs="*", help="some rows alone")
    made.add_argument("--resume", action="store_true", help="leave out what was played before and found good")
    made.add_argument("--sends", type=float, default=20, help="answered sends that a run must have, per second")
    made.add_argument("--recoveries", type=float, default=1, help="recoveries that bring something, per second")
    made.add_argument("--to", type=Path, default=PAGE, help="where the table goes")
    return made


def main() -> int:
    """Play, write, and say with the exit status whether all was well."""
    chosen = options().parse_args()
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # that its connections are ended is what all this is about
    folder = Path(tempfile.mkdtemp(prefix="warmline-faults-"))
    folder.chmod(0o711)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; logs: {folder}", flush=True)
    done = uvloop.run(play_all(chosen, folder))
    return 0 if all(one.good for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())

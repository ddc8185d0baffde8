"""docs/reliability.md: the table of what was broken on purpose, and what came of it."""

import os
import platform
from collections.abc import Sequence

from tests.faults.results import ROOT, Result

PAGE = ROOT / "docs" / "reliability.md"

_INTRODUCTION = """# What was broken on purpose, and what came of it

Written by `make faults`. Gateways run as processes of their own, each behind lines of ours to Postgres and
Redis. People write (with retries under one key), listen (dropping their line now and then, and coming back with their
position), and are removed and added again; by the raw protocol and by centrifuge-python. Meanwhile things are broken by
a plan that a seed decides. Then everything is healed and read: by SQL, by the history of every gateway, and by somebody
who has never been there. The whole record is judged by the thirteen checks of `tests/support/history`, which know the
guarantees and nothing of the product: K1 nothing acknowledged lost, K2 nothing that nobody sent, K3 nothing twice, K4
no holes, K5 one order for all, K6 what was answered first stands first, K7 every listener's stream unbroken, K8 no
false "recovered", K9 everybody arrives, K10 nothing to who was removed or belongs elsewhere, K11 retries get one
answer, K12 the run meant something, K13 sends are answered again soon.

That the checks find what is wrong is shown by `tests/faults/test_teeth.py`: bugs planted on purpose, each found.
`make faults SECONDS=60 SEEDS=20` plays longer, `make faults ROWS="R12 R13"` some rows alone (their lines are
replaced here), `make faults RESUME=1` what is not here yet. A run that is found wrong leaves its history and its logs
where it says.
"""


def page(results: Sequence[Result], missing: Sequence[str], machine: str = "") -> str:
    """The document. `missing`: rows that were not played."""
    runs, tests = [one for one in results if not one.tests], [one for one in results if one.tests]
    parts = [_INTRODUCTION, _around(results, machine), _count(runs, tests, missing), "## With faults, under load\n"]
    parts.append(
        "| row, what was broken | seed | broken for | injected | sends answered | outcomes unknown | deliveries | recoveries "
        "| resets | longest until the next answer | K1–K13 |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        + "\n".join(_run(one) for one in runs)
        + "\n"
    )
    if noted := [one for one in runs if one.notes]:
        parts.append("What else had to hold in a run, or is worth telling of it:\n")
        parts += [f"- {one.row}: {'; '.join(one.notes)}." for one in noted]
        parts.append("")
    if tests:
        parts.append("## By tests of their own\n")
        parts.append("| row | shown by | took | result |\n|---|---|---|---|\n" + "\n".join(_test(one) for one in tests))
        parts.append("")
    return "\n".join(parts)


def _around(results: Sequence[Result], machine: str) -> str:
    loads = [one.load for one in results] or [0.0]
    times = sorted(one.at for one in results) or [""]
    return (
        f"Played between {times[0]} and {times[-1]} UTC on {machine or _machine()}, with a load average between {min(loads)} "
        f"and {max(loads)} at the end of each. Gateways, Postgres, Redis, the lines between them and everybody who takes part "
        "share that machine: the times say how soon things went on there, and nothing about a machine of its own.\n"
    )


def _machine() -> str:
    system = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} processors ({system})"


def _count(runs: Sequence[Result], tests: Sequence[Result], missing: Sequence[str]) -> str:
    good = f"{sum(one.good for one in runs)} of {len(runs)} runs were found good by all thirteen checks"
    shown = f"{sum(one.good for one in tests)} of {len(tests)} rows with tests of their own passed"
    lacking = f" Not played: {', '.join(missing)}." if missing else ""
    return f"{good}; {shown}.{lacking}\n"


def _run(one: Result) -> str:
    what = f"{one.row}: {one.says}"
    told = ", ".join(f"{name} ×{count}" for name, count in one.injected.items())
    numbers = [one.figures.get(name, "") for name in ("sends", "unknown", "deliveries", "recoveries", "resets")]
    again = f"{one.again:.1f} s" if one.figures else ""
    return (
        "| " + " | ".join(map(str, [what, one.seed, f"{one.seconds:g} s", told, *numbers, again, one.verdict])) + " |"
    )


def _test(one: Result) -> str:
    names = ", ".join(f"`{name}`" for name in one.tests)
    return f"| {one.row}: {one.says} | {names} | {one.seconds:.0f} s | {one.verdict} |"

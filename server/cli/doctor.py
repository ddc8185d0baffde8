"""`warmline doctor`: looks at everything that Warmline stands on, and says what to do."""

import argparse

from server.cli import within
from server.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add it."""
    made = commands.add(
        "doctor",
        doctor,
        "look at settings, database, Redis, clocks, keys and disk, and say what to do",
        f"{within.SETTINGS}. {within.BESIDE_DEV}",
        changes=False,
        ends="0 when all is well, 1 when there are warnings, 2 when there are errors.",
    )
    made.add_argument("--json", action="store_true", help="for machines: one object per finding")


def doctor(chosen: argparse.Namespace) -> int:
    """Look, and say."""
    import asyncio
    import json

    from server.cli.checks.everything import everything
    from server.cli.checks.findings import status

    within.take_over_dev()
    found = asyncio.run(everything())
    if chosen.json:
        print(json.dumps([finding.as_json() for finding in found], indent=1, ensure_ascii=False))
        return status(found)
    for finding in found:
        print(finding.lines())
    errors, warnings = (sum(finding.level == level for finding in found) for level in ("error", "warning"))
    print(f"\n{len(found)} findings: {errors} errors, {warnings} warnings.")
    return status(found)

"""Rows of the catalogue that need no load: tests of their own show them, found by their marks, and run here as well."""

import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from tests.faults.results import ROOT, Result, now
from tests.faults.scenarios import SCENARIOS
from tests.test_catalogue import marks

SAYS = {
    "R02": "a gateway killed between the commit and the reply",
    "R03": "a gateway killed between the commit and the doorbell",
    "R06": "the last message's doorbell lost, and then quiet",
    "R14": "unsafe settings of the database",
    "R15": "the disk full",
    "R20": "publications during a subscribe, in 10,000 orders",
    "R21": "very far behind: 100,000 events",
    "R22": "positions that clients make up",
    "R24": "handshakes that dawdle, 2,000 at once",
    "R26": "pings while a channel floods",
    "R30": "clocks an hour ahead and an hour behind",
    "R31": "a worker killed in the middle of a push or an email",
    "R32": "a push provider that refuses, hangs or is gone",
    "R33": "read just before the email goes out",
    "R34": "a page kept up to date by events equals a fresh one",
    "R35": "an hour of coming and going",
}
THOROUGH = {"INTERLEAVINGS": "10000", "BACKLOG": "100000"}
"""More than `make test` has time for."""


def rows() -> dict[str, list[str]]:
    """The tests of each row that is no run with faults."""
    played = {row for one in SCENARIOS for row in one.rows}
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for row, test in marks(path):
            if row.startswith("R") and row not in played:
                found[row].append(f"tests/{test}")
    return dict(sorted(found.items()))


def played(row: str, tests: list[str], logs: Path) -> Result:
    """All tests of a row, run."""
    began, log = time.monotonic(), logs / f"{row}.log"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    with log.open("wb") as out:
        done = subprocess.run(command, cwd=ROOT, env=os.environ | THOROUGH, stdout=out, stderr=out, check=False)
    made = Result(
        row, SAYS.get(row, ""), seconds=time.monotonic() - began, at=now(), tests=[_short(one) for one in tests]
    )
    made.load = round(os.getloadavg()[0], 1)
    if done.returncode:
        last = (log.read_text(errors="replace").strip().splitlines() or [""])[-1]
        made.wrong = [re.sub(r"[|\n]", " ", f"{last} (see {log})")]
    return made


def _short(test: str) -> str:
    return test.removeprefix("tests/")

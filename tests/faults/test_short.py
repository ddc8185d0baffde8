"""A short selection of the runs with faults. `make faults` plays all of them, for longer."""

from pathlib import Path

import pytest

from tests.faults.playing import play
from tests.faults.scenario import Scenario
from tests.faults.scenarios import SCENARIOS, SMALL_STORM
from tests.faults.ward import Shared

SECONDS = 2.0
LEAST = {"sends": 100, "recoveries": 10}
"""What must be in a short run, on a slow and busy machine as well."""


def named(*rows: str) -> list[Scenario]:
    return [one for one in SCENARIOS if set(one.rows) & set(rows)]


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(one, marks=pytest.mark.catalogue(*one.rows), id=one.name) for one in [*named("R13"), SMALL_STORM]],
)
async def test_a_run_with_faults_leaves_a_good_history(roomy_path: Path, shared: Shared, scenario: Scenario) -> None:
    going = await play(scenario, roomy_path, seed=11, seconds=SECONDS, shared=shared, **LEAST)
    going.judge()

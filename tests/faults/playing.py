"""Plays a scenario: its ward, its load, what it breaks."""

from pathlib import Path

from tests.faults.run import Run, run
from tests.faults.scenario import Scenario
from tests.faults.scenarios import Misfortune
from tests.faults.ward import Shared, ward


async def play(
    scenario: Scenario, folder: Path, seed: int, seconds: float, shared: Shared | None = None, **plan: object
) -> Run:
    """One run of it, judged.

    Args:
        scenario: which.
        folder: for logs and keys.
        seed: decides about every chance in it; the same seed breaks the same things in the same order.
        seconds: how long to go on breaking, about.
        shared: servers that others use, too; not for a scenario that harms them.
        plan: what the run must contain, beside what the scenario says.
    """
    luckless = Misfortune(seed)
    async with ward(
        folder,
        scenario.gateways,
        shared=None if scenario.own else shared,
        doorbell=luckless.connection if scenario.misfortune else None,
        worker=scenario.worker,
        standby=scenario.standby,
        backup=scenario.backup,
        early=scenario.early,
        new_master=scenario.new_master,
        counted=scenario.counted,
        program=scenario.program,
        **scenario.settings,
    ) as made:
        async with run(
            made,
            seed,
            churn=scenario.churn,
            patience=20,
            **scenario.load,
            **({"faults": scenario.faults} | plan | scenario.plan),
        ) as going:
            going.doorbell = luckless
            await scenario.breaks(going, seconds)
    return going

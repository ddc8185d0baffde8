"""Random concurrent operations over real processes: never a patient's channel without staff, and every outcome the rules' own."""

import asyncio
import contextlib
from pathlib import Path
from random import Random

import asyncpg
import pytest

from tests.property.crew import Crew
from tests.property.expected import missing
from tests.property.harness import OPERATIONS, WHOLE, Harness, Played, observed, processes, seed
from tests.property.observing import JOINED_WHILE_PENDING, Observer, deadlocks
from tests.support.cast import Clinic
from tests.support.site import Site


@pytest.mark.timeout(1800)
async def test_every_outcome_is_the_rules_own(
    clinic: Clinic, site: Site, database_url: str, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    played = Played(seed())
    async with (
        asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool,
        observed(database_url) as observer,
        processes(site, clinic, tmp_path) as (lines, crew),
    ):
        trouble = asyncio.create_task(crew.trouble(owner, Random(played.seed), max(2, OPERATIONS // 500)))
        try:
            await Harness(clinic, pool, lines, played).play(OPERATIONS)
        finally:
            trouble.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await trouble
    tell(played, observer, crew)
    assert observer.found == []
    assert await owner.fetch(JOINED_WHILE_PENDING) == []
    assert await deadlocks(owner) == 0
    lacking = missing(played.seen, 50 if OPERATIONS >= WHOLE else 1)
    # A selection may happen to miss one or the other; the whole must have shown each fifty times.
    assert len(lacking) <= (0 if OPERATIONS >= WHOLE else 3), lacking


def tell(played: Played, observer: Observer, crew: Crew) -> None:
    """Print what was seen."""
    said = f"{played.operations} operations in {played.wards} clinics, {played.retries} put off, {observer.snapshots} snapshots"
    print(f"\nseed {played.seed}: {said}, {crew.killed} workers killed, {crew.halted} times halted")
    for label, count in sorted(played.seen.items()):
        print(f"{count:6} {label}")

"""The whole: gateways and workers as processes over one database, wards played side by side, and the observer beside them."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import asyncpg

from server.dispatching import Dispatcher
from tests.property.crew import Crew
from tests.property.driving import Inside, Line, Outside
from tests.property.founding import ward
from tests.property.observing import NEVER, Observer
from tests.property.playing import Game
from tests.support.cast import Clinic
from tests.support.site import Site

OPERATIONS = int(os.environ.get("PROPERTY_OPERATIONS", "1000"))
"""How many: `make property` does the whole, `make test` a selection."""
WHOLE = 10_000
AT_ONCE = 6
"""Wards played side by side."""
ROUNDS = 12
"""After so many rounds another ward begins: people come to an end."""


@dataclass
class Played:
    """What was seen."""

    seed: str
    operations: int = 0
    wards: int = 0
    retries: int = 0
    seen: Counter[str] = field(default_factory=Counter)


@dataclass
class Harness:
    """Plays so many operations, reproducibly as far as what happens at the same time allows."""

    clinic: Clinic
    owner: asyncpg.Pool
    lines: Sequence[Line]
    played: Played

    async def play(self, operations: int) -> Played:
        """Play wards until so many things were done. Raises Unexplained, with the seed and the ward to play again."""
        try:
            async with asyncio.TaskGroup() as tables:
                for _ in range(AT_ONCE):
                    tables.create_task(self._table(operations))
        except* AssertionError as wrong:
            raise wrong.exceptions[0] from None
        return self.played

    async def _table(self, operations: int) -> None:
        while self.played.operations < operations:
            number = self.played.wards
            self.played.wards += 1
            await self.ward(number, operations)

    async def ward(self, number: int, operations: int) -> None:
        """Play one ward; what it does depends on the seed and its number alone, and on what came first."""
        rng = Random(f"{self.played.seed}/{number}")
        game = Game(await ward(self.clinic, self.owner, rng, number), self.owner, self.lines, rng)
        try:
            for _ in range(ROUNDS):
                if self.played.operations >= operations:
                    break
                done = await game.round()
                self.played.operations += done
        except AssertionError as wrong:
            done = "\n".join(f"  {deed}" for deed in game.deeds)
            raise AssertionError(
                f"seed {self.played.seed}, ward {number}\n{wrong}\neverything done there:\n{done}"
            ) from wrong
        finally:
            self.played.seen += game.seen
            self.played.retries += game.retries


@contextlib.asynccontextmanager
async def processes(
    site: Site, clinic: Clinic, folder: Path, gateways: int = 2, workers: int = 2
) -> AsyncIterator[tuple[list[Line], Crew]]:
    """Gateways and workers as processes, and the lines to them; this process is one more that acts."""
    fast = {"WARMLINE_OPERATIONS_PER_SECOND": "1000", "WARMLINE_OPERATIONS_BURST": "10000"}
    crew = Crew(site.environment | fast, folder, workers)
    outside = [Outside(site, await site.gateway(**fast)) for _ in range(gateways)]
    lines: list[Line] = [*outside, Inside(Dispatcher(clinic.database, clinic.batcher))]
    try:
        yield lines, crew
    finally:
        for line in outside:
            await line.http.aclose()
        await crew.close()


@contextlib.asynccontextmanager
async def observed(url: str, looks_for: Mapping[str, str] = NEVER) -> AsyncIterator[Observer]:
    """With the observer looking on."""
    observer = Observer(url, looks_for)
    looking = asyncio.create_task(observer.run())
    try:
        yield observer
    finally:
        observer.stop()
        await looking


def seed() -> str:
    """PROPERTY_SEED, or a fresh one."""
    return os.environ.get("PROPERTY_SEED") or str(Random().getrandbits(32))

"""The same deeds through a product whose own locks and checks are taken out, here in the test and nowhere else: what then keeps
patients' channels staffed is the trigger alone."""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import asyncpg
import pytest

from server import locks
from server.chat import memberships, participation
from server.chat.participation import Join, Place, Team
from server.db import Database
from server.dispatching import Dispatcher
from server.people import archivings
from tests.property.choosing import Chooser, Deed
from tests.property.driving import Driver, Inside, reason
from tests.property.founding import Ward, ward
from tests.property.reading import read
from tests.support.cast import MASTER, Clinic
from workers.handlers import HANDLERS
from workers.jobs import Worker

_TRIES = 4
TRIGGERED = ("memberships", "people", "channels")
"""The tables that carry the trigger."""


async def _no_lock(*_: Any, **__: Any) -> None:
    """Lock nothing."""


async def _no_check(*_: Any, **__: Any) -> None:
    """Refuse nobody."""


def take_out(monkeypatch: pytest.MonkeyPatch) -> int:
    """Take the locks and the checks out of every module that uses them; in how many places."""
    planned = participation.staff

    def staff(places: list[Place], team: Team) -> tuple[list[Join], list[str]]:
        return planned(places, team)[0], []

    instead: dict[Any, Any] = {
        locks.lock: _no_lock,
        memberships.require_active: _no_check,
        archivings.require_available: _no_check,
        archivings.require_archivable: _no_check,
        planned: staff,
    }
    places = 0
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] in ("server", "workers")]:
        for name, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__hash__", None) and value in instead:
                monkeypatch.setattr(module, name, instead[value])
                places += 1
    return places


class Reckless(Inside):
    """Calls that fail in whatever way: deadlock victims, and what trips over another, are tried again."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher)
        self.answers: Counter[str] = Counter()

    async def __call__(self, ward: Ward, person: str, name: str, params: dict[str, Any]) -> tuple[int, Any]:
        """Do it, or at last give up."""
        for _ in range(_TRIES):
            with contextlib.suppress(Exception):
                status, told = await super().__call__(ward, person, name, params)
                if status not in (429, 503):
                    self.answers["done" if status == 200 else reason(status, told)] += 1
                    return status, told
        self.answers["given up"] += 1
        return 409, "given up"


@contextlib.asynccontextmanager
async def hands(clinic: Clinic, url: str, count: int) -> AsyncIterator[list[Reckless]]:
    """So many lines, each over connections of its own, and as many workers."""
    databases = [Database(url, MASTER, lambda topic, payload: None) for _ in range(count)]
    stopped, workers = asyncio.Event(), []
    for database in databases:
        await database.start()
        workers.append(asyncio.create_task(Worker(database, HANDLERS).run(stopped)))
    try:
        yield [Reckless(Dispatcher(database, clinic.batcher)) for database in databases]
    finally:
        stopped.set()
        await asyncio.gather(*workers)
        for database in databases:
            await database.stop()


async def churn(
    clinic: Clinic, owner: asyncpg.Pool, lines: list[Reckless], seed: str, rounds: int, at_once: int
) -> None:
    """Play one ward at full pace, nothing explained."""
    rng = Random(seed)
    played = await ward(clinic, owner, rng, int(seed.rpartition("/")[2]))
    chooser = Chooser(rng, Counter())
    for _ in range(rounds):
        async with owner.acquire() as connection:
            before = await read(connection, played.cast.organization_id, played.names)
        deeds = chooser.several(before, at_once, f"p{len(before.patients)}")
        await asyncio.gather(*(_do(played, deed, rng.choice(lines)) for deed in deeds))


async def _do(played: Ward, deed: Deed, line: Reckless) -> None:
    await Driver(played, line).do(deed)

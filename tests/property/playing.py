"""Plays one ward: rounds of things that happen at the same time, each explained by the oracle before the next begins."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import asyncpg

from tests.property.choosing import Chooser, Deed
from tests.property.driving import Driver, Line, plan, reason
from tests.property.founding import Ward
from tests.property.reading import quiet, read
from tests.property.serial import Search
from tests.property.situation import Clinic
from tests.property.verdicts import OK, Outcome, Step

_PENDING = "select true from archivings where person_id = $1 and status = 'pending'"
_SETTLED = "select status, why from archivings where id = $1"


class Unexplained(AssertionError):
    """What happened is not what any order of the deeds comes to."""


class Game:
    """One ward, the lines its people act over, and what was seen in it."""

    def __init__(self, ward: Ward, owner: asyncpg.Pool, lines: Sequence[Line], rng: Random) -> None:
        self._ward, self._owner, self._lines, self._rng = ward, owner, lines, rng
        self.seen: Counter[str] = Counter()
        self.deeds: list[Deed] = []
        self.retries = 0
        self._chooser = Chooser(rng, self.seen)

    async def round(self) -> int:
        """One round: how many things were done. Raises Unexplained."""
        await quiet(self._owner, self._ward.cast.organization_id)
        before = await self._read()
        count = self._rng.randint(3, 5)
        deeds = self._chooser.several(before, count, f"p{len(before.patients)}")
        self.deeds += deeds
        starts = [(deed, self._rng.choice(self._lines), self._rng.random() * 0.06) for deed in deeds]
        told = await asyncio.gather(*(self._do(*start) for start in starts))
        await quiet(self._owner, self._ward.cast.organization_id)
        after = await self._read()
        lines = [[more for step in steps for more in await self._settled(step)] for steps in told if steps]
        search = Search(lines, after)
        order = search.order(before)
        if order is None:
            raise Unexplained(_report(self._ward.number, before, after, lines, search))
        self._count(order)
        return len(deeds)

    async def _do(self, deed: Deed, line: Line, wait: float) -> list[Step]:
        await asyncio.sleep(wait)
        if "after" in deed.facts:
            await self._pending(self._ward.id(deed.facts["after"]))
        driver = Driver(self._ward, line)
        try:
            return await driver.do(deed)
        finally:
            self.retries += driver.retries

    async def _pending(self, person: str) -> None:
        """Wait a moment, perhaps in vain, for somebody to be on their way out."""
        for _ in range(50):
            if await self._owner.fetchval(_PENDING, person):
                return
            await asyncio.sleep(0.005)

    async def _read(self) -> Clinic:
        async with self._owner.acquire() as connection:
            return await read(connection, self._ward.cast.organization_id, self._ward.names)

    async def _settled(self, step: Step) -> list[Step]:
        """The step with what only the end tells: the names in a preview, and what the worker made of a request."""
        if step.verb in ("preview", "request"):
            told = plan(self._ward.names, step["told"])
            return [replace(step, facts={"person": step["person"], "successor": step["successor"], "plan": told})]
        if step.verb != "work":
            return [step]
        row = await self._owner.fetchrow(_SETTLED, step["archiving"])
        if row["status"] == "done":
            return [replace(step, result=OK)]
        return [replace(step, verb="refuse", result=reason(409, row["why"])), replace(step, verb="lift", result=OK)]

    def _count(self, order: list[tuple[Step, Outcome]]) -> None:
        for _, outcome in order:
            self.seen.update(outcome.counts)


def _report(number: int, before: Clinic, after: Clinic, lines: Sequence[Sequence[Step]], search: Search) -> str:
    said = [f"ward {number}: no order of these explains what became of them ({search.tried} steps tried)"]
    said += [
        f"  {step.verb} by {step.actor or 'worker'} {step.facts} -> {step.result}" for line in lines for step in line
    ]
    said += ["the nearest order lacks:", *(f"  {line}" for line in search.closest)]
    said += ["before:", *_situation(before), "after:", *_situation(after)]
    return "\n".join(said)


def _situation(clinic: Clinic) -> list[str]:
    said = [f"  staff {clinic.staff}", f"  patients {clinic.patients}", f"  rules {clinic.rules}"]
    said += [f"  patient groups {clinic.cohorts}, net {clinic.net}"]
    return said + [f"  {key}: {channel}" for key, channel in clinic.channels.items()]

"""Without the product's own locks and checks the trigger alone keeps patients' channels staffed; without it, nothing does."""

import asyncio
from collections import Counter

import asyncpg
import pytest

from tests.property import reckless
from tests.property.harness import OPERATIONS, observed, seed
from tests.property.observing import UNSTAFFED
from tests.support.cast import Clinic

ROUNDS, AT_ONCE = 8, 8
"""Rounds in a ward, and what happens at the same time in each."""


async def play(
    clinic: Clinic, url: str, operations: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Counter[str], list[str]]:
    """Churn with everything taken out; what was answered, and what the observer found."""
    assert reckless.take_out(monkeypatch) >= 12
    drawn = seed()
    print(f"seed {drawn}")
    async with (
        asyncpg.create_pool(url, min_size=1, max_size=4) as owner,
        observed(url, {"unstaffed": UNSTAFFED}) as observer,
        reckless.hands(clinic, url, 3) as lines,
    ):
        wards = asyncio.Semaphore(6)

        async def play(number: int) -> None:
            async with wards:
                await reckless.churn(clinic, owner, lines, f"{drawn}/{number}", ROUNDS, AT_ONCE)

        await asyncio.gather(*(play(number) for number in range(operations // (ROUNDS * AT_ONCE))))
    answers = sum((line.answers for line in lines), Counter[str]())
    print(answers)
    return answers, observer.found


async def test_the_trigger_alone_holds(clinic: Clinic, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, found = await play(clinic, database_url, max(400, OPERATIONS // 4), monkeypatch)
    assert found == []
    assert answers["last"] > 0, "the trigger was asked"
    assert answers["done"] > answers["given up"]


async def test_without_it_the_observer_sees_channels_without_staff(
    clinic: Clinic, database_url: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in reckless.TRIGGERED:
        await owner.execute(f"alter table {table} disable trigger patient_channel_has_staff")
    _, found = await play(clinic, database_url, 400, monkeypatch)
    assert found

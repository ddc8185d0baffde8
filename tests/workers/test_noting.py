"""What came of emails is written down for several connections at once, and is committed before any of them goes on."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from server.errors import Unavailable
from server.ids import now
from server.notices import mails
from server.notices.mails import Outcome
from tests.support.cast import Clinic
from tests.support.owed import notice_of, owe_email
from workers.noting import Notes


async def sent(clinic: Clinic, count: int) -> list[tuple[str, Outcome]]:
    """So many emails of which the relay has said yes, and nobody has noted it: a row of the ledger for each."""
    owed = {}
    for _ in range(count):
        person = await clinic.patient()
        owed[person] = (await owe_email(clinic, person))[1]
    async with clinic.database.transaction() as tx:
        due, _ = await mails.claim(tx, count, now())
    return [(owed[each.person_id], Outcome(each, "sent", "accepted", "sent")) for each in due]


async def test_what_comes_together_is_one_statement_and_each_returns_when_theirs_is_written(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, settle = [], mails.settle

    async def counted(fetch: Any, outcomes: Sequence[Outcome], at: Any) -> None:
        pages.append(len(outcomes))
        await settle(fetch, outcomes, at)

    monkeypatch.setattr(mails, "settle", counted)
    notes, ended = Notes(clinic.database), await sent(clinic, 9)

    async def note(owed: str, outcome: Outcome) -> None:
        await notes.note(outcome)
        assert await notice_of(clinic, owed) == ("sent", "sent")

    await asyncio.gather(*(note(*each) for each in ended))
    assert pages == [1, 8]


async def test_what_could_not_be_written_is_written_by_the_next_who_can(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, settle = [], mails.settle

    async def away_at_first(fetch: Any, outcomes: Sequence[Outcome], at: Any) -> None:
        tries.append(len(outcomes))
        if len(tries) == 2:
            raise Unavailable("The database is away.")
        await settle(fetch, outcomes, at)

    monkeypatch.setattr(mails, "settle", away_at_first)
    notes, ended = Notes(clinic.database), await sent(clinic, 4)
    told = await asyncio.gather(*(notes.note(outcome) for _, outcome in ended), return_exceptions=True)
    assert [type(each) for each in told] == [type(None), Unavailable, type(None), type(None)]
    assert tries == [1, 3, 3]
    assert [await notice_of(clinic, owed) for owed, _ in ended] == [("sent", "sent")] * 4

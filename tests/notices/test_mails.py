"""Unread emails on their way: one per person, claimed once, put off and given up, and never sent after it ended."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from server.ids import now
from server.notices import mails
from server.notices.mails import GIVEN_UP, LEASE, STARTS, MailDue, Outcome
from tests.support.cast import Clinic
from tests.support.owed import mail_of, mails_of, notice_of, owe_email
from tests.support.reaching import Reaching


async def claimed(clinic: Clinic, at: datetime | None = None, most: int = 10) -> list[MailDue]:
    async with clinic.database.transaction() as tx:
        return (await mails.claim(tx, most, at or now()))[0]


async def settled(clinic: Clinic, due: MailDue, *ends: Any) -> None:
    async with clinic.database.transaction() as tx:
        await mails.settle(tx.rows, [Outcome(due, *(ends or ("sent", "accepted", "sent")))], now())


async def put_off(clinic: Clinic, due: MailDue, at: datetime) -> bool:
    async with clinic.database.transaction() as tx:
        return await mails.again(tx, due, "smtp_451", at)


async def test_one_mail_answers_for_all_that_is_due_for_a_person(clinic: Clinic) -> None:
    person = await clinic.patient()
    owed = [(await owe_email(clinic, person))[1] for _ in range(3)]
    [due] = await claimed(clinic)
    assert (due.person_id, due.attempts, due.mail.kind) == (person, 1, "patient")
    assert due.mail.organization is None
    assert await claimed(clinic) == []
    await settled(clinic, due)
    assert [await notice_of(clinic, each) for each in owed] == [("sent", "sent")] * 3
    row = await mail_of(clinic, person)
    assert (row["status"], row["attempts"], row["starts"], row["claimed_until"]) == ("sent", 1, 0, None)
    tied = await clinic.sql("select mail_id from notices where person_id = $1", person)
    assert {each["mail_id"] for each in tied} == {due.mail.id}


async def test_what_falls_due_meanwhile_goes_along_and_what_comes_after_goes_in_another(clinic: Clinic) -> None:
    person = await clinic.patient()
    await owe_email(clinic, person)
    [first] = await claimed(clinic)
    await put_off(clinic, first, now())
    _, along = await owe_email(clinic, person)
    [second] = await claimed(clinic, now() + timedelta(minutes=1))
    assert (second.mail.id, second.attempts) == (first.mail.id, 2)
    await settled(clinic, second)
    assert await notice_of(clinic, along) == ("sent", "sent")
    await owe_email(clinic, person)
    [third] = await claimed(clinic)
    assert third.mail.id != first.mail.id
    assert third.mail.code != first.mail.code


async def test_each_of_two_organisations_has_its_own(clinic: Clinic, elsewhere: Clinic) -> None:
    people = set()
    for each in (clinic, elsewhere):
        person = await each.patient()
        await owe_email(each, person)
        people.add(person)
    due = await claimed(clinic)
    assert {each.person_id for each in due} == people
    assert {each.organization_id for each in due} == {clinic.organization_id, elsewhere.organization_id}


async def test_the_name_of_an_organisation_that_wants_it_goes_along(clinic: Clinic) -> None:
    await clinic.sql(
        "insert into organization_settings (organization_id, named_in_email) values ($1, true)", clinic.organization_id
    )
    await owe_email(clinic, await clinic.patient())
    [due] = await claimed(clinic)
    [row] = await clinic.sql("select name from organizations where id = $1", clinic.organization_id)
    assert due.mail.organization == row["name"]


async def test_of_any_number_of_workers_one_has_it(clinic: Clinic) -> None:
    people = [await clinic.patient() for _ in range(6)]
    for person in people:
        await owe_email(clinic, person)
    found = await asyncio.gather(*(claimed(clinic, most=2) for _ in range(6)))
    # Some may have met another's new mail on their way and claimed less than they might have; the rest is there for the next.
    found.append(await claimed(clinic))
    assert sorted(due.person_id for some in found for due in some) == sorted(people)
    assert all([len(await mails_of(clinic, person)) == 1 for person in people])


async def test_who_was_too_slow_has_lost_it(clinic: Clinic) -> None:
    person = await clinic.patient()
    await owe_email(clinic, person)
    [slow] = await claimed(clinic)
    [quick] = await claimed(clinic, now() + LEASE + timedelta(seconds=1))
    async with clinic.database.transaction() as tx:
        assert [each.attempts for each in await mails.recheck(tx, [slow, quick], now())] == [quick.attempts]
    await put_off(clinic, slow, now())
    assert (await mail_of(clinic, person))["claimed_until"] is not None
    await settled(clinic, slow)  # it was sent after all: then nobody sends it once more
    async with clinic.database.transaction() as tx:
        assert await mails.recheck(tx, [quick], now()) == []
    assert (await mail_of(clinic, person))["status"] == "sent"


async def test_put_off_it_waits_longer_each_time_and_is_given_up_in_the_end(clinic: Clinic) -> None:
    person = await clinic.patient()
    _, owed = await owe_email(clinic, person)
    at, waits = now(), []
    while True:
        [due] = await claimed(clinic, at)
        if not await put_off(clinic, due, at):
            break
        row = await mail_of(clinic, person)
        assert (row["status"], row["why"], row["starts"]) == ("sending", "smtp_451", 0)
        waits.append(row["due_at"] - at)
        assert await claimed(clinic, row["due_at"] - timedelta(seconds=1)) == []
        at = row["due_at"]
    assert waits[:3] == [timedelta(seconds=seconds) for seconds in (15, 30, 60)]
    assert waits == sorted(waits)
    assert max(waits) == timedelta(minutes=30)
    assert sum(waits, timedelta()) >= GIVEN_UP
    assert (await mail_of(clinic, person))["status"] == "dead"
    assert await notice_of(clinic, owed) == ("dead", "given_up")


@pytest.mark.catalogue("R31")
async def test_a_mail_that_nobody_comes_back_from_is_set_aside_after_three_starts(clinic: Clinic) -> None:
    poison, well = await clinic.patient(), await clinic.patient()
    _, owed = await owe_email(clinic, poison)
    at = now()
    for number in range(STARTS):
        [due] = await claimed(clinic, at)
        assert (due.person_id, due.attempts) == (poison, number + 1)
        assert await claimed(clinic, at + LEASE - timedelta(seconds=1)) == []
        at += LEASE + timedelta(seconds=1)
    await owe_email(clinic, well)
    assert [due.person_id for due in await claimed(clinic, at)] == [well]
    assert (await mail_of(clinic, poison))["status"] == "dead"
    assert await notice_of(clinic, owed) == ("dead", "killed")


async def test_who_comes_back_starts_from_nothing(clinic: Clinic) -> None:
    person = await clinic.patient()
    await owe_email(clinic, person)
    at = now()
    for _ in range(2 * STARTS):
        [due] = await claimed(clinic, at)
        async with clinic.database.transaction() as tx:
            await mails.release(tx, [due], at)
        row = await mail_of(clinic, person)
        assert (row["starts"], row["claimed_until"], row["status"]) == (0, None, "sending")
    assert row["attempts"] == 2 * STARTS


@pytest.mark.parametrize(
    ("status", "why", "word", "ends"),
    [
        ("refused", "smtp_550", "refused", ("failed", "refused")),
        ("refused", "no_address", "no_address", ("failed", "no_address")),
    ],
)
async def test_what_the_relay_never_takes_is_over(
    clinic: Clinic, status: str, why: str, word: str, ends: tuple[str, str]
) -> None:
    person = await clinic.patient()
    _, owed = await owe_email(clinic, person)
    [due] = await claimed(clinic)
    await settled(clinic, due, status, why, word)
    row = await mail_of(clinic, person)
    assert (row["status"], row["why"]) == (status, why)
    assert await notice_of(clinic, owed) == ends
    assert await claimed(clinic, now() + timedelta(days=1)) == []


async def test_where_no_mail_is_sent_the_ledger_says_so(clinic: Clinic) -> None:
    person = await clinic.patient()
    _, owed = await owe_email(clinic, person)
    async with clinic.database.transaction() as tx:
        assert await mails.none_go(tx, 10, now()) == 1
        assert await mails.none_go(tx, 10, now()) == 0
    assert await notice_of(clinic, owed) == ("suppressed", "no_relay")
    assert await mails_of(clinic, person) == []


async def test_from_the_log_to_the_mail_and_armed_again_when_the_mark_moves(clinic: Clinic, reaching: Reaching) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)

    async def mailed() -> list[str]:
        await reaching.plan()
        due = await claimed(clinic, reaching.at)
        for each in due:
            await settled(clinic, each)
        return [each.person_id for each in due]

    sent = await reaching.send(clinic.clinician, channel)
    reaching.later(minutes=4, seconds=59)
    assert await mailed() == []
    reaching.later(seconds=1)
    assert await mailed() == [patient]
    await reaching.send(clinic.clinician, channel)
    reaching.later(minutes=6)
    assert await mailed() == []  # they have been told of this episode
    await reaching.read(patient, channel, sent["offset"] + 1)
    await reaching.send(clinic.clinician, channel)
    reaching.later(minutes=6)
    assert await mailed() == [patient]

"""Unattended messages (domain.md §4): told again after a period, the chain's people brought in after a second, over when read."""

import re
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from server.db import Database, Transaction
from server.ids import now
from server.notices import escalation, unattended
from tests.support.cast import Clinic
from workers import unattended as worker


class Waiting:
    """A patient who has written in a channel that nobody of the team has read."""

    def __init__(self, clinic: Clinic, patient: str, channel: str, sent: dict[str, Any]) -> None:
        self.clinic, self.patient, self.channel, self.sent = clinic, patient, channel, sent
        self.begun = now()

    async def note(self) -> None:
        async with self.clinic.database.transaction() as tx:
            await unattended.note(tx, [(self.clinic.organization_id, self.channel)])

    async def after(self, hours: float) -> None:
        """What the worker does when it looks so many hours later."""
        at = self.begun + timedelta(hours=hours)
        async with self.clinic.database.transaction() as tx:
            found = await unattended.due(tx, at)
        for organization_id, channel in found:
            if channel == self.channel:
                async with self.clinic.database.transaction() as tx:
                    await escalation.attend(tx, organization_id, channel, at)

    async def notices(self) -> list[tuple[str, str, int]]:
        """(medium, person, offset) of every unattended notice, in order."""
        rows = await self.clinic.sql(
            """select medium, person_id, log_offset from notices
                where channel_id = $1 and cause = 'unattended' order by log_offset, medium, person_id""",
            self.channel,
        )
        return [tuple(row) for row in rows]

    async def stands(self, person: str) -> bool:
        """Whether it stands under Unattended in this person's message centre."""
        listed = await self.clinic.call(person, "channel.list")
        return next(bool(row["unattended"]) for row in listed["channels"] if row["id"] == self.channel)

    async def stage(self) -> str:
        [row] = await self.clinic.sql("select stage from unattended where channel_id = $1", self.channel)
        return str(row["stage"])

    async def read(self, person: str) -> None:
        await self.clinic.call(
            person, "channel.read", channel_id=self.channel, offset=await self.clinic.top(self.channel)
        )


@pytest.fixture
async def waiting(clinic: Clinic) -> Waiting:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, colleague)
    found = Waiting(clinic, patient, channel, await clinic.send(patient, channel, "Is anybody there?"))
    await found.note()
    return found


def team(*people: str, offset: int) -> list[tuple[str, str, int]]:
    """What is due for these people: an email and a push each."""
    return [(medium, person, offset) for medium in ("email", "push") for person in sorted(people)]


async def members(clinic: Clinic, channel: str) -> dict[str, dict[str, Any]]:
    rows = await clinic.sql("select * from memberships where channel_id = $1 and person_kind = 'team_member'", channel)
    return {row["person_id"]: dict(row) for row in rows}


async def test_nothing_happens_before_the_time(waiting: Waiting) -> None:
    await waiting.after(23.9)
    assert await waiting.notices() == []
    assert await waiting.stage() == "waiting"


async def test_the_team_is_told_again_and_the_channel_stands_under_unattended_until_it_is_read(
    waiting: Waiting,
) -> None:
    clinic, [colleague] = waiting.clinic, await members(waiting.clinic, waiting.channel)
    assert not await waiting.stands(colleague)
    await waiting.after(24.1)
    assert await waiting.notices() == team(colleague, offset=waiting.sent["offset"])
    assert await waiting.stands(colleague)
    listed = await clinic.call(waiting.patient, "channel.list")
    assert [row["unattended"] for row in listed["channels"]] == [False]
    await waiting.read(colleague)
    assert not await waiting.stands(colleague)
    await waiting.after(49)
    assert await waiting.stage() == "over"
    assert len(await waiting.notices()) == 2


async def test_after_a_second_period_the_chain_comes_in_with_the_message_unread(
    waiting: Waiting, owner: asyncpg.Connection
) -> None:
    clinic, [colleague] = waiting.clinic, await members(waiting.clinic, waiting.channel)
    await waiting.after(24.1)
    await waiting.after(48)
    assert len(await members(clinic, waiting.channel)) == 1  # the second period runs from the first notice
    await waiting.after(48.2)
    found = await members(clinic, waiting.channel)
    added = found[clinic.clinician]
    assert added["source"] == "fallback"
    assert added["read_offset"] == waiting.sent["offset"] - 1
    assert added["visible_from"] == 1
    assert await waiting.notices() == team(colleague, clinic.clinician, offset=waiting.sent["offset"])
    assert await waiting.stands(clinic.clinician)
    assert await waiting.stage() == "escalated"
    [event] = await clinic.sql(
        "select facts from events where channel_id = $1 order by log_offset desc limit 1", waiting.channel
    )
    assert added["id"] in event["facts"]
    [entry] = await owner.fetch(
        "select facts from audit_entries where channel_id = $1 and operation = 'channel.handed_over'", waiting.channel
    )
    assert clinic.clinician in entry["facts"]
    await waiting.after(500)
    assert len(await waiting.notices()) == 4
    await waiting.read(clinic.clinician)
    assert not await waiting.stands(colleague)


async def test_who_is_there_already_is_passed_over(clinic: Clinic) -> None:
    patient, net = await clinic.patient(), await clinic.team_member()
    await clinic.sql("insert into organization_settings values ($1, '', $2)", clinic.organization_id, net)
    channel = await clinic.care_team(patient, clinic.clinician)
    waiting = Waiting(clinic, patient, channel, await clinic.send(patient, channel, "Hello?"))
    await waiting.note()
    await waiting.after(24.1)
    await waiting.after(48.2)
    assert set(await members(clinic, channel)) == {clinic.clinician, net}


async def test_where_nobody_is_left_the_team_has_been_told_and_that_is_all(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient, clinic.clinician)
    waiting = Waiting(clinic, patient, channel, await clinic.send(patient, channel, "Hello?"))
    await waiting.note()
    await waiting.after(24.1)
    await waiting.after(48.2)
    assert await waiting.stage() == "escalated"
    assert await waiting.stands(clinic.clinician)


async def test_in_a_service_channel_a_fallback_sees_from_the_unread_message_on(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    opened = await clinic.call(
        colleague, "channel.activate", patient_id=patient, kind="service_team", team_member_ids=[colleague]
    )
    channel = opened["channel_id"]
    await clinic.send(colleague, channel, "Before")
    waiting = Waiting(clinic, patient, channel, await clinic.send(patient, channel, "Hello?"))
    await waiting.note()
    await waiting.after(24.1)
    await waiting.after(48.2)
    added = (await members(clinic, channel))[clinic.clinician]
    assert added["visible_from"] == waiting.sent["offset"]


async def test_a_partial_reading_lets_the_clock_begin_again_with_the_next_message(waiting: Waiting) -> None:
    clinic, [colleague] = waiting.clinic, await members(waiting.clinic, waiting.channel)
    second = await clinic.send(waiting.patient, waiting.channel, "And another thing")
    await clinic.call(colleague, "channel.read", channel_id=waiting.channel, offset=waiting.sent["offset"])
    await waiting.after(24.1)  # finds the first read
    [row] = await clinic.sql("select log_offset, stage from unattended where channel_id = $1", waiting.channel)
    assert tuple(row) == (second["offset"], "waiting")
    await waiting.after(24.2)
    assert await waiting.notices() == team(colleague, offset=second["offset"])


async def test_after_a_notice_the_next_message_has_a_time_of_its_own(waiting: Waiting) -> None:
    clinic, [colleague] = waiting.clinic, await members(waiting.clinic, waiting.channel)
    second = await clinic.send(waiting.patient, waiting.channel, "And another thing")
    await waiting.after(24.1)
    await clinic.call(colleague, "channel.read", channel_id=waiting.channel, offset=waiting.sent["offset"])
    await waiting.after(24.11)  # finds the first read
    await waiting.after(24.12)
    assert await waiting.notices() == [
        *team(colleague, offset=waiting.sent["offset"]), *team(colleague, offset=second["offset"]),
    ]  # fmt: skip
    await waiting.read(colleague)
    await waiting.after(24.13)
    assert await waiting.stage() == "over"


@pytest.mark.parametrize("what", ["deleted", "archived channel"])
async def test_what_is_gone_is_over(waiting: Waiting, what: str) -> None:
    clinic, [colleague] = waiting.clinic, await members(waiting.clinic, waiting.channel)
    if what == "deleted":
        await clinic.call(
            waiting.patient,
            "message.delete",
            channel_id=waiting.channel,
            message_id=waiting.sent["message_id"],
            expected_revision=1,
        )
    else:
        await clinic.call(colleague, "channel.archive", channel_id=waiting.channel)
    await waiting.after(24.1)
    assert await waiting.notices() == []
    assert await waiting.stage() == "over"
    if what == "archived channel":  # the message is still unread when it is opened again
        await clinic.call(colleague, "channel.unarchive", channel_id=waiting.channel)
        await waiting.note()
        await waiting.after(24.2)
        assert await waiting.notices() == team(colleague, offset=waiting.sent["offset"])


async def test_somebody_added_by_hand_has_read_nothing_before_their_join(waiting: Waiting) -> None:
    clinic, [colleague] = waiting.clinic, await members(waiting.clinic, waiting.channel)
    newcomer = await clinic.team_member()
    await clinic.add(waiting.channel, newcomer, by=colleague)
    await waiting.after(24.1)
    assert await waiting.notices() == team(colleague, newcomer, offset=waiting.sent["offset"])


async def test_staff_who_write_without_being_answered_wait_for_nobody(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient, clinic.clinician)
    waiting = Waiting(clinic, patient, channel, await clinic.send(clinic.clinician, channel, "How are you?"))
    await waiting.note()
    assert await clinic.sql("select * from unattended where channel_id = $1", channel) == []


async def test_the_hours_are_the_organisations(clinic: Clinic) -> None:
    await clinic.sql(
        "insert into organization_settings (organization_id, unattended_hours) values ($1, 2)", clinic.organization_id
    )
    patient = await clinic.patient()
    channel = await clinic.care_team(patient, clinic.clinician)
    waiting = Waiting(clinic, patient, channel, await clinic.send(patient, channel, "Hello?"))
    await waiting.note()
    await waiting.after(2.1)
    assert await waiting.notices() == team(clinic.clinician, offset=waiting.sent["offset"])


async def test_the_worker_does_what_is_due_and_one_failure_holds_up_no_other(
    waiting: Waiting, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clinic, patient = waiting.clinic, await waiting.clinic.patient()
    channel = await clinic.care_team(patient, clinic.clinician)
    other = Waiting(clinic, patient, channel, await clinic.send(patient, channel, "Hello?"))
    await other.note()
    await clinic.sql("update unattended set due_at = '2020-01-01' where channel_id = $1", channel)
    await clinic.sql("update unattended set due_at = '2020-01-02' where channel_id = $1", waiting.channel)
    attend = escalation.attend

    async def fails(tx: Transaction, organization_id: str, channel_id: str, at: datetime) -> None:
        if channel_id == channel:
            raise RuntimeError
        await attend(tx, organization_id, channel_id, at)

    monkeypatch.setattr(escalation, "attend", fails)
    await worker.sweep(database)
    assert (await waiting.stage(), await other.stage()) == ("noticed", "waiting")
    assert channel in caplog.text
    monkeypatch.undo()
    await worker.sweep(database)
    assert await other.stage() == "noticed"


async def test_each_message_that_stands_open_is_looked_at_by_its_key(clinic: Clinic) -> None:
    """Else it is all messages there are, for each channel that waits, every five seconds."""
    asked: list[str] = []

    class Watched(Transaction):
        async def rows(self, sql: str, /, *args: Any) -> list[dict[str, Any]]:
            asked.append(sql)
            return await super().rows(sql, *args)

    async with clinic.database.transaction() as tx:
        await tx.rows("set local enable_seqscan = off")  # there are too few here for it to matter
        await unattended.due(Watched(tx.session, tx.keys), now())
        plan = [row["QUERY PLAN"] for row in await tx.rows("explain " + asked[0], now(), 100)]
    below = plan[next(number for number, line in enumerate(plan) if " on messages m" in line) + 1]
    assert re.search("Cond: .*log_offset = u.log_offset", below), "\n".join(plan)

"""Coming and going: who may add and remove whom, what the log says of it, and whose connections are told."""

import asyncio

import asyncpg
import pytest

from server import events
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.ids import MembershipId, PatientId, TeamMemberId
from tests.support.cast import Clinic


async def log(clinic: Clinic, channel: str) -> list[tuple[str, list[str], str | None]]:
    """What a channel's history says: type, members, by whom; oldest first."""
    page = await clinic.call(clinic.clinician, "message.history", channel_id=channel)
    return [(item["type"], item.get("members", []), item.get("by")) for item in reversed(page["items"])]


async def test_who_comes_and_goes_stands_in_the_log(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient)
    me, them = await clinic.membership(channel, clinic.clinician), await clinic.membership(channel, patient)
    added = await clinic.add(channel, colleague)
    left = await clinic.remove(channel, colleague, by=colleague)
    again = await clinic.add(channel, colleague)
    removed = await clinic.remove(channel, colleague)
    assert (added["offset"], left, again["offset"], removed) == (2, 3, 4, 5)
    assert added["member_id"] != again["member_id"]
    opened, *rest = await log(clinic, channel)
    assert (opened[0], set(opened[1]), opened[2]) == ("opened", {me, them}, me)
    assert rest == [
        ("joined", [added["member_id"]], me),
        ("left", [added["member_id"]], added["member_id"]),
        ("joined", [again["member_id"]], me),
        ("left", [again["member_id"]], me),
    ]
    rows = await clinic.sql(
        "select joined_offset, left_offset, visible_from, source from memberships where person_id = $1 order by 1",
        colleague,
    )
    assert [tuple(row) for row in rows] == [(2, 3, 1, "manual"), (4, 5, 1, "manual")]


async def test_connections_of_who_comes_or_goes_are_told_after_the_commit(clinic: Clinic) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient())
    for change in (clinic.add, clinic.remove):
        clinic.published.clear()
        await change(channel, colleague)
        told = dict(clinic.published)
        hint = told[events.person_topic(clinic.organization_id, colleague)]
        assert hint.decode() == f"{clinic.organization_id}:{channel}"
        event = events.decode(told[events.topic(clinic.organization_id, channel)])
        assert event.offset == await clinic.top(channel)


async def test_adding_whom_one_cannot_add_says_why(clinic: Clinic, elsewhere: Clinic) -> None:
    archived, stranger, patient = await clinic.team_member(), await elsewhere.team_member(), await clinic.patient()
    await clinic.archive(archived)
    channel = await clinic.care_team(await clinic.patient())
    with pytest.raises(Conflict, match="archived"):
        await clinic.add(channel, archived)
    with pytest.raises(Conflict, match="already"):
        await clinic.add(channel, clinic.clinician)
    for nobody in (stranger, TeamMemberId.new()):
        with pytest.raises(Invalid, match="no such person"):
            await clinic.add(channel, nobody)
    for other in (patient, PatientId.new(), await elsewhere.patient()):
        with pytest.raises(Forbidden, match="further patients"):
            await clinic.add(channel, other)
    direct = await clinic.channel("direct", clinic.clinician, await clinic.team_member())
    with pytest.raises(Forbidden, match="direct channel keeps"):
        await clinic.add(direct, await clinic.team_member())
    assert await clinic.offsets(channel) == await clinic.offsets(direct) == [1]


async def test_nobody_is_added_to_or_removed_from_what_is_not_ones_own(clinic: Clinic) -> None:
    """Not even with every permission there is: membership is access."""
    admin, doctor = await clinic.team_member("SUPERUSER"), await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), doctor)
    with pytest.raises(NotFound, match="no such channel"):
        await clinic.add(channel, admin, by=admin)
    with pytest.raises(NotFound, match="no such channel"):
        await clinic.remove(channel, doctor, by=admin)


async def test_in_care_anyone_of_the_team_adds_and_removing_others_takes_a_permission(clinic: Clinic) -> None:
    patient, nurse, other = (
        await clinic.patient(),
        await clinic.team_member("NURSE"),
        await clinic.team_member("DOCTOR"),
    )
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    await clinic.add(channel, other, by=nurse)
    with pytest.raises(Forbidden, match="Messaging Management"):
        await clinic.remove(channel, other, by=nurse)
    await clinic.remove(channel, other, by=other)
    for gone in (other, nurse):
        with pytest.raises((NotFound, Forbidden)):
            await clinic.remove(channel, nurse, by=patient if gone is nurse else gone)
    with pytest.raises(Forbidden, match="team members"):
        await clinic.add(channel, other, by=patient)
    with pytest.raises(Forbidden, match="Patients stay"):
        await clinic.remove(channel, patient, by=patient)
    with pytest.raises(Forbidden, match="Patients stay"):
        await clinic.remove(channel, patient)


async def test_in_groups_people_come_with_a_permission_and_leave_as_they_like(clinic: Clinic) -> None:
    doctor, patient, another = await clinic.team_member("DOCTOR"), await clinic.patient(), await clinic.patient()
    group = await clinic.channel("group", clinic.clinician, doctor, patient)
    with pytest.raises(Forbidden, match="Messaging Management"):
        await clinic.add(group, another, by=doctor)
    with pytest.raises(Forbidden, match="Messaging Management"):
        await clinic.remove(group, patient, by=doctor)
    await clinic.add(group, another)
    with pytest.raises(Forbidden):
        await clinic.remove(group, another, by=patient)
    await clinic.remove(group, patient, by=patient)
    await clinic.remove(group, doctor, by=doctor)
    await clinic.remove(group, another)
    with pytest.raises(NotFound):
        await clinic.call(patient, "channel.directory", channel_id=group)


async def test_a_membership_ends_once_and_in_its_own_channel(clinic: Clinic) -> None:
    colleague = await clinic.team_member()
    one, two = [await clinic.care_team(await clinic.patient(), clinic.clinician, colleague) for _ in range(2)]
    member = await clinic.membership(one, colleague)
    for wrong, channel in ((member, two), (MembershipId.new(), one)):
        with pytest.raises(NotFound, match="no such member"):
            await clinic.call(clinic.clinician, "member.remove", channel_id=channel, member_id=wrong)
    attempts = (clinic.call(clinic.clinician, "member.remove", channel_id=one, member_id=member) for _ in range(5))
    told = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in told) == ["NotFound"] * 4 + ["dict"]
    assert await clinic.offsets(one) == [1, 2]


async def test_the_same_person_added_many_times_at_once_is_in_once(clinic: Clinic) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient())
    told = await asyncio.gather(*(clinic.add(channel, colleague) for _ in range(5)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in told) == ["Conflict"] * 4 + ["dict"]
    assert await clinic.offsets(channel) == [1, 2]


async def test_who_is_archived_while_being_added_is_refused(clinic: Clinic, owner: asyncpg.Connection) -> None:
    """The archiving has begun before the adding, and commits after it."""
    leaving = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient())
    await owner.execute("begin")
    await owner.execute("update people set status = 'archived' where id = $1", leaving)
    adding = asyncio.create_task(clinic.add(channel, leaving))
    await asyncio.wait({adding}, timeout=0.1)
    assert not adding.done()
    await owner.execute("commit")
    with pytest.raises(Conflict, match="archived"):
        await adding
    assert await clinic.offsets(channel) == [1]


async def test_a_patients_coming_and_going_stands_on_their_record(clinic: Clinic, owner: asyncpg.Connection) -> None:
    patient = await clinic.patient()
    group = await clinic.channel("group", clinic.clinician)
    await clinic.add(group, patient)
    await clinic.call(patient, "channel.profile", channel_id=group, display_name="Heron")
    await clinic.call(patient, "profile.update", display_name="Bluebird")
    await clinic.remove(group, patient)
    rows = await owner.fetch("select operation from audit_entries where patient_id = $1 order by id", patient)
    assert [row["operation"] for row in rows] == ["member.add", "channel.profile", "profile.update", "member.remove"]

"""Activating a patient's care-team channel: made once, for who is named; what exists joins nobody."""

import asyncio

import pytest

from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.ids import PatientId, TeamMemberId
from tests.support.cast import Clinic


async def activate(clinic: Clinic, by: str, patient: str, *team: str) -> tuple[bool, str | None]:
    opened = await clinic.call(by, "channel.activate", patient_id=patient, team_member_ids=list(team))
    return opened["created"], opened["channel_id"]


async def care(clinic: Clinic, patient: str) -> str:
    return str((await clinic.call(clinic.clinician, "patient.get", patient_id=patient))["care_team"])


async def test_it_is_made_for_who_is_named_and_the_patient(clinic: Clinic) -> None:
    patient, one, two = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    assert await care(clinic, patient) == "none"
    created, channel = await activate(clinic, clinic.clinician, patient, one, two, one)
    assert (created, await care(clinic, patient)) == (True, "active")
    rows = await clinic.sql("select person_id from memberships where channel_id = $1 and left_at is null", channel)
    assert {row["person_id"] for row in rows} == {patient, one, two}
    for person in (patient, one, two):
        page = await clinic.call(person, "message.history", channel_id=channel)
        assert [item["type"] for item in page["items"]] == ["opened"]
    with pytest.raises(NotFound):  # who made it is not in it unless named
        await clinic.call(clinic.clinician, "message.history", channel_id=channel)
    await clinic.archive(str(channel))
    assert await care(clinic, patient) == "archived"


async def test_naming_nobody_names_oneself(clinic: Clinic) -> None:
    nurse, patient = await clinic.team_member("NURSE"), await clinic.patient()
    assert await activate(clinic, nurse, patient) == (
        True,
        (await clinic.call(nurse, "channel.list"))["channels"][0]["id"],
    )


async def test_what_exists_joins_nobody_and_is_shown_to_its_members_alone(clinic: Clinic) -> None:
    patient, member, other = await clinic.patient(), await clinic.team_member(), await clinic.team_member("ADMIN")
    channel = await clinic.care_team(patient, member)
    assert await activate(clinic, other, patient, other) == (False, None)
    assert await activate(clinic, member, patient, other) == (False, channel)
    await clinic.archive(channel)
    assert await activate(clinic, other, patient, other) == (False, None)
    assert await clinic.offsets(channel) == [1]
    assert (await clinic.call(other, "channel.list"))["channels"] == []


async def test_many_at_once_make_one(clinic: Clinic) -> None:
    patient, staff = await clinic.patient(), [await clinic.team_member() for _ in range(6)]
    told = await asyncio.gather(*(activate(clinic, one, patient) for one in staff))
    assert sorted(created for created, _ in told) == [False] * 5 + [True]
    assert [channel for created, channel in told if not created] == [None] * 5


async def test_whom_it_cannot_be_made_for_or_with_is_told(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, archived, gone = await clinic.patient(), await clinic.team_member(), await clinic.patient()
    await clinic.archive(archived)
    await clinic.archive(gone)
    me = clinic.clinician
    for nobody in (PatientId.new(), await elsewhere.patient()):
        with pytest.raises(NotFound, match="no such patient"):
            await activate(clinic, me, nobody)
    for nobody in (TeamMemberId.new(), await elsewhere.team_member()):
        with pytest.raises(Invalid, match="no such team member"):
            await activate(clinic, me, patient, me, nobody)
    for whose, with_whom in ((patient, archived), (gone, me)):
        with pytest.raises(Conflict, match="archived"):
            await activate(clinic, me, whose, me, with_whom)
    for wrong in ([patient], [str(me)] * 101, "everybody", [None]):
        with pytest.raises(Invalid, match="team_member_ids"):
            await clinic.call(me, "channel.activate", patient_id=patient, team_member_ids=wrong)
    with pytest.raises(Forbidden, match="patients' records"):
        await activate(clinic, patient, patient)
    assert await clinic.sql("select from channels where organization_id = $1", clinic.organization_id) == []

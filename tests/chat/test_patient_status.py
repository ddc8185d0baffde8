"""Archiving and unarchiving patients, and changing them: their channels close and open, and are staffed before they open."""

import asyncio
import json
import time
from typing import Any

import asyncpg
import pytest

from server import events
from server.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized, WarmlineError
from server.ids import PatientGroupId, PatientId, TeamMemberId
from server.people import actors
from server.people.actors import Identity
from tests.chat.test_archiving import archived, ask, log, outcome, team
from tests.chat.test_staffed import UNSTAFFED
from tests.support.cast import Clinic
from tests.support.working import do_jobs


async def patient_call(clinic: Clinic, verb: str, patient: str, **more: Any) -> dict[str, Any]:
    return dict(await clinic.call(clinic.clinician, f"patient.{verb}", patient_id=patient, **more))


async def everywhere(clinic: Clinic) -> tuple[PatientId, dict[str, str]]:
    """A patient with a channel of each kind that they, or their team, can have."""
    patient, other = await clinic.patient(), await clinic.patient()
    care = await clinic.care_team(patient)
    service = await clinic.channel("service_team", patient, clinic.clinician, patient=patient)
    staff = await clinic.channel("staff", clinic.clinician, patient=patient)
    group = await clinic.channel("group", patient, other, clinic.clinician)
    return patient, {"care": care, "service": service, "staff": staff, "group": group}


async def statuses(clinic: Clinic, found: dict[str, str]) -> dict[str, str]:
    rows = await clinic.sql("select id, status from channels where id = any ($1)", list(found.values()))
    by_id = {row["id"]: row["status"] for row in rows}
    return {name: by_id[id] for name, id in found.items()}


async def test_archiving_closes_what_is_theirs_and_ends_their_groups(clinic: Clinic) -> None:
    patient, found = await everywhere(clinic)
    shown = await patient_call(clinic, "archive", patient)
    assert (shown["status"], shown["care_team"], shown["service_team"]) == ("archived", "archived", "archived")
    assert await statuses(clinic, found) == {
        "care": "archived", "service": "archived", "staff": "active", "group": "active",
    }  # fmt: skip
    assert await log(clinic, found["care"]) == ["opened", "archived"]
    assert await log(clinic, found["group"]) == ["opened", "left"]
    mine = await clinic.call(patient, "channel.list")  # they still sign in, and read
    assert {channel["id"] for channel in mine["channels"]} == {found["care"], found["service"]}
    with pytest.raises(WarmlineError, match="no longer write"):
        await clinic.send(patient, found["care"], "Text")
    with pytest.raises(Conflict, match="archived already"):
        await patient_call(clinic, "archive", patient)
    shown = await patient_call(clinic, "unarchive", patient)
    assert (shown["status"], shown["care_team"], shown["service_team"]) == ("active", "active", "active")
    assert await log(clinic, found["care"]) == ["opened", "archived", "unarchived"]
    mine = await clinic.call(patient, "channel.list")
    assert {channel["id"] for channel in mine["channels"]} == {found["care"], found["service"]}
    with pytest.raises(Conflict, match="active already"):
        await patient_call(clinic, "unarchive", patient)


async def test_coming_back_their_channels_are_staffed_first_with_what_the_last_had_not_read(clinic: Clinic) -> None:
    patient, one, last = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    channel = await clinic.channel("service_team", patient, one, last, patient=patient)
    for _ in range(3):
        await clinic.send(patient, channel, "Text")
    await clinic.call(one, "channel.read", channel_id=channel, offset=4)
    await clinic.call(last, "channel.read", channel_id=channel, offset=2)
    await patient_call(clinic, "archive", patient)
    for person in (one, last):
        assert (await archived(clinic, person))["status"] == "done"
    assert await team(clinic, channel) == {}
    await patient_call(clinic, "unarchive", patient)
    found = (await team(clinic, channel))[clinic.clinician]
    assert (found["read_offset"], found["visible_from"], found["source"]) == (2, 3, "fallback")
    assert (await log(clinic, channel))[-4:] == ["left", "left", "joined", "unarchived"]
    assert await clinic.sql(UNSTAFFED) == []


async def test_with_nobody_left_they_stay_archived(clinic: Clinic) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, leaver)
    await patient_call(clinic, "update", patient, allocation_clinician_id=leaver)
    await patient_call(clinic, "archive", patient)
    assert (await archived(clinic, leaver))["status"] == "done"
    with pytest.raises(Conflict, match=channel):
        await patient_call(clinic, "unarchive", patient)
    await patient_call(clinic, "update", patient, allocation_clinician_id=clinic.clinician)
    await patient_call(clinic, "unarchive", patient)
    assert set(await team(clinic, channel)) == {clinic.clinician}


async def test_it_races_with_archiving_the_team_and_with_leaving(clinic: Clinic) -> None:
    for _ in range(5):
        patient, one, two = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
        channel = await clinic.care_team(patient, one, two)
        member = await clinic.membership(channel, two)
        await patient_call(clinic, "archive", patient)
        asked = await ask(clinic, one)
        ended = await asyncio.gather(
            do_jobs(clinic.database),
            patient_call(clinic, "unarchive", patient),
            clinic.call(two, "member.remove", channel_id=channel, member_id=member),
            return_exceptions=True,
        )
        assert ended[0] is None
        assert not [one for one in ended if isinstance(one, BaseException) and not isinstance(one, WarmlineError)]
        assert (await outcome(clinic, asked["id"]))["status"] in ("done", "refused")
        assert await clinic.sql(UNSTAFFED) == []


async def test_what_is_changed_is_what_was_given(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, colleague, gone = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    await clinic.archive(gone)
    before = await patient_call(clinic, "get", patient)
    after = await patient_call(clinic, "update", patient, preferred_name="Sam", allocation_clinician_id=colleague)
    assert after == before | {"preferred_name": "Sam", "allocation_clinician_id": colleague}
    group = await clinic.call(clinic.clinician, "patient_group.create", name="Cohort")
    after = await patient_call(clinic, "update", patient, preferred_name=None, patient_group_id=group["id"])
    assert (after["preferred_name"], after["patient_group_id"]) == (None, group["id"])
    for wrong in ({"legal_name": None}, {"allocation_clinician_id": None}, {"patient_group_id": None}):
        with pytest.raises(Invalid, match="every patient has one"):
            await patient_call(clinic, "update", patient, **wrong)
    for nobody in (TeamMemberId.new(), await elsewhere.team_member()):
        with pytest.raises(Invalid, match="no such team member"):
            await patient_call(clinic, "update", patient, allocation_clinician_id=nobody)
    with pytest.raises(Invalid, match="no such patient group"):
        await patient_call(clinic, "update", patient, patient_group_id=PatientGroupId.new())
    with pytest.raises(Conflict, match="archived"):
        await patient_call(clinic, "update", patient, allocation_clinician_id=gone)
    for verb in ("update", "archive", "unarchive"):
        for absent in (PatientId.new(), await elsewhere.patient()):
            with pytest.raises(NotFound, match="no such patient"):
                await patient_call(clinic, verb, absent)
    with pytest.raises(Forbidden):
        await clinic.call(colleague, "patient.archive", patient_id=patient)


async def test_who_is_added_as_a_patient_comes_back_is_recorded(clinic: Clinic, database_url: str) -> None:
    patient, last = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, last)
    await patient_call(clinic, "archive", patient)
    await archived(clinic, last)
    await patient_call(clinic, "unarchive", patient)
    owner = await asyncpg.connect(database_url)
    rows = await owner.fetch(
        "select * from audit_entries where operation = 'channel.handed_over' and channel_id = $1 order by id desc limit 1",
        channel,
    )
    await owner.close()
    assert [(row["actor_id"], row["patient_id"], json.loads(row["facts"])["team_member_ids"]) for row in rows] == [
        (clinic.clinician, patient, [clinic.clinician])
    ]


async def test_their_sign_ins_end_and_they_come_back_to_read(clinic: Clinic) -> None:
    patient, found = await everywhere(clinic)
    before = Identity(clinic.organization_id, patient, time.time() - 1)
    async with clinic.database.transaction() as tx:
        await actors.load(tx, before)
    await patient_call(clinic, "archive", patient)
    assert (events.person_topic(clinic.organization_id, patient), b"") in clinic.published
    with pytest.raises(Unauthorized):
        async with clinic.database.transaction() as tx:
            await actors.load(tx, before)
    async with clinic.database.transaction() as tx:
        await actors.load(tx, Identity(clinic.organization_id, patient, time.time() + 1))
    assert await clinic.call(patient, "message.history", channel_id=found["care"])


async def test_a_place_in_an_archived_group_ends_as_well_and_does_not_come_back(clinic: Clinic) -> None:
    patient, found = await everywhere(clinic)
    await clinic.call(clinic.clinician, "channel.archive", channel_id=found["group"])
    await patient_call(clinic, "archive", patient)
    assert await log(clinic, found["group"]) == ["opened", "archived", "left"]
    assert found["group"] not in str(await clinic.call(patient, "channel.list"))
    await patient_call(clinic, "unarchive", patient)
    assert found["group"] not in str(await clinic.call(patient, "channel.list"))

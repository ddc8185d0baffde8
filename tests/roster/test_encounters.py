"""Encounters with groups and with patients: documented, assigned, finalised; who takes part in them."""

from typing import Any

import pytest

from server.errors import Conflict, Invalid, NotFound
from server.ids import EncounterId, GroupId, PatientId, TeamMemberId
from tests.roster.test_members import add, add_batch, group, guest, patients
from tests.support.cast import Clinic

DATE = "2024-12-12T10:00:00Z"


async def session(clinic: Clinic, group_id: str, **more: Any) -> dict[str, Any]:
    """An encounter with a group."""
    params = {"encounter_date": DATE, "type": "group-therapy"} | more
    return dict(await clinic.call(clinic.clinician, "encounter.create_for_group", group_id=group_id, **params))


async def visit(clinic: Clinic, patient_id: str, **more: Any) -> dict[str, Any]:
    """An encounter with a patient."""
    params = {"encounter_date": DATE, "type": "follow-up"} | more
    return dict(await clinic.call(clinic.clinician, "encounter.create_for_patient", patient_id=patient_id, **params))


async def on(clinic: Clinic, verb: str, encounter: dict[str, Any], **more: Any) -> dict[str, Any]:
    return dict(await clinic.call(clinic.clinician, f"encounter.{verb}", encounter_id=encounter["id"], **more))


async def taking_part(clinic: Clinic, encounter: dict[str, Any]) -> list[str]:
    found = await on(clinic, "participants", encounter)
    return [one["patient_id"] or one["guest_id"] for one in found["participants"]]


async def test_a_session_is_an_encounter_with_a_group_and_no_patient(clinic: Clinic) -> None:
    leader = await clinic.team_member()
    group_id = await group(clinic, name="Mondays", facilitator_id=leader)
    made = await session(clinic, group_id, chief_complaint="Weekly session: coping")
    assert made["id"].startswith("enc_")
    assert made == await on(clinic, "get", made)
    assert (made["subject_type"], made["group_id"], made["patient_id"]) == ("group", group_id, None)
    assert (made["name"], made["encounter_date"], made["type"]) == ("Mondays", DATE, "group-therapy")
    assert (made["practitioner_ids"], made["documentation_status"]) == ([leader], "not_started")
    assert made["chief_complaint"] == "Weekly session: coping"
    [kept] = await clinic.sql("select chief_complaint from encounters where id = $1", made["id"])
    assert b"coping" not in kept["chief_complaint"]


async def test_an_encounter_with_a_patient_goes_the_same_way(clinic: Clinic) -> None:
    patient = await clinic.patient()
    made = await visit(clinic, patient)
    assert (made["subject_type"], made["group_id"], made["patient_id"]) == ("patient", None, patient)
    assert made["practitioner_ids"] == [clinic.clinician]
    assert await taking_part(clinic, made) == [patient]
    assert (await on(clinic, "finalize", made))["documentation_status"] == "complete"


async def test_encounters_are_listed_the_latest_first(clinic: Clinic, elsewhere: Clinic) -> None:
    group_id, patient = await group(clinic), await clinic.patient()
    first = await session(clinic, group_id, encounter_date="2025-01-01T00:00:00Z")
    second = await visit(clinic, patient, encounter_date="2025-01-02T00:00:00+10:00")
    third = await session(clinic, group_id, encounter_date="2025-01-03T00:00:00Z")
    await session(elsewhere, await group(elsewhere))

    async def listed(**filters: Any) -> list[str]:
        return [one["id"] for one in (await clinic.call(clinic.clinician, "encounter.list", **filters))["encounters"]]

    assert await listed() == [third["id"], second["id"], first["id"]]
    assert await listed(subject_type="patient") == await listed(patient_id=patient) == [second["id"]]
    assert await listed(subject_type="group") == await listed(group_id=group_id) == [third["id"], first["id"]]
    assert await listed(limit=1) == [third["id"]]
    assert await listed(after=third["id"]) == [second["id"], first["id"]]
    await on(clinic, "update", first, documentation_status="in_progress")
    assert await listed(documentation_status="in_progress") == [first["id"]]
    assert await listed(patient_id=PatientId.new()) == []
    of_group = await clinic.call(clinic.clinician, "encounter.list_of_group", group_id=group_id)
    assert [one["id"] for one in of_group["encounters"]] == [third["id"], first["id"]]
    for nowhere in (GroupId.new(), await group(elsewhere)):
        with pytest.raises(NotFound, match="no such group"):
            await clinic.call(clinic.clinician, "encounter.list_of_group", group_id=nowhere)


async def test_it_is_changed_until_it_is_finalised(clinic: Clinic) -> None:
    made = await session(clinic, await group(clinic), chief_complaint="One")
    colleague = await clinic.team_member()
    changed = await on(clinic, "update", made, type="assessment", documentation_status="in_progress")
    assert changed == made | {"type": "assessment", "documentation_status": "in_progress"}
    assert (await on(clinic, "update", made, chief_complaint="Two"))["chief_complaint"] == "Two"
    assert (await on(clinic, "update", made, chief_complaint=None))["chief_complaint"] is None
    for people in ([colleague, clinic.clinician], [colleague], [], [colleague, colleague]):
        shown = await on(clinic, "practitioners", made, practitioner_ids=people)
        assert set(shown["practitioner_ids"]) == set(people)
    done = await on(clinic, "finalize", made)
    assert (done["documentation_status"], done["finalized_by"]) == ("complete", clinic.clinician)
    assert done["finalized_at"]
    for verb, more in (
        ("finalize", {}), ("update", {"type": "other"}), ("practitioners", {"practitioner_ids": []}),
    ):  # fmt: skip
        with pytest.raises(Conflict, match="finalised"):
            await on(clinic, verb, made, **more)
    assert await on(clinic, "get", made) == done


async def test_what_an_encounter_cannot_be(clinic: Clinic, elsewhere: Clinic) -> None:
    group_id, patient, gone, left = (
        await group(clinic),
        await clinic.patient(),
        await clinic.patient(),
        await clinic.team_member(),
    )
    for person in (gone, left):
        await clinic.archive(person)
    made = await session(clinic, group_id)
    for wrong in (
        {"encounter_date": "2024-12-12T10:00:00"}, {"encounter_date": "0001-01-01T00:00:00Z"}, {"type": "Two words"},
        {"encounter_date": "yesterday"}, {"type": None}, {"encounter_date": None}, {"chief_complaint": "\0"},
    ):  # fmt: skip
        with pytest.raises(Invalid):
            await session(clinic, group_id, **wrong)
        with pytest.raises(Invalid):
            await on(clinic, "update", made, **wrong)
    for nobody in (TeamMemberId.new(), await elsewhere.team_member()):
        with pytest.raises(Invalid, match="no such team member"):
            await session(clinic, group_id, practitioner_ids=[nobody])
        with pytest.raises(Invalid, match="no such team member"):
            await on(clinic, "practitioners", made, practitioner_ids=[nobody])
    with pytest.raises(Conflict, match="archived"):
        await session(clinic, group_id, practitioner_ids=[left])
    with pytest.raises(Conflict, match="archived"):
        await visit(clinic, gone)
    for nobody in (PatientId.new(), await elsewhere.patient()):
        with pytest.raises(NotFound, match="no such patient"):
            await visit(clinic, nobody)
    for nowhere in (GroupId.new(), await group(elsewhere)):
        with pytest.raises(NotFound, match="no such group"):
            await session(clinic, nowhere)
    foreign = await session(elsewhere, await group(elsewhere))
    for encounter in ({"id": EncounterId.new()}, foreign):
        for verb in ("get", "update", "finalize", "participants"):
            with pytest.raises(NotFound, match="no such encounter"):
                await on(clinic, verb, encounter)
    await clinic.call(clinic.clinician, "group.archive", group_id=group_id)
    with pytest.raises(Conflict, match="archived"):
        await session(clinic, group_id)
    assert await visit(clinic, patient)


async def test_who_was_on_the_roster_at_the_time_takes_part(clinic: Clinic) -> None:
    group_id, spouse = await group(clinic), await guest(clinic, "Zoe")
    stays, leaves, later = await patients(clinic, 3)
    await add_batch(clinic, group_id, [stays, spouse])
    row = await add(clinic, group_id, leaves)
    old = await session(clinic, group_id, encounter_date="2020-01-01T00:00:00Z")  # written down afterwards
    future = await session(clinic, group_id, encounter_date="2100-01-01T00:00:00Z")
    await clinic.call(clinic.clinician, "group_member.remove", group_id=group_id, group_member_id=row["id"])
    await add(clinic, group_id, later)
    back = await clinic.call(clinic.clinician, "group_member.rejoin", group_id=group_id, group_member_id=row["id"])
    await clinic.call(clinic.clinician, "group_member.remove", group_id=group_id, group_member_id=back["id"])
    *before, last = await taking_part(clinic, old)
    assert (set(before), last) == ({stays, leaves}, spouse)
    *after, last = await taking_part(clinic, future)
    assert (set(after), last) == ({stays, later}, spouse)

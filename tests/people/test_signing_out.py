"""Signing out: who may sign out whom, what it ends, and what it leaves alone."""

import json
import time

import pytest

from server.dispatching import Dispatcher
from server.errors import Forbidden, NotFound, Unauthorized
from server.people.actors import UNKNOWN, Identity
from tests.support.cast import Clinic


async def asks(clinic: Clinic, person: str, began: float) -> str:
    """Who I am, asked with a sign-in that began then."""
    identity = Identity(clinic.organization_id, clinic.identity(person).person_id, began)
    told = await Dispatcher(clinic.database, clinic.batcher).call(identity, "me", b"{}")
    return str(json.loads(told)["person"]["id"])


@pytest.mark.catalogue("S06")
async def test_what_began_before_is_over_and_what_begins_after_is_not(clinic: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    before = time.time()
    assert await asks(clinic, patient, before) == patient
    await clinic.call(patient, "sign_out")
    with pytest.raises(Unauthorized) as told:
        await asks(clinic, patient, before)
    assert (told.value.message, told.value.code) == (UNKNOWN, 401)
    assert await asks(clinic, patient, time.time()) == patient
    assert await asks(clinic, other, before) == other


async def test_the_bell_rings_after_the_commit_alone(clinic: Clinic) -> None:
    clinic.published.clear()
    await clinic.call(clinic.clinician, "sign_out")
    assert clinic.published == [(f"warmline:p:{clinic.organization_id}:{clinic.clinician}", b"")]
    clinic.published.clear()
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "person.sign_out", person_id="pa_" + "0" * 20)
    assert clinic.published == []


@pytest.mark.catalogue("S06")
async def test_an_administrator_ends_a_colleagues_and_a_doctor_does_not(clinic: Clinic) -> None:
    nurse, doctor, before = await clinic.team_member("NURSE"), await clinic.team_member("DOCTOR"), time.time()
    with pytest.raises(Forbidden, match=r"team\.manage"):
        await clinic.call(doctor, "person.sign_out", person_id=nurse)
    assert await asks(clinic, nurse, before) == nurse
    await clinic.call(clinic.clinician, "person.sign_out", person_id=nurse)
    with pytest.raises(Unauthorized):
        await asks(clinic, nurse, before)


async def test_a_patient_is_signed_out_by_who_may_archive_patients(clinic: Clinic) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    with pytest.raises(Forbidden, match=r"patient\.archive"):
        await clinic.call(nurse, "person.sign_out", person_id=patient)
    with pytest.raises(Forbidden, match="for team members"):
        await clinic.call(patient, "person.sign_out", person_id=patient)
    await clinic.sql("update team_members set extra_permissions = '{patient.archive}' where id = $1", nurse)
    await clinic.call(nurse, "person.sign_out", person_id=patient)
    with pytest.raises(Unauthorized):
        await asks(clinic, patient, time.time() - 1)


async def test_it_is_recorded_on_the_record_it_is_about(clinic: Clinic, owner) -> None:
    patient = await clinic.patient()
    await clinic.call(clinic.clinician, "person.sign_out", person_id=patient)
    await clinic.call(patient, "sign_out")
    rows = await owner.fetch(
        "select actor_id, facts from audit_entries where operation = 'person.sign_out' and patient_id = $1 order by id",
        patient,
    )
    assert [(row["actor_id"], json.loads(row["facts"])) for row in rows] == [
        (clinic.clinician, {"person_id": patient}),
        (patient, {}),
    ]

"""Whoever is to take over from an archived team member is active when they do (domain.md §1, §2)."""

from server.chat.archiving import MOVED
from tests.chat.test_archiving import ask, outcome
from tests.support.cast import Clinic
from tests.support.working import do_jobs


async def test_nothing_passes_to_a_successor_who_is_archived_meanwhile(clinic: Clinic) -> None:
    leaver, successor = await clinic.team_member(), await clinic.team_member()
    patient = await clinic.patient()
    await clinic.call(clinic.clinician, "patient.update", patient_id=patient, allocation_clinician_id=leaver)
    asked = await ask(clinic, leaver, successor_id=successor)
    await ask(clinic, successor)  # in no channel and with no charges: nothing of the first plan changes by this
    await do_jobs(clinic.database)
    refused = await outcome(clinic, asked["id"])
    assert (refused["status"], refused["why"]) == ("refused", MOVED)
    [row] = await clinic.sql("select allocation_clinician_id from patients where id = $1", patient)
    assert row["allocation_clinician_id"] == leaver

"""Form submissions: who answered which form in which session, and who has not (domain.md §5)."""

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from server.db import Transaction, explain
from server.errors import Conflict, Invalid
from server.ids import EncounterId, GroupId, GuestId, PatientId, SubmissionId, now
from server.people import patients
from server.people.actors import Actor
from server.people.patients import GetPatient
from server.people.wording import Data, Moment
from server.roster import encounters, guests, participants, records
from server.roster.encounters import OfEncounter
from server.roster.groups import loaded
from server.roster.guests import OfGuest
from server.roster.members import MemberType
from server.roster.participants import Participant

explain("group_form_submissions_once", Conflict("external_submission_id: this submission is recorded already."))


class CreateSubmission(BaseModel):
    """A participant's answer to a form; what they answered is with the form's own service."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"participant_type": "guest", "patient_id": None}]})
    encounter_id: EncounterId
    participant_type: MemberType
    patient_id: PatientId | None = None
    guest_id: GuestId | None = None
    form_id: str = Field(pattern="^[!-~]{1,100}$", examples=["phq-9"])
    external_submission_id: str | None = Field(
        None, pattern="^[!-~]{1,200}$", description="Its id with the form's service"
    )
    submitted_at: Moment | None = Field(None, description="Without: now")
    submission_metadata: Data = Field(
        {}, description="Whatever the caller keeps with it: an object of at most 10,000 bytes"
    )


class ListSubmissions(OfEncounter):
    """The submissions of an encounter; with a participant, theirs."""

    patient_id: PatientId | None = None
    guest_id: GuestId | None = None


class SubmissionShape(BaseModel):
    """A participant's answer to a form."""

    id: SubmissionId
    encounter_id: EncounterId
    group_id: GroupId
    participant_type: MemberType
    patient_id: PatientId | None
    guest_id: GuestId | None
    form_id: str
    external_submission_id: str | None
    submitted_at: datetime
    submission_metadata: dict[str, Any]


class Submissions(BaseModel):
    """Submissions, in the order in which they were made."""

    submissions: list[SubmissionShape]


class Answered(Participant):
    """A participant, and which forms they have answered."""

    form_ids: list[str]


class Form(BaseModel):
    """A form that somebody has answered, and who has not."""

    form_id: str
    outstanding: list[Participant]


class SubmissionStatus(BaseModel):
    """Who has answered what: by participant and by form. A form that nobody has answered is not known here."""

    participants: list[Answered]
    forms: list[Form]


_SELECT = "select * from group_form_submissions s where s.organization_id = $1"
_ORDER = " order by s.submitted_at, s.id"


async def create(tx: Transaction, actor: Actor, params: CreateSubmission) -> SubmissionShape:
    """Record that a participant has answered a form.

    Raises:
        NotFound: no such encounter. Conflict: this submission is recorded already.
        Invalid: the encounter is no group's, or somebody who takes no part.
    """
    encounter = await encounters.locked(tx, actor.organization_id, params.encounter_id)
    if encounter["subject_type"] != "group":
        raise Invalid("encounter_id: form submissions belong to encounters with groups.")
    named = (params.participant_type, params.patient_id, params.guest_id)
    kind, who = await participants.require(tx, encounter, *named)
    submission_id = SubmissionId.new()
    await tx.rows(
        f"""insert into group_form_submissions (organization_id, id, encounter_id, group_id, participant_type, {kind}_id, form_id,
                                                external_submission_id, submitted_at, submission_metadata)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        *(actor.organization_id, submission_id, params.encounter_id, encounter["group_id"], kind, who, params.form_id),
        *(params.external_submission_id, params.submitted_at or now(), json.dumps(params.submission_metadata)),
    )
    tx.concerns(patient_id=params.patient_id)
    [row] = await tx.rows(_SELECT + " and s.id = $2", actor.organization_id, submission_id)
    return _shape(row)


async def list_all(tx: Transaction, actor: Actor, params: ListSubmissions) -> Submissions:
    """The submissions of an encounter, or one participant's. Raises NotFound."""
    encounter = await encounters.row(tx, actor.organization_id, params.encounter_id)
    rows = await tx.rows(
        f"""{_SELECT} and s.encounter_id = $2
              and ($3::text is null and $4::text is null or s.patient_id = $3 or s.guest_id = $4) {_ORDER}""",
        *(actor.organization_id, params.encounter_id, params.patient_id, params.guest_id),
    )
    about = await records.became(tx, actor.organization_id, rows)
    facts = {"encounter_id": params.encounter_id}
    await records.seen(tx, actor, "form_submission.list", about, facts, encounter["patient_id"])
    return Submissions(submissions=[_shape(row) for row in rows])


async def list_of_patient(tx: Transaction, actor: Actor, params: GetPatient) -> Submissions:
    """All submissions of a patient, also from when they were a guest. Raises NotFound."""
    await patients.get(tx, actor, params)
    rows = await tx.rows(
        f"""{_SELECT} and (s.patient_id = $2 or s.guest_id in (
              select h.id from guests h where (h.patient_id, h.organization_id) = ($2, $1))) {_ORDER}""",
        *(actor.organization_id, params.patient_id),
    )
    return Submissions(submissions=[_shape(row) for row in rows])


async def list_of_guest(tx: Transaction, actor: Actor, params: OfGuest) -> Submissions:
    """All submissions of a guest. Raises NotFound."""
    await guests.get(tx, actor, params)
    rows = await tx.rows(f"{_SELECT} and s.guest_id = $2 {_ORDER}", actor.organization_id, params.guest_id)
    return Submissions(submissions=[_shape(row) for row in rows])


async def status(tx: Transaction, actor: Actor, params: OfEncounter) -> SubmissionStatus:
    """Who has answered which form in an encounter, and who has not. Raises NotFound."""
    encounter = await encounters.row(tx, actor.organization_id, params.encounter_id)
    there = await participants.taking_part(tx, encounter)
    rows = await tx.rows(_SELECT + " and s.encounter_id = $2", actor.organization_id, params.encounter_id)
    done = {(row["patient_id"], row["guest_id"], row["form_id"]) for row in rows}
    forms = sorted({row["form_id"] for row in rows})

    def answered(one: Participant, form: str) -> bool:
        return (one.patient_id, one.guest_id, form) in done

    return SubmissionStatus(
        participants=[
            Answered(**one.model_dump(), form_ids=[form for form in forms if answered(one, form)]) for one in there
        ],
        forms=[Form(form_id=form, outstanding=[one for one in there if not answered(one, form)]) for form in forms],
    )


def _shape(row: dict[str, Any]) -> SubmissionShape:
    return SubmissionShape(**row | {"submission_metadata": loaded(row["submission_metadata"])})

"""Patients: create, read, list, change."""

from typing import Literal

from pydantic import BaseModel, Field

from server import jobs
from server.db import Transaction
from server.errors import Invalid, NotFound
from server.ids import OrganizationId, PatientGroupId, PatientId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.archivings import require_available
from server.people.models import Patient, PatientGroup, Person
from server.people.team import Page, page
from server.people.wording import Email, Name

ACTIVATE = "patient.activate_channels"
"""The job that every new patient begins with: the worker's part is in server/chat/activation_rules.py."""

ARCHIVED = "patient.archived"
"""The job that follows a patient's archiving: the worker's part is in server/roster/members.py."""


class CreatePatient(BaseModel):
    """A new patient. Without a patient group, the organisation's default one."""

    legal_name: Name
    preferred_name: Name | None = None
    email: Email
    allocation_clinician_id: TeamMemberId
    patient_group_id: PatientGroupId | None = None


class GetPatient(BaseModel):
    """One patient."""

    patient_id: PatientId


class PatientShape(BaseModel):
    """A patient, as staff see them; of their two channels only whether they are activated (domain.md §2)."""

    id: PatientId
    legal_name: str
    preferred_name: str | None
    display_name: str | None
    email: str
    status: Literal["active", "archived"]
    allocation_clinician_id: TeamMemberId
    patient_group_id: PatientGroupId
    care_team: Literal["none", "active", "archived"]
    service_team: Literal["none", "active", "archived"]
    needs_reassignment: bool = Field(description="The allocation clinician is archived: give them another one")


class ListPatients(Page):
    """A page of patients, in the order of names."""

    needs_reassignment: bool = Field(False, description="Only active ones whose allocation clinician is archived")


class UpdatePatient(BaseModel):
    """Change what is given of a patient, and nothing else."""

    patient_id: PatientId
    legal_name: Name | None = None
    preferred_name: Name | None = Field(None, description="null takes it away")
    allocation_clinician_id: TeamMemberId | None = Field(None, description="An active one")
    patient_group_id: PatientGroupId | None = None


class Patients(BaseModel):
    """A page of patients."""

    patients: list[PatientShape]
    more: bool


_SELECT = """select t.id, t.legal_name, t.preferred_name, t.display_name, p.email, p.status, t.allocation_clinician_id,
         t.patient_group_id, coalesce((select c.status from channels c where (c.organization_id, c.patient_id, c.kind)
           = (t.organization_id, t.id, 'care_team')), 'none') as care_team,
         coalesce((select c.status from channels c where (c.organization_id, c.patient_id, c.kind)
           = (t.organization_id, t.id, 'service_team')), 'none') as service_team, k.status = 'archived' as needs_reassignment
    from patients t join people p on (p.organization_id, p.id) = (t.organization_id, t.id)
    join people k on (k.organization_id, k.id) = (t.organization_id, t.allocation_clinician_id) where t.organization_id = $1"""


async def insert(tx: Transaction, organization_id: OrganizationId, params: CreatePatient) -> PatientId:
    """Write a patient; who may, was asked before.

    Raises:
        Invalid: the allocation clinician or the patient group is not one of this organisation.
        Conflict: the clinician is archived, or the email address is in use.
    """
    await lock(tx, organization_id, people=[params.allocation_clinician_id])
    await require_available(tx, organization_id, params.allocation_clinician_id, "allocation_clinician_id")
    group = params.patient_group_id
    rows = await tx.rows(
        "select id from patient_groups where organization_id = $1 and (id = $2 or $2::text is null and is_default)",
        organization_id,
        group,
    )
    if not rows:
        raise Invalid("patient_group_id: there is no such patient group.")
    person_id = PatientId.new()
    tx.session.add(Person(organization_id=organization_id, id=person_id, kind="patient", email=params.email))
    await tx.session.flush()
    chosen = params.model_dump(exclude={"email", "patient_group_id"})
    tx.session.add(Patient(organization_id=organization_id, id=person_id, patient_group_id=rows[0]["id"], **chosen))
    await tx.session.flush()
    await jobs.enqueue(tx, ACTIVATE, {"organization_id": organization_id, "patient_id": person_id}, key=person_id)
    return person_id


async def create(tx: Transaction, actor: Actor, params: CreatePatient) -> PatientShape:
    """A new patient, in the default patient group unless another is named."""
    person_id = await insert(tx, actor.organization_id, params)
    return await get(tx, actor, GetPatient(patient_id=person_id))


async def get(tx: Transaction, actor: Actor, params: GetPatient) -> PatientShape:
    """One patient. Raises NotFound."""
    rows = await tx.rows(_SELECT + " and t.id = $2", actor.organization_id, params.patient_id)
    if not rows:
        raise NotFound("There is no such patient.")
    tx.concerns(patient_id=params.patient_id)
    return PatientShape(**rows[0])


async def list_all(tx: Transaction, actor: Actor, params: ListPatients) -> Patients:
    """The organisation's patients, by legal name; or those in need of another allocation clinician."""
    needing = " and k.status = 'archived' and p.status = 'active'" if params.needs_reassignment else ""
    rows = await page(tx, actor, params, _SELECT + needing, "t.legal_name", "patients")
    return Patients(patients=[PatientShape(**row) for row in rows[: params.limit]], more=len(rows) > params.limit)


async def update(tx: Transaction, actor: Actor, params: UpdatePatient) -> PatientShape:
    """Change a patient's names, allocation clinician or patient group.

    Raises:
        NotFound: no such patient.
        Invalid: the allocation clinician or the patient group is not one of this organisation; a legal name is needed.
        Conflict: the clinician is archived, or about to be.
    """
    organization_id, clinician = actor.organization_id, params.allocation_clinician_id
    await lock(tx, organization_id, people=[params.patient_id, *([clinician] if clinician else [])])
    await get(tx, actor, GetPatient(patient_id=params.patient_id))
    changed = params.model_dump(exclude={"patient_id"}, include=params.model_fields_set)
    if wrong := [name for name, value in changed.items() if value is None and name != "preferred_name"]:
        raise Invalid(f"{wrong[0]}: every patient has one. Give another one, or leave it out.")
    if clinician is not None:
        await require_available(tx, organization_id, clinician, "allocation_clinician_id")
    if params.patient_group_id is not None:
        known = await tx.session.get(PatientGroup, (organization_id, params.patient_group_id))
        if known is None:
            raise Invalid("patient_group_id: there is no such patient group.")
    for name, value in changed.items():  # the names are those of the model's fields
        await tx.rows(
            f"update patients set {name} = $3 where (organization_id, id) = ($1, $2)",
            *(organization_id, params.patient_id, value),
        )
    return await get(tx, actor, GetPatient(patient_id=params.patient_id))

"""Encounters, with a patient or with a group: both subjects go through one path (domain.md §5)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from server.db import Transaction
from server.errors import Conflict, Invalid, NotFound
from server.ids import EncounterId, GroupId, OrganizationId, PatientId, TeamMemberId
from server.locks import lock
from server.people import patients, sealed
from server.people.actors import Actor
from server.people.archivings import require_available
from server.people.patients import GetPatient
from server.people.wording import Moment, Prose, Slug
from server.roster import groups, policy, records

Subject = Literal["patient", "group"]
Documentation = Literal["not_started", "in_progress", "complete"]
NOT_FOUND = "There is no such encounter."


class _NewEncounter(BaseModel):
    encounter_date: Moment = Field(examples=["2024-12-12T10:00:00Z"])
    type: Slug = Field(examples=["group-therapy"])
    chief_complaint: Prose | None = Field(None, description="What it is about; encrypted")
    practitioner_ids: list[TeamMemberId] | None = Field(
        None, max_length=50, description="Whom it is assigned to; without: the group's facilitator, or else you"
    )


class CreateGroupEncounter(_NewEncounter):
    """A new encounter with a group: one session of it."""

    group_id: GroupId


class CreatePatientEncounter(_NewEncounter):
    """A new encounter with one patient."""

    patient_id: PatientId


class OfEncounter(BaseModel):
    """One encounter."""

    encounter_id: EncounterId


class UpdateEncounter(OfEncounter):
    """Change what is given of an encounter, and nothing else; null takes the chief complaint away."""

    encounter_date: Moment | None = None
    type: Slug | None = None
    chief_complaint: Prose | None = None
    documentation_status: Documentation | None = None


class SetPractitioners(OfEncounter):
    """Say whom an encounter is assigned to."""

    practitioner_ids: list[TeamMemberId] = Field(max_length=50, description="Active team members; replaces the list")


class _Page(BaseModel):
    documentation_status: Documentation | None = None
    after: EncounterId | None = Field(None, description="The id of the last one of the page before")
    limit: int = Field(50, ge=1, le=200)


class ListGroupEncounters(_Page):
    """A page of a group's encounters, the latest first."""

    group_id: GroupId


class ListEncounters(_Page):
    """A page of encounters, the latest first."""

    subject_type: Subject | None = None
    group_id: GroupId | None = None
    patient_id: PatientId | None = None


class EncounterShape(BaseModel):
    """An encounter. `name` is that of its group or its patient. A finalised one changes no more."""

    id: EncounterId
    subject_type: Subject
    group_id: GroupId | None
    patient_id: PatientId | None
    name: str
    encounter_date: datetime
    type: str
    chief_complaint: str | None
    documentation_status: Documentation
    practitioner_ids: list[TeamMemberId]
    finalized_at: datetime | None
    finalized_by: TeamMemberId | None
    created_by_user: TeamMemberId
    created_at: datetime


class Encounters(BaseModel):
    """A page of encounters."""

    encounters: list[EncounterShape]
    more: bool


_SELECT = """
select e.*, coalesce(g.name, a.preferred_name, a.legal_name) as name, coalesce(p.ids, '{}') as practitioner_ids
  from encounters e
  left join groups g on (g.organization_id, g.id) = (e.organization_id, e.group_id)
  left join patients a on (a.organization_id, a.id) = (e.organization_id, e.patient_id)
  left join lateral (
    select array_agg(x.team_member_id order by lower(t.name), t.id) as ids
      from encounter_practitioners x
      join team_members t on (t.organization_id, t.id) = (x.organization_id, x.team_member_id)
     where (x.organization_id, x.encounter_id) = (e.organization_id, e.id) and x.is_assigned) p on true
 where e.organization_id = $1"""


async def create_for_group(tx: Transaction, actor: Actor, params: CreateGroupEncounter) -> EncounterShape:
    """A new encounter with a group: one session of it.

    Raises:
        NotFound: no such group. Invalid: a practitioner is nobody here. Conflict: they, or the group, are archived.
    """
    await _require_practitioners(tx, actor.organization_id, params.practitioner_ids or ())
    group = await groups.locked(tx, actor.organization_id, params.group_id)
    if group["status"] == "archived":
        raise Conflict(policy.ARCHIVED)
    return await _create(tx, actor, params, "group", params.group_id, group["facilitator_id"] or actor.person_id)


async def create_for_patient(tx: Transaction, actor: Actor, params: CreatePatientEncounter) -> EncounterShape:
    """A new encounter with one patient. Raises NotFound, Invalid, Conflict as with a group."""
    await _require_practitioners(tx, actor.organization_id, params.practitioner_ids or (), params.patient_id)
    if (await patients.get(tx, actor, GetPatient(patient_id=params.patient_id))).status == "archived":
        raise Conflict("This patient is archived. Unarchive them first.")
    return await _create(tx, actor, params, "patient", params.patient_id, actor.person_id)


async def get(tx: Transaction, actor: Actor, params: OfEncounter) -> EncounterShape:
    """One encounter. Raises NotFound."""
    return await _shape(tx, await row(tx, actor.organization_id, params.encounter_id))


async def list_of_group(tx: Transaction, actor: Actor, params: ListGroupEncounters) -> Encounters:
    """The encounters of a group, the latest first. Raises NotFound."""
    await groups.get(tx, actor, groups.OfGroup(group_id=params.group_id))
    return await list_all(tx, actor, ListEncounters(**params.model_dump()))


async def list_all(tx: Transaction, actor: Actor, params: ListEncounters) -> Encounters:
    """The organisation's encounters, the latest first; those with groups or with patients, with one of them, or as documented."""
    rows = await tx.rows(
        f"""{_SELECT} and ($2::text is null or e.subject_type = $2) and ($3::text is null or e.group_id = $3)
              and ($4::text is null or e.patient_id = $4) and ($5::text is null or e.documentation_status = $5)
              and ($6::text is null or (e.encounter_date, e.id) <
                (select b.encounter_date, b.id from encounters b where (b.organization_id, b.id) = ($1, $6)))
            order by e.encounter_date desc, e.id desc limit $7""",
        *(actor.organization_id, params.subject_type, params.group_id, params.patient_id, params.documentation_status),
        *(params.after, params.limit + 1),
    )
    told = [row["patient_id"] for row in rows[: params.limit] if row["chief_complaint"] is not None]
    await records.seen(tx, actor, "encounter.list", told, {}, params.patient_id if rows else None)
    return Encounters(encounters=[await _shape(tx, row) for row in rows[: params.limit]], more=len(rows) > params.limit)


async def update(tx: Transaction, actor: Actor, params: UpdateEncounter) -> EncounterShape:
    """Change an encounter. Raises NotFound; Conflict once it is finalised; Invalid where what it must have is taken away."""
    found = await unfinished(tx, actor.organization_id, params.encounter_id)
    given = params.model_dump(exclude={"encounter_id"}, include=params.model_fields_set)
    if wrong := [name for name, value in given.items() if value is None and name != "chief_complaint"]:
        raise Invalid(f"{wrong[0]}: every encounter has one. Give another one, or leave it out.")
    if "chief_complaint" in given:
        key_id, record = await sealed.close(tx.keys, "encounters", actor.organization_id, found, params.chief_complaint)
        given |= {"chief_complaint": record, "key_id": key_id}
    columns = ", ".join(f"{name} = ${place}" for place, name in enumerate(given, 3))  # of the model's own fields
    if given:
        await tx.rows(
            f"update encounters set {columns} where (organization_id, id) = ($1, $2)",
            *(actor.organization_id, params.encounter_id, *given.values()),
        )
    return await get(tx, actor, params)


async def set_practitioners(tx: Transaction, actor: Actor, params: SetPractitioners) -> EncounterShape:
    """Say whom an encounter is assigned to. Raises NotFound; Invalid for nobody here; Conflict for who is archived, or once it
    is finalised."""
    await _require_practitioners(tx, actor.organization_id, params.practitioner_ids)
    await unfinished(tx, actor.organization_id, params.encounter_id)
    await _assign(tx, actor.organization_id, params.encounter_id, params.practitioner_ids)
    return await get(tx, actor, params)


async def finalize(tx: Transaction, actor: Actor, params: OfEncounter) -> EncounterShape:
    """Finalise an encounter: it changes no more, and takes no notes but addenda. Raises NotFound; Conflict if it is already."""
    await unfinished(tx, actor.organization_id, params.encounter_id)
    await tx.rows(
        """update encounters set documentation_status = 'complete', finalized_at = clock_timestamp(), finalized_by = $3
            where (organization_id, id) = ($1, $2)""",
        *(actor.organization_id, params.encounter_id, actor.person_id),
    )
    return await get(tx, actor, params)


async def row(tx: Transaction, organization_id: OrganizationId, encounter_id: EncounterId) -> dict[str, Any]:
    """An encounter as it stands. Raises NotFound."""
    rows = await tx.rows(_SELECT + " and e.id = $2", organization_id, encounter_id)
    if not rows:
        raise NotFound(NOT_FOUND)
    tx.concerns(patient_id=rows[0]["patient_id"])
    return rows[0]


async def locked(tx: Transaction, organization_id: OrganizationId, encounter_id: EncounterId) -> dict[str, Any]:
    """Lock an encounter, and say how it stands. Raises NotFound."""
    await lock(tx, organization_id, encounters=[encounter_id])
    return await row(tx, organization_id, encounter_id)


async def unfinished(tx: Transaction, organization_id: OrganizationId, encounter_id: EncounterId) -> dict[str, Any]:
    """The same, where it may still be changed. Raises NotFound, Conflict."""
    found = await locked(tx, organization_id, encounter_id)
    if found["finalized_at"] is not None:
        raise Conflict(policy.FINALIZED)
    return found


async def _create(
    tx: Transaction, actor: Actor, params: _NewEncounter, subject: Subject, of: str, practitioner: str
) -> EncounterShape:
    organization_id, encounter_id = actor.organization_id, EncounterId.new()
    made = {"id": encounter_id, "created_by_user": actor.person_id}
    key_id, complaint = await sealed.close(tx.keys, "encounters", organization_id, made, params.chief_complaint)
    await tx.rows(
        f"""insert into encounters (organization_id, id, subject_type, {subject}_id, encounter_date, type, key_id,
                                    chief_complaint, created_by_user)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        *(organization_id, encounter_id, subject, of, params.encounter_date, params.type, key_id, complaint),
        actor.person_id,
    )
    assigned = [practitioner] if params.practitioner_ids is None else params.practitioner_ids
    await _assign(tx, organization_id, encounter_id, assigned)
    return await get(tx, actor, OfEncounter(encounter_id=encounter_id))


async def _require_practitioners(
    tx: Transaction, organization_id: OrganizationId, people: Sequence[TeamMemberId], patient: str | None = None
) -> None:
    """Lock them, and the patient with them; refuse who is no active team member."""
    await lock(tx, organization_id, people=[*people, *([patient] if patient else [])])
    for person in people:
        await require_available(tx, organization_id, person, "practitioner_ids")


async def _assign(
    tx: Transaction, organization_id: OrganizationId, encounter_id: EncounterId, people: Sequence[str]
) -> None:
    chosen = sorted(set(people))
    await tx.rows(
        """update encounter_practitioners set is_assigned = team_member_id = any ($3)
            where (organization_id, encounter_id) = ($1, $2) and is_assigned <> (team_member_id = any ($3))""",
        *(organization_id, encounter_id, chosen),
    )
    await tx.rows(
        "insert into encounter_practitioners select $1, $2, id from unnest($3::text[]) as id on conflict do nothing",
        *(organization_id, encounter_id, chosen),
    )


async def _shape(tx: Transaction, row: dict[str, Any]) -> EncounterShape:
    complaint = await sealed.open_(tx.keys, "encounters", row["organization_id"], row)
    return EncounterShape(**row | {"chief_complaint": complaint})

"""Patient groups: their name, their team members, and the crisis services their patients are told of (domain.md §2, §6)."""

from typing import Any

from pydantic import BaseModel, Field

from server.db import Transaction, explain
from server.errors import Conflict, Invalid, NotFound
from server.ids import OrganizationId, PatientGroupId, TeamMemberId
from server.people.actors import Actor
from server.people.models import PatientGroup
from server.people.team import Nothing
from server.people.wording import Name, Prose, require_values

explain("patient_groups_one_name", Conflict("There is a patient group of this name already. Use another one."))


class CreatePatientGroup(BaseModel):
    """A new patient group."""

    name: Name
    crisis_services: Prose = Field("", description="Told to its patients where their channel is closed")
    team_member_ids: list[TeamMemberId] = Field(
        [], max_length=100, description="A link of the chain that keeps channels staffed"
    )


class UpdatePatientGroup(BaseModel):
    """Change what is given of a patient group, and nothing else."""

    patient_group_id: PatientGroupId
    name: Name | None = None
    crisis_services: Prose | None = None
    team_member_ids: list[TeamMemberId] | None = Field(None, max_length=100, description="Replaces the list")


class PatientGroupShape(BaseModel):
    """A patient group."""

    id: PatientGroupId
    name: str
    is_default: bool
    crisis_services: str
    team_member_ids: list[TeamMemberId]


class PatientGroups(BaseModel):
    """The organisation's patient groups, by name."""

    patient_groups: list[PatientGroupShape]


_SELECT = """
select g.id, g.name, g.is_default, g.crisis_services, coalesce(t.ids, '{}') as team_member_ids
  from patient_groups g left join lateral (
    select array_agg(m.id order by lower(m.name), m.id) as ids
      from patient_group_team l join team_members m on (m.organization_id, m.id) = (l.organization_id, l.team_member_id)
     where (l.organization_id, l.patient_group_id) = (g.organization_id, g.id) and l.is_listed) t on true
 where g.organization_id = $1"""


async def list_all(tx: Transaction, actor: Actor, _params: Nothing) -> PatientGroups:
    """The patient groups, by name."""
    rows = await tx.rows(_SELECT + " order by lower(g.name), g.id", actor.organization_id)
    return PatientGroups(patient_groups=[PatientGroupShape(**row) for row in rows])


async def create(tx: Transaction, actor: Actor, params: CreatePatientGroup) -> PatientGroupShape:
    """A new patient group. Raises Conflict for a name in use, Invalid for somebody who is no team member here."""
    group_id = PatientGroupId.new()
    tx.session.add(
        PatientGroup(
            organization_id=actor.organization_id, id=group_id, name=params.name, crisis_services=params.crisis_services
        )
    )
    await tx.session.flush()
    await _list(tx, actor.organization_id, group_id, params.team_member_ids)
    return await _get(tx, actor, group_id)


async def update(tx: Transaction, actor: Actor, params: UpdatePatientGroup) -> PatientGroupShape:
    """Change a patient group. Raises NotFound; Conflict for a name in use, Invalid for somebody who is no team member here."""
    require_values(params)
    await tx.rows(
        """update patient_groups set name = coalesce($3, name), crisis_services = coalesce($4, crisis_services)
            where (organization_id, id) = ($1, $2)""",
        *(actor.organization_id, params.patient_group_id, params.name, params.crisis_services),
    )
    found = await _get(tx, actor, params.patient_group_id)
    if params.team_member_ids is None:
        return found
    await _list(tx, actor.organization_id, params.patient_group_id, params.team_member_ids)
    return await _get(tx, actor, params.patient_group_id)


async def _get(tx: Transaction, actor: Actor, group_id: PatientGroupId) -> PatientGroupShape:
    rows: list[dict[str, Any]] = await tx.rows(_SELECT + " and g.id = $2", actor.organization_id, group_id)
    if not rows:
        raise NotFound("There is no such patient group.")
    return PatientGroupShape(**rows[0])


async def _list(
    tx: Transaction, organization_id: OrganizationId, group_id: PatientGroupId, team: list[TeamMemberId]
) -> None:
    known = await tx.rows(
        "select id from team_members where organization_id = $1 and id = any ($2)", organization_id, sorted(set(team))
    )
    if len(known) < len(set(team)):
        raise Invalid("team_member_ids: there is no such team member.")
    await tx.rows(
        """update patient_group_team set is_listed = team_member_id = any ($3)
            where (organization_id, patient_group_id) = ($1, $2) and is_listed <> (team_member_id = any ($3))""",
        *(organization_id, group_id, sorted(set(team))),
    )
    await tx.rows(
        "insert into patient_group_team select $1, $2, id from unnest($3::text[]) as id on conflict do nothing",
        *(organization_id, group_id, sorted(set(team))),
    )

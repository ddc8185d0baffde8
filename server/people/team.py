"""Team members: create, read, list; and who am I."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from server.db import Transaction, explain
from server.errors import Conflict, Invalid, NotFound
from server.ids import OrganizationId, PersonId, TeamMemberId
from server.people.actors import Actor
from server.people.models import Person, TeamMember
from server.people.wording import Email, Name

explain("people_one_email", Conflict("Somebody in this organisation has this email address already. Use another one."))
explain("team_members_organization_id_role_fkey", Invalid("role: this organisation has no such role"))


class Nothing(BaseModel):
    """No parameters."""


class CreateTeamMember(BaseModel):
    """A new team member."""

    name: Name
    email: Email
    role: str = Field(max_length=40, pattern="^[A-Z_]+$", examples=["NURSE"])


class GetTeamMember(BaseModel):
    """One team member."""

    team_member_id: TeamMemberId


class Page(BaseModel):
    """A page of a list, in the order of names."""

    after: PersonId | None = Field(None, description="The id of the last one of the page before")
    limit: int = Field(50, ge=1, le=200)


class TeamMemberShape(BaseModel):
    """A team member, as colleagues see them."""

    id: TeamMemberId
    name: str
    email: str
    role: str
    status: Literal["active", "archived"]
    archiving: bool = Field(False, description="Somebody has asked for them to be archived, and it is being done")
    extra_permissions: list[str] = []


class TeamMembers(BaseModel):
    """A page of team members."""

    team_members: list[TeamMemberShape]
    more: bool


class Me(BaseModel):
    """Who asks, where, and what they may do. `other_ways`, for archived patients alone, who may have no channel left that tells
    them: the organisation's contact text and their patient group's crisis services, where there are any."""

    person: dict[str, str]
    organization: dict[str, str]
    permissions: list[str]
    other_ways: list[str] | None = None


_SELECT = """select p.id, t.name, p.email, t.role, p.status, t.extra_permissions,
         exists (select from archivings a where (a.person_id, a.organization_id) = (p.id, p.organization_id)
                    and a.status = 'pending') as archiving
    from team_members t
  join people p on (p.organization_id, p.id) = (t.organization_id, t.id) where t.organization_id = $1"""


async def me(tx: Transaction, actor: Actor, _params: Nothing) -> Me:
    """The actor themselves."""
    [row] = await tx.rows(
        """select coalesce(t.name, a.preferred_name, a.legal_name) as name, o.name as organization,
                  case when p.kind = 'patient' and p.status = 'archived' then
                    array_remove(array[coalesce(s.contact_text, ''), coalesce(g.crisis_services, '')], '') end as other_ways
             from people p join organizations o on o.id = p.organization_id
             left join organization_settings s on s.organization_id = p.organization_id
             left join team_members t on (t.organization_id, t.id) = (p.organization_id, p.id)
             left join patients a on (a.organization_id, a.id) = (p.organization_id, p.id)
             left join patient_groups g on (g.organization_id, g.id) = (a.organization_id, a.patient_group_id)
            where (p.organization_id, p.id) = ($1, $2)""",
        actor.organization_id,
        actor.person_id,
    )
    return Me(
        person={"id": actor.person_id, "kind": actor.kind, "name": row["name"]},
        organization={"id": actor.organization_id, "name": row["organization"]},
        permissions=sorted(actor.permissions),
        other_ways=row["other_ways"],
    )


async def insert(tx: Transaction, organization_id: OrganizationId, params: CreateTeamMember) -> TeamMemberId:
    """Write a team member; who may, was asked before."""
    person_id = TeamMemberId.new()
    tx.session.add(Person(organization_id=organization_id, id=person_id, kind="team_member", email=params.email))
    await tx.session.flush()
    tx.session.add(TeamMember(organization_id=organization_id, id=person_id, name=params.name, role=params.role))
    await tx.session.flush()
    return person_id


async def get(tx: Transaction, actor: Actor, params: GetTeamMember) -> TeamMemberShape:
    """One team member. Raises NotFound."""
    rows = await tx.rows(_SELECT + " and t.id = $2", actor.organization_id, params.team_member_id)
    if not rows:
        raise NotFound("There is no such team member.")
    return TeamMemberShape(**rows[0])


async def list_all(tx: Transaction, actor: Actor, params: Page) -> TeamMembers:
    """The team, by name."""
    rows = await page(tx, actor, params, _SELECT, "t.name", "team_members")
    return TeamMembers(
        team_members=[TeamMemberShape(**row) for row in rows[: params.limit]], more=len(rows) > params.limit
    )


async def page(tx: Transaction, actor: Actor, params: Page, select: str, name: str, table: str) -> list[dict[str, Any]]:
    """The rows of one page of people by name, and one more where there are more."""
    return await tx.rows(
        f"""{select} and ($2::text is null or (lower({name}), p.id) >
              (select lower({name}), t.id from {table} t where (t.organization_id, t.id) = ($1, $2)))
            order by lower({name}), p.id limit $3""",
        actor.organization_id,
        params.after,
        params.limit + 1,
    )

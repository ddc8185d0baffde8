"""Roles, what each may do as data of the organisation; and who holds which (domain.md §1)."""

from collections.abc import Collection

from pydantic import BaseModel, Field

from server.db import Transaction
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.ids import OrganizationId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.permissions import DENIALS
from server.people.team import CreateTeamMember, GetTeamMember, Nothing, TeamMemberShape, get, insert
from server.people.wording import Name, require_values


class RoleShape(BaseModel):
    """A role, and what it may do."""

    name: str
    permissions: list[str]


class Roles(BaseModel):
    """The organisation's roles, and the whole vocabulary of permissions."""

    roles: list[RoleShape]
    vocabulary: list[str]


class UpdateRole(BaseModel):
    """Say what a role may do; replaces the list."""

    name: str = Field(max_length=40, pattern="^[A-Z_]+$", examples=["NURSE"])
    permissions: list[str] = Field(max_length=50)


class UpdateTeamMember(BaseModel):
    """Change what is given of a team member, and nothing else."""

    team_member_id: TeamMemberId
    name: Name | None = None
    role: str | None = Field(None, max_length=40, pattern="^[A-Z_]+$", examples=["NURSE"])
    extra_permissions: list[str] | None = Field(None, max_length=50, description="Beside the role's; replaces the list")


async def list_all(tx: Transaction, actor: Actor, _params: Nothing) -> Roles:
    """The roles and what each may do."""
    rows = await tx.rows(
        "select name, permissions from roles where organization_id = $1 order by name", actor.organization_id
    )
    return Roles(roles=[RoleShape(**row) for row in rows], vocabulary=sorted(DENIALS))


async def update(tx: Transaction, actor: Actor, params: UpdateRole) -> RoleShape:
    """Say what a role may do. It counts with everybody's next request.

    Raises:
        NotFound: no such role. Invalid: no such permission. Forbidden: one that is added or taken away and that the actor lacks:
            who took it away could not give it back.
        Conflict: nobody would be left who manages the team.
    """
    rows = await tx.rows(
        "select permissions from roles where (organization_id, name) = ($1, $2) for no key update",
        *(actor.organization_id, params.name),
    )
    if not rows:
        raise NotFound("There is no such role.")
    require_grantable(actor, set(params.permissions) ^ set(rows[0]["permissions"]))
    permissions = sorted(set(params.permissions))
    await tx.rows(
        "update roles set permissions = $3 where (organization_id, name) = ($1, $2)",
        *(actor.organization_id, params.name, permissions),
    )
    await require_somebody_manages(tx, actor.organization_id)
    return RoleShape(name=params.name, permissions=permissions)


async def create_member(tx: Transaction, actor: Actor, params: CreateTeamMember) -> TeamMemberShape:
    """A new team member.

    Raises:
        Conflict: the email is in use. Invalid: no such role. Forbidden: a role with a permission that the actor lacks.
    """
    require_grantable(actor, await _of_role(tx, actor.organization_id, params.role))
    person_id = await insert(tx, actor.organization_id, params)
    return await get(tx, actor, GetTeamMember(team_member_id=person_id))


async def update_member(tx: Transaction, actor: Actor, params: UpdateTeamMember) -> TeamMemberShape:
    """Change a team member's name, role or extra permissions. Their next request goes by it.

    Raises:
        NotFound: no such team member. Invalid: no such role or permission.
        Forbidden: a permission, or a role with one, that neither they nor the actor hold.
        Conflict: nobody would be left who manages the team.
    """
    require_values(params)
    await lock(tx, actor.organization_id, people=[params.team_member_id])
    await get(tx, actor, GetTeamMember(team_member_id=params.team_member_id))
    granted = set(params.extra_permissions or ())
    if params.role is not None:
        granted |= await _of_role(tx, actor.organization_id, params.role)
    require_grantable(actor, granted, await _held(tx, actor.organization_id, params.team_member_id))
    await tx.rows(
        """update team_members set name = coalesce($3, name), role = coalesce($4, role),
                  extra_permissions = coalesce($5, extra_permissions) where (organization_id, id) = ($1, $2)""",
        *(actor.organization_id, params.team_member_id, params.name, params.role),
        None if params.extra_permissions is None else sorted(set(params.extra_permissions)),
    )
    await require_somebody_manages(tx, actor.organization_id)
    return await get(tx, actor, GetTeamMember(team_member_id=params.team_member_id))


async def _of_role(tx: Transaction, organization_id: OrganizationId, name: str) -> set[str]:
    rows = await tx.rows(
        "select permissions from roles where (organization_id, name) = ($1, $2)", organization_id, name
    )
    if not rows:
        raise Invalid("role: this organisation has no such role")
    return set(rows[0]["permissions"])


async def _held(tx: Transaction, organization_id: OrganizationId, team_member_id: TeamMemberId) -> set[str]:
    rows = await tx.rows(
        """select r.permissions || t.extra_permissions as permissions from team_members t
             join roles r on (r.organization_id, r.name) = (t.organization_id, t.role)
            where (t.organization_id, t.id) = ($1, $2)""",
        *(organization_id, team_member_id),
    )
    return set(rows[0]["permissions"])


def require_grantable(actor: Actor, permissions: set[str], held: Collection[str] = ()) -> None:
    """Refuse to give what is no permission, or what one does not hold; `held` they have. Raises Invalid, Forbidden."""
    if unknown := permissions - set(DENIALS):
        raise Invalid(f"permissions: there is none called {min(unknown)!r:.60}.")
    if beyond := permissions - actor.permissions - {*held, "session.requires_review"}:
        raise Forbidden(f'You can only give and take what you hold, and "{min(beyond)}" you do not.')


async def require_somebody_manages(
    tx: Transaction, organization_id: OrganizationId, leaver: TeamMemberId | None = None
) -> None:
    """Refuse a change after which nobody active could manage the team, and so undo it; or to let the last one of them go.

    Raises:
        Conflict: it is so.
    """
    # One at a time, or two changes could each count on the other's manager.
    await tx.rows("select id from organizations where id = $1 for no key update", organization_id)
    rows = await tx.rows(
        """select t.id from team_members t join people p on (p.organization_id, p.id) = (t.organization_id, t.id)
             join roles r on (r.organization_id, r.name) = (t.organization_id, t.role)
            where t.organization_id = $1 and p.status = 'active' and 'team.manage' = any (r.permissions || t.extra_permissions)
              and not exists (select from archivings a where (a.person_id, a.organization_id) = (p.id, p.organization_id)
                                                         and a.status = 'pending')""",
        organization_id,
    )
    managing = {row["id"] for row in rows}
    if (leaver is None and not managing) or managing == {leaver}:
        raise Conflict('Nobody would be left who may manage the team. Give somebody else "team.manage" first.')

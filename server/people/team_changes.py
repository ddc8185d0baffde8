"""Changing a team member, and taking an archived one back (domain.md §1, §2)."""

from pydantic import BaseModel, Field

from server.db import Transaction
from server.errors import Conflict, Invalid
from server.ids import TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.roles import require_grantable, require_somebody_manages
from server.people.team import GetTeamMember, TeamMemberShape, get
from server.people.wording import Name


class UpdateTeamMember(BaseModel):
    """Change what is given of a team member, and nothing else."""

    team_member_id: TeamMemberId
    name: Name | None = None
    role: str | None = Field(None, max_length=40, pattern="^[A-Z_]+$", examples=["NURSE"])
    extra_permissions: list[str] | None = Field(None, max_length=50, description="Beside the role's; replaces the list")


async def update(tx: Transaction, actor: Actor, params: UpdateTeamMember) -> TeamMemberShape:
    """Change a team member's name, role or extra permissions. Their next request goes by it.

    Raises:
        NotFound: no such team member. Invalid: no such role or permission.
        Forbidden: a role or a permission that the actor does not hold.
        Conflict: nobody would be left who manages the team.
    """
    await lock(tx, actor.organization_id, people=[params.team_member_id])
    await get(tx, actor, GetTeamMember(team_member_id=params.team_member_id))
    granted = set(params.extra_permissions or ())
    if params.role is not None:
        rows = await tx.rows(
            "select permissions from roles where (organization_id, name) = ($1, $2)", actor.organization_id, params.role
        )
        if not rows:
            raise Invalid("role: this organisation has no such role")
        granted |= set(rows[0]["permissions"])
    require_grantable(actor, granted)
    await tx.rows(
        """update team_members set name = coalesce($3, name), role = coalesce($4, role),
                  extra_permissions = coalesce($5, extra_permissions) where (organization_id, id) = ($1, $2)""",
        *(actor.organization_id, params.team_member_id, params.name, params.role),
        None if params.extra_permissions is None else sorted(set(params.extra_permissions)),
    )
    await require_somebody_manages(tx, actor.organization_id)
    return await get(tx, actor, GetTeamMember(team_member_id=params.team_member_id))


async def unarchive(tx: Transaction, actor: Actor, params: GetTeamMember) -> TeamMemberShape:
    """Take an archived team member back. They come without memberships, patients or groups: those are given anew.

    Raises:
        NotFound: no such team member. Conflict: they are active already.
    """
    await lock(tx, actor.organization_id, people=[params.team_member_id])
    found = await get(tx, actor, params)
    if found.status == "active":
        raise Conflict("This person is active already.")
    await tx.rows(
        "update people set status = 'active' where (organization_id, id) = ($1, $2)",
        *(actor.organization_id, params.team_member_id),
    )
    return await get(tx, actor, params)

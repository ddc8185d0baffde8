"""Requests to archive a team member, as rows: who may be archived, what the request says, how it ended, and the way back."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from server.db import Transaction, explain
from server.errors import Conflict, Invalid, NotFound
from server.ids import ArchivingId, OrganizationId, PersonId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.models import Archiving
from server.people.signing_out import sign_out
from server.people.team import GetTeamMember, TeamMemberShape, get

JOINS_NOTHING = "This person is being archived and can be added nowhere. Name somebody else."
_UNDER_WAY = Conflict("This person is being archived already.")

explain("pending_people_join_nothing", Conflict(JOINS_NOTHING))
explain("archivings_one_pending", _UNDER_WAY)


class ListArchivings(BaseModel):
    """The latest requests."""

    limit: int = Field(50, ge=1, le=200)


class ArchivingShape(BaseModel):
    """A request to archive a team member, and what became of it."""

    id: ArchivingId
    team_member_id: TeamMemberId
    successor_id: PersonId | None
    requested_by: PersonId | None
    requested_at: datetime
    status: Literal["pending", "done", "refused"]
    why: str | None


class Archivings(BaseModel):
    """Requests to archive team members, the latest first."""

    archivings: list[ArchivingShape]


_SELECT = """select id, person_id as team_member_id, successor_id, requested_by, requested_at, status, why
  from archivings where organization_id = $1"""
_STANDING = """
select p.id, p.status, exists (select from archivings a where (a.person_id, a.organization_id) = (p.id, p.organization_id)
                                                          and a.status = 'pending') as pending
  from people p where p.organization_id = $1 and p.kind = 'team_member' and p.id = any ($2)"""


async def list_all(tx: Transaction, actor: Actor, params: ListArchivings) -> Archivings:
    """The latest requests to archive team members, and what became of them."""
    rows = await tx.rows(_SELECT + " order by requested_at desc, id limit $2", actor.organization_id, params.limit)
    return Archivings(archivings=[ArchivingShape(**row) for row in rows])


async def require_archivable(
    tx: Transaction, organization_id: OrganizationId, person: TeamMemberId, successor: PersonId | None
) -> None:
    """Refuse whoever cannot be archived, and whoever cannot follow them. Raises NotFound, Invalid, Conflict."""
    named = [person, *([successor] if successor else [])]
    found = {row["id"]: row for row in await tx.rows(_STANDING, organization_id, named)}
    if person not in found:
        raise NotFound("There is no such team member.")
    if successor is not None:
        if str(successor) == person:
            raise Invalid("successor_id: name somebody else.")
        if successor not in found:
            raise Invalid("successor_id: there is no such team member.")
    if found[person]["status"] != "active":
        raise Conflict("This person is archived already.")
    if found[person]["pending"]:
        raise Conflict(_UNDER_WAY.message)
    if successor is not None and (found[successor]["status"] != "active" or found[successor]["pending"]):
        raise Conflict("successor_id: this team member is archived, or is being. Name an active one.")


async def require_available(tx: Transaction, organization_id: OrganizationId, person: TeamMemberId, field: str) -> None:
    """Refuse as allocation clinician or facilitator whoever is not active, or is being archived; they are locked.

    Raises:
        Invalid: no such team member. Conflict: archived, or being archived.
    """
    found = await tx.rows(_STANDING, organization_id, [person])
    if not found:
        raise Invalid(f"{field}: there is no such team member. Name an active one.")
    if found[0]["status"] != "active":
        raise Conflict(f"{field}: this team member is archived. Name an active one.")
    if found[0]["pending"]:
        raise Conflict(f"{field}: this team member is being archived. Name an active one.")


async def may_follow(tx: Transaction, organization_id: OrganizationId, successor: str | None) -> bool:
    """Whether a successor is still active and not being archived, so that charges may pass to them; they are locked."""
    rows = await tx.rows(_STANDING, organization_id, [successor] if successor else [])
    return all(row["status"] == "active" and not row["pending"] for row in rows)


async def insert(
    tx: Transaction,
    organization_id: OrganizationId,
    person: TeamMemberId,
    successor: PersonId | None,
    requested_by: PersonId | None,
    preview: str,
) -> ArchivingShape:
    """Write a request and sign the person out; they are locked."""
    [before] = await tx.rows(
        "select signed_out_at from people where (organization_id, id) = ($1, $2)", organization_id, person
    )
    at = await sign_out(tx, organization_id, person)
    archiving_id = ArchivingId.new()
    tx.session.add(
        Archiving(
            organization_id=organization_id, id=archiving_id, person_id=person,
            successor_id=TeamMemberId(successor) if successor else None,
            requested_by=requested_by, requested_at=at, preview=preview, signed_out_before=before["signed_out_at"],
        )
    )  # fmt: skip
    await tx.session.flush()
    [row] = await tx.rows(_SELECT + " and id = $2", organization_id, archiving_id)
    return ArchivingShape(**row)


async def find(tx: Transaction, organization_id: OrganizationId, archiving_id: ArchivingId) -> dict[str, Any]:
    """A request that is known to be there, as it stands now."""
    [row] = await tx.rows(
        "select * from archivings where (organization_id, id) = ($1, $2)", organization_id, archiving_id
    )
    return row


async def settle(tx: Transaction, asked: dict[str, Any], why: str | None) -> None:
    """End a request: done, the person archived; or refused and why, and they may sign in again. They are locked."""
    await tx.rows(
        """update archivings set status = $3, why = $4, settled_at = clock_timestamp()
            where (organization_id, id) = ($1, $2)""",
        *(asked["organization_id"], asked["id"], "done" if why is None else "refused", why),
    )
    if why is None:
        await tx.rows(
            "update people set status = 'archived' where (organization_id, id) = ($1, $2)",
            *(asked["organization_id"], asked["person_id"]),
        )
    else:  # The sign-out of this request is lifted; one that somebody asked for meanwhile stays.
        await tx.rows(
            """update people set signed_out_at = $4 where (organization_id, id) = ($1, $2) and signed_out_at = $3""",
            *(asked["organization_id"], asked["person_id"], asked["requested_at"], asked["signed_out_before"]),
        )


async def charges(tx: Transaction, organization_id: OrganizationId, person: str) -> tuple[list[str], list[str]]:
    """Whose allocation clinician somebody is, and which channels they facilitate."""
    patients = await tx.rows(
        "select id from patients where (organization_id, allocation_clinician_id) = ($1, $2)", organization_id, person
    )
    groups = await tx.rows(
        "select id from channels where (organization_id, facilitator_id) = ($1, $2)", organization_id, person
    )
    return [row["id"] for row in patients], [row["id"] for row in groups]


async def pass_on(tx: Transaction, organization_id: OrganizationId, person: str, successor: str) -> None:
    """Make the successor allocation clinician and facilitator where somebody was. All of them are locked."""
    for table, column in (
        ("patients", "allocation_clinician_id"),
        ("channels", "facilitator_id"),
        ("groups", "facilitator_id"),
    ):
        await tx.rows(
            f"update {table} set {column} = $3 where (organization_id, {column}) = ($1, $2)",
            *(organization_id, person, successor),
        )


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

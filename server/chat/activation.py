"""Activating a patient's care-team channel by hand (domain.md §2)."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from server.chat.append import append
from server.chat.memberships import join
from server.chat.models import Channel
from server.db import Transaction
from server.errors import Conflict, Invalid, NotFound
from server.ids import ChannelId, MembershipId, OrganizationId, PatientId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor


class Activate(BaseModel):
    """Activate a patient's care-team channel."""

    patient_id: PatientId
    team_member_ids: list[TeamMemberId] = Field([], max_length=100, description="Who joins; you, if nobody is named")


class Activated(BaseModel):
    """What came of it. Activating a channel that exists joins nobody (domain.md §2); its id is for its members."""

    created: bool
    channel_id: ChannelId | None


async def activate(tx: Transaction, actor: Actor, params: Activate) -> Activated:
    """Open a patient's care-team channel for them and the team members named.

    Raises:
        NotFound: no such patient.
        Invalid: somebody named is no team member here.
        Conflict: the patient or somebody named is archived.
    """
    team = sorted(set(params.team_member_ids) or {TeamMemberId(actor.person_id)})
    await lock(tx, actor.organization_id, people=[params.patient_id, *team])
    status = await _statuses(tx, actor.organization_id, [params.patient_id, *team])
    if params.patient_id not in status:
        raise NotFound("There is no such patient.")
    tx.concerns(patient_id=params.patient_id)
    existing = await tx.rows(
        """select c.id, m.id as member_id
             from channels c left join memberships m
               on (m.organization_id, m.channel_id) = (c.organization_id, c.id) and m.person_id = $3 and m.left_at is null
            where (c.organization_id, c.patient_id) = ($1, $2) and c.kind = 'care_team'""",
        actor.organization_id,
        params.patient_id,
        actor.person_id,
    )
    if existing:
        return Activated(created=False, channel_id=existing[0]["id"] if existing[0]["member_id"] else None)
    if any(member not in status for member in team):
        raise Invalid("team_member_ids: there is no such team member.")
    if any(status[person] != "active" for person in [params.patient_id, *team]):
        raise Conflict("An archived person cannot join a channel. Unarchive them first, or name somebody else.")
    return Activated(created=True, channel_id=await _open(tx, actor, params.patient_id, team))


async def _statuses(tx: Transaction, organization_id: OrganizationId, people: Sequence[str]) -> dict[str, str]:
    rows = await tx.rows(
        "select id, status from people where organization_id = $1 and id = any ($2)", organization_id, list(people)
    )
    return {row["id"]: row["status"] for row in rows}


async def _open(tx: Transaction, actor: Actor, patient_id: PatientId, team: Sequence[TeamMemberId]) -> ChannelId:
    channel = Channel(
        organization_id=actor.organization_id, id=ChannelId.new(), kind="care_team", patient_id=patient_id
    )
    tx.session.add(channel)
    await tx.session.flush()
    ids = {person: MembershipId.new() for person in (patient_id, *team)}
    by = {"by": ids[TeamMemberId(actor.person_id)]} if actor.person_id in ids else {}
    event = await append(tx, actor.organization_id, channel.id, "opened", {"opens": list(ids.values())} | by)
    for person, membership_id in ids.items():
        join(tx, event, "care_team", person, membership_id, visible_from=1, source="manual")
    await tx.session.flush()
    tx.concerns(channel_id=channel.id)
    return channel.id

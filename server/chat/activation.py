"""Activating a patient's care-team or service-team channel by hand (domain.md §2)."""

from typing import Literal

from pydantic import BaseModel, Field

from server.chat.memberships import require_active
from server.chat.models import Channel
from server.chat.opening import begin
from server.db import Transaction
from server.errors import NotFound
from server.ids import ChannelId, PatientId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor


class Activate(BaseModel):
    """Activate a patient's care-team or service-team channel."""

    patient_id: PatientId
    kind: Literal["care_team", "service_team"] = "care_team"
    team_member_ids: list[TeamMemberId] = Field([], max_length=100, description="Who joins; you, if nobody is named")


class Activated(BaseModel):
    """What came of it. Activating a channel that exists joins nobody (domain.md §2); its id is for its members."""

    created: bool
    channel_id: ChannelId | None


async def activate(tx: Transaction, actor: Actor, params: Activate) -> Activated:
    """Open a patient's care-team or service-team channel for them and the team members named.

    Raises:
        NotFound: no such patient.
        Invalid: somebody named is no team member here.
        Conflict: the patient or somebody named is archived.
    """
    team = sorted(set(params.team_member_ids) or {TeamMemberId(actor.person_id)})
    await lock(tx, actor.organization_id, people=[params.patient_id, *team])
    known = await tx.rows(
        "select id from patients where (organization_id, id) = ($1, $2)", actor.organization_id, params.patient_id
    )
    if not known:
        raise NotFound("There is no such patient.")
    tx.concerns(patient_id=params.patient_id)
    existing = await tx.rows(
        """select c.id, m.id as member_id
             from channels c left join memberships m
               on (m.organization_id, m.channel_id) = (c.organization_id, c.id) and m.person_id = $3 and m.left_at is null
            where (c.organization_id, c.patient_id, c.kind) = ($1, $2, $4)""",
        actor.organization_id,
        params.patient_id,
        actor.person_id,
        params.kind,
    )
    if existing:
        return Activated(created=False, channel_id=existing[0]["id"] if existing[0]["member_id"] else None)
    await require_active(tx, actor.organization_id, [params.patient_id, *team], "team_member_ids")
    channel = Channel(
        organization_id=actor.organization_id, id=ChannelId.new(), kind=params.kind, patient_id=params.patient_id
    )
    await begin(tx, channel, [params.patient_id, *team], by=actor.person_id)
    return Activated(created=True, channel_id=channel.id)

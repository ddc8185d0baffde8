"""Asking to join a patient's channel that one is not in: an event for its team, and nothing else (domain.md §2)."""

from typing import Literal

from pydantic import BaseModel

from server.chat import policy
from server.chat.append import append
from server.db import Transaction
from server.errors import Conflict, NotFound
from server.ids import ChannelId, PatientId
from server.locks import lock
from server.people.actors import Actor


class AskToJoin(BaseModel):
    """Ask the team of a patient's channel to add you. They see it in the channel; the patient does not."""

    patient_id: PatientId
    kind: Literal["service_team", "care_team"]


class Asked(BaseModel):
    """The team has been asked. Whether and by whom you are added is theirs to decide."""

    asked: Literal[True] = True


async def ask(tx: Transaction, actor: Actor, params: AskToJoin) -> Asked:
    """Ask to be added. Asking again within a day says nothing new.

    Raises:
        NotFound: no such patient. Conflict: the channel is not activated, is archived, or one is in it already.
    """
    known = await tx.rows(
        "select id from patients where (organization_id, id) = ($1, $2)", actor.organization_id, params.patient_id
    )
    if not known:
        raise NotFound("There is no such patient.")
    tx.concerns(patient_id=params.patient_id)
    rows = await tx.rows(
        "select id from channels where (organization_id, patient_id, kind) = ($1, $2, $3)",
        *(actor.organization_id, params.patient_id, params.kind),
    )
    if not rows:
        raise Conflict("This channel is not activated. You can activate it.")
    channel_id = ChannelId(rows[0]["id"])
    await lock(tx, actor.organization_id, channels=[channel_id])
    [channel] = await tx.rows(
        """select c.status, exists (select from memberships m where (m.organization_id, m.channel_id, m.person_id)
                    = (c.organization_id, c.id, $3) and m.left_at is null) as member,
                  exists (select from events e where (e.organization_id, e.channel_id) = (c.organization_id, c.id)
                    and e.kind = 'asked' and e.facts ->> 'person' = $3 and e.created_at > now() - interval '1 day'
                    and not exists (select from memberships m where (m.organization_id, m.channel_id, m.person_id)
                      = (c.organization_id, c.id, $3) and m.left_offset > e.log_offset)) as asked
             from channels c where (c.organization_id, c.id) = ($1, $2)""",
        *(actor.organization_id, channel_id, actor.person_id),
    )
    if refused := policy.refusal("ask_to_join", params.kind, policy.Standing(channel["member"], actor.is_staff)):
        raise refused
    if channel["status"] == "archived":
        raise Conflict("This channel is archived. Its team, or somebody with Messaging Management, can unarchive it.")
    if not channel["asked"]:
        await append(tx, actor.organization_id, channel_id, "asked", {"person": actor.person_id}, audience="staff")
    return Asked()

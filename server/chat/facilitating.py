"""Who facilitates a group channel: the first whom the chain asks when nobody of the team is left in it (domain.md §2)."""

from pydantic import BaseModel, Field

from server.chat.channels import mine
from server.db import Transaction
from server.errors import Invalid
from server.ids import ChannelId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.archivings import require_available


class SetFacilitator(BaseModel):
    """Say who facilitates a group channel."""

    channel_id: ChannelId
    facilitator_id: TeamMemberId | None = Field(
        None, description="An active team member, in the channel or not; null: nobody"
    )


class Facilitator(BaseModel):
    """Who facilitates it now."""

    channel_id: ChannelId
    facilitator_id: TeamMemberId | None


async def set_facilitator(tx: Transaction, actor: Actor, params: SetFacilitator) -> Facilitator:
    """Say who facilitates a group channel. It joins nobody.

    Raises:
        NotFound: not the actor's channel. Forbidden: without messaging.manage.
        Invalid: no group channel, or nobody of that id. Conflict: they are archived, or about to be.
    """
    facilitator = params.facilitator_id
    people = [facilitator] if facilitator else []
    await lock(tx, actor.organization_id, people=people, channels=[params.channel_id])
    channel = await mine(tx, actor, params.channel_id)
    actor.require("messaging.manage")
    if channel["kind"] != "group":
        raise Invalid("channel_id: only group channels have a facilitator.")
    if facilitator is not None:
        await require_available(tx, actor.organization_id, facilitator, "facilitator_id")
    await tx.rows(
        "update channels set facilitator_id = $3 where (organization_id, id) = ($1, $2)",
        *(actor.organization_id, params.channel_id, facilitator),
    )
    return Facilitator(channel_id=params.channel_id, facilitator_id=facilitator)

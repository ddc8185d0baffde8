"""Leaving a channel, and having somebody take over in the same step (domain.md §2, participation rules)."""

from typing import Any

from pydantic import BaseModel, Field

from server.chat.append import append
from server.chat.channels import mine_to
from server.chat.memberships import end, join, require_active, tell
from server.db import Transaction
from server.errors import Forbidden, Invalid
from server.ids import ChannelId, MembershipId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor


class LeaveChannel(BaseModel):
    """Leave a channel, at your choice with a colleague who takes over from you."""

    channel_id: ChannelId
    replacement_id: TeamMemberId | None = Field(
        None, description="A team member who takes your place, with what you have not read unread for them"
    )


class Left(BaseModel):
    """Where in the log your membership ended, and who is in the channel instead."""

    offset: int
    replacement_member_id: MembershipId | None


async def leave(tx: Transaction, actor: Actor, params: LeaveChannel) -> Left:
    """Leave a channel. Team members leave any but a direct one; patients leave groups.

    Raises:
        NotFound, Forbidden: see policy.RULES; patients name nobody to take over.
        Invalid: the replacement is oneself or nobody. Conflict: they are archived; or there is none, and the actor is the last
            active team member of a channel with a patient in it.
    """
    replacement = params.replacement_id
    people = [actor.person_id, *([replacement] if replacement else [])]
    await lock(tx, actor.organization_id, people=people, channels=[params.channel_id])
    channel = await mine_to("leave", tx, actor, params.channel_id)
    member_id = None
    if replacement is not None:
        if not actor.is_staff:
            raise Forbidden("This is for team members.")
        if str(replacement) == actor.person_id:
            raise Invalid("replacement_id: name somebody else to take over.")
        await require_active(tx, actor.organization_id, [replacement], "replacement_id")
        member_id = await _take_over(tx, actor, channel, replacement)
    facts = {"ends": [channel["member_id"]], "by": channel["member_id"]}
    event = await append(tx, actor.organization_id, params.channel_id, "left", facts)
    await end(tx, event, channel["member_id"])
    tell(tx, actor.organization_id, params.channel_id, actor.person_id)
    return Left(offset=event.offset, replacement_member_id=member_id)


async def _take_over(
    tx: Transaction, actor: Actor, channel: dict[str, Any], replacement: TeamMemberId
) -> MembershipId | None:
    """Put somebody in the actor's place, who has read what the actor has; nothing where they are in the channel already."""
    there = await tx.rows(
        """select id from memberships
            where (organization_id, channel_id, person_id) = ($1, $2, $3) and left_at is null""",
        *(actor.organization_id, channel["id"], replacement),
    )
    if there:
        return None
    membership_id = MembershipId.new()
    facts = {"opens": [membership_id], "by": channel["member_id"], "replaces": channel["member_id"]}
    event = await append(tx, actor.organization_id, channel["id"], "joined", facts)
    mark = channel["read_offset"]
    join(tx, event, channel["kind"], replacement, membership_id, visible_from=1, source="manual", read_offset=mark)
    await tx.session.flush()
    return membership_id

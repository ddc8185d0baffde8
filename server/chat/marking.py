"""What a member sets on a channel for themselves alone: muted (no push, no email), and marked unread, to come back to."""

from pydantic import BaseModel

from server.chat.channels import InChannel, mine
from server.chat.memberships import tell
from server.chat.policy import READ_ONLY
from server.db import Transaction
from server.errors import Forbidden
from server.ids import ChannelId
from server.people.actors import Actor


class MuteChannel(BaseModel):
    """Get no push and no email about a channel, or get them again. It goes on counting on the badge."""

    channel_id: ChannelId
    muted: bool


class ChannelMarks(BaseModel):
    """What the actor has set on this channel."""

    channel_id: ChannelId
    muted: bool
    marked_unread: bool


async def mute(tx: Transaction, actor: Actor, params: MuteChannel) -> ChannelMarks:
    """Mute a channel for the actor alone, or unmute it. Raises NotFound; Forbidden for archived patients."""
    return await _set(tx, actor, params.channel_id, "muted", params.muted)


async def mark_unread(tx: Transaction, actor: Actor, params: InChannel) -> ChannelMarks:
    """Mark a channel unread, to come back to it; reading takes the mark away. It adds nothing to any count.

    Raises:
        NotFound: not the actor's channel. Forbidden: archived patients.
    """
    return await _set(tx, actor, params.channel_id, "marked_unread", True)


async def _set(tx: Transaction, actor: Actor, channel_id: ChannelId, what: str, value: bool) -> ChannelMarks:
    channel = await mine(tx, actor, channel_id)
    if not channel["person_active"]:
        raise Forbidden(READ_ONLY)
    [row] = await tx.rows(
        f"update memberships set {what} = $3 where (organization_id, id) = ($1, $2) returning muted, marked_unread",
        *(actor.organization_id, channel["member_id"], value),
    )
    tell(tx, actor.organization_id, channel_id, actor.person_id)
    return ChannelMarks(channel_id=channel_id, **row)

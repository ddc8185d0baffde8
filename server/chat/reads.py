"""Read marks: one per membership, only forward (domain.md §3). Not events: they travel as hints."""

from pydantic import BaseModel, Field

from server import events
from server.chat.channels import mine, summaries
from server.chat.memberships import tell
from server.chat.policy import NOT_FOUND
from server.db import Transaction
from server.errors import Invalid, NotFound
from server.events import Event
from server.ids import ChannelId, now
from server.people.actors import Actor


class MoveReadMark(BaseModel):
    """I have read everything up to this offset."""

    channel_id: ChannelId
    offset: int = Field(ge=0, le=2**53 - 1)


class ReadMark(BaseModel):
    """Where my read mark stands now, and what is unread after it."""

    read_offset: int
    unread: int


async def move(tx: Transaction, actor: Actor, params: MoveReadMark) -> ReadMark:
    """Move my read mark forward; a lower offset than it has moves nothing. To have read takes "marked unread" away.

    Raises:
        NotFound: not the actor's channel.
        Invalid: beyond the top, or before what the actor can see.
    """
    channel = await mine(tx, actor, params.channel_id)
    if params.offset > channel["top_offset"]:
        raise Invalid(f"offset: the channel ends at {channel['top_offset']}; a read mark cannot stand beyond it.")
    if params.offset < channel["visible_from"] - 1:
        raise Invalid(
            f"offset: you see this channel from {channel['visible_from']} on; a read mark cannot stand before that."
        )
    moved = await tx.rows(
        """update memberships set read_offset = $3, marked_unread = false
            where (organization_id, id) = ($1, $2) and left_at is null and read_offset <= $3
              and (read_offset < $3 or marked_unread) returning id""",
        actor.organization_id,
        channel["member_id"],
        params.offset,
    )
    if moved:
        tell(tx, actor.organization_id, params.channel_id, actor.person_id)
        seen = Event(
            "", actor.organization_id, params.channel_id, 0, "seen", now(), "all" if actor.is_staff else "staff",
            facts={"by": channel["member_id"], "offset": params.offset, "after": channel["top_offset"]},
        )  # fmt: skip
        tx.announce(events.topic(actor.organization_id, params.channel_id), events.encode(seen))
        if actor.is_staff:
            await _tell_attended(tx, actor, params, channel["read_offset"])
    found = await summaries(tx.rows, [(actor.organization_id, actor.person_id, params.channel_id)])
    if not found:  # removed since the first look
        raise NotFound(NOT_FOUND)
    return ReadMark(read_offset=found[0]["read_offset"], unread=found[0]["unread"])


async def _tell_attended(tx: Transaction, actor: Actor, params: MoveReadMark, before: int) -> None:
    """What stood unattended has been read: it stands so in nobody's message centre any more."""
    others = await tx.rows(
        """select m.person_id from unattended u join memberships m
               on (m.channel_id, m.organization_id) = (u.channel_id, u.organization_id) and m.left_at is null
            where (u.channel_id, u.organization_id) = ($1, $2) and u.stage in ('noticed', 'escalated')
              and u.log_offset > $3 and u.log_offset <= $4 and m.person_kind = 'team_member' and m.person_id <> $5""",
        *(params.channel_id, actor.organization_id, before, params.offset, actor.person_id),
    )
    for row in others:
        tell(tx, actor.organization_id, params.channel_id, row["person_id"])

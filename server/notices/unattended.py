"""What stands unattended: a channel's oldest patient message that nobody of the team has read, and since when (domain.md §4).

Who came into a channel by hand starts at their join, and has read nothing before it: their mark counts once it has moved. Who
takes over from somebody starts where that one left off, and theirs counts where that one's did.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from server.chat.having_read import HAS_READ
from server.db import Transaction

# The oldest patient message beyond what anybody of the team has read, of a channel (c).
_OLDEST = f"""
select m.id, m.log_offset, m.created_at
  from messages m join memberships a on (a.id, a.channel_id, a.organization_id) = (m.author_id, m.channel_id, m.organization_id)
 where (m.channel_id, m.organization_id) = (c.id, c.organization_id) and m.deleted_at is null and a.person_kind = 'patient'
   and m.log_offset > coalesce((
     select max(t.read_offset) from memberships t
      where (t.channel_id, t.organization_id) = (c.id, c.organization_id) and t.person_kind = 'team_member'
        and {HAS_READ}), 0)
 order by m.log_offset limit 1"""
_NOTE = f"""
insert into unattended (organization_id, channel_id, log_offset, since, due_at)
select c.organization_id, c.id, o.log_offset, o.created_at,
       o.created_at + coalesce(s.unattended_hours, 24) * interval '1 hour'
  from unnest($1::text[], $2::text[]) as w (organization, channel)
  join channels c on (c.id, c.organization_id) = (w.channel, w.organization) and c.status = 'active'
  left join organization_settings s on s.organization_id = c.organization_id
  cross join lateral ({_OLDEST}) o
 order by c.id
on conflict (channel_id, organization_id) do update
  set log_offset = excluded.log_offset, since = excluded.since, stage = 'waiting', due_at = excluded.due_at
where unattended.stage = 'over' or unattended.log_offset <> excluded.log_offset"""


async def note(tx: Transaction, channels: Iterable[tuple[str, str]]) -> None:
    """Let the clock run where a patient has written, or where a channel was opened again, and nobody has read it yet.

    Whatever is noted already stays as it is, unless it has been read meanwhile: then the clock begins again, with the oldest
    message that has not.

    Args:
        channels: (organisation, channel).
    """
    if wanted := sorted(set(channels)):
        await tx.rows(_NOTE, *(list(column) for column in zip(*wanted, strict=True)))


async def due(tx: Transaction, at: datetime, most: int = 100) -> list[tuple[str, str]]:
    """The channels of which something is due, or whose message has been read or deleted: (organisation, channel).

    Reading tells nobody of it: every message that stands open is looked at each time, by its key (`not exists` let the planner
    read all the messages there are, once many stood open). Only those that are not deleted have an index by offset.
    """
    rows = await tx.rows(
        f"""select u.organization_id, u.channel_id from unattended u
            where u.stage <> 'over' and (u.due_at <= $1
               or exists (select from memberships t
                   where (t.channel_id, t.organization_id) = (u.channel_id, u.organization_id) and t.person_kind = 'team_member'
                     and t.read_offset >= u.log_offset and {HAS_READ})
               or (select true from messages m
                    where (m.channel_id, m.log_offset, m.organization_id)
                        = (u.channel_id, u.log_offset, u.organization_id) and m.deleted_at is null) is null)
            order by u.due_at limit $2""",
        at,
        most,
    )
    return [(row["organization_id"], row["channel_id"]) for row in rows]


async def find(tx: Transaction, organization_id: str, channel_id: str, at: datetime) -> dict[str, Any] | None:
    """A channel's row, locked; None where nothing stands open any more, or another worker is at it.

    Returns:
        The row, with the channel's status, the organisation's hours, and the message that is the oldest unread now (`oldest`,
        `oldest_id`; None if all is read); `due`: whether its time has come.
    """
    rows = await tx.rows(
        f"""select u.organization_id, u.channel_id, u.log_offset, u.stage, c.status, o.id as oldest_id, o.log_offset as oldest,
                   coalesce(s.unattended_hours, 24) as hours, coalesce(u.due_at <= $3, false) as due
              from unattended u join channels c on (c.id, c.organization_id) = (u.channel_id, u.organization_id)
              left join organization_settings s on s.organization_id = u.organization_id
              left join lateral ({_OLDEST}) o on true
             where (u.channel_id, u.organization_id) = ($1, $2) and u.stage <> 'over' for no key update of u skip locked""",
        *(channel_id, organization_id, at),
    )
    return rows[0] if rows else None


async def move_to(tx: Transaction, row: dict[str, Any], stage: str, due_at: datetime | None) -> None:
    """Say what has been done about it, and when to look again."""
    await tx.rows(
        "update unattended set stage = $3, due_at = $4 where (channel_id, organization_id) = ($1, $2)",
        *(row["channel_id"], row["organization_id"], stage, due_at),
    )

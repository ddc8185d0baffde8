"""What decides about notices, gathered from the tables in one statement for any number of them (rules.py decides).

A setting that nobody has set is on, and whoever has set no quiet hours has none (domain.md §4): that stands here, and in
preferences.py for a single person.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from server.chat.having_read import HAS_READ
from server.notices.quiet import Quiet, over_at
from server.notices.rules import Facts

Pair = tuple[str, str, str]
"""(organisation, channel, person)."""

# Of a notice n: its organisation, channel, membership, person, message, offset, medium and cause.
COLUMNS = f"""n.organization_id, n.channel_id, n.membership_id, n.person_id, n.message_id, n.log_offset, n.medium, n.cause,
  m.left_at is not null as left, p.status <> 'active' as archived_person, c.status <> 'active' as archived_channel,
  x.deleted_at is not null as message_deleted, x.created_at as written_at, m.read_offset, m.muted,
  coalesce(f.push, true) as push, coalesce(f.unread_email, true) as unread_email,
  f.quiet_from, f.quiet_until, f.time_zone, p.email <> '' as has_address,
  exists (select from devices d where (d.person_id, d.organization_id) = (n.person_id, n.organization_id)
     and d.removed_at is null and (p.signed_out_at is null or d.added_at > p.signed_out_at)) as has_device,
  n.cause = 'unattended' and exists (select from memberships t
     where (t.channel_id, t.organization_id) = (n.channel_id, n.organization_id) and t.person_kind = 'team_member'
       and t.read_offset >= n.log_offset and {HAS_READ}) as attended,
  coalesce(s.unread_email_minutes, 5) as minutes, o.id as oldest_id, o.log_offset as oldest, o.created_at as oldest_at"""
# Each by its key, for each notice ("offset 0" says so): left to choose, a planner that knows nothing yet of a table which has
# grown of late goes through all people of an organisation, or all members of a channel, for each.
# o: the first message that is unread now; for push nobody asks.
JOINS = """
  cross join lateral (
    select * from memberships where (id, organization_id) = (n.membership_id, n.organization_id) offset 0) m
  cross join lateral (select * from channels where (organization_id, id) = (n.organization_id, n.channel_id) offset 0) c
  cross join lateral (select * from people where (organization_id, id) = (n.organization_id, n.person_id) offset 0) p
  cross join lateral (
    select * from messages
     where (id, channel_id, organization_id) = (n.message_id, n.channel_id, n.organization_id) offset 0) x
  left join lateral (
    select * from notice_preferences
     where (person_id, organization_id) = (n.person_id, n.organization_id) offset 0) f on true
  left join organization_settings s on s.organization_id = n.organization_id
  left join lateral (
    select u.id, u.log_offset, u.created_at from messages u
     where (u.channel_id, u.organization_id) = (n.channel_id, n.organization_id) and u.deleted_at is null
       and u.log_offset > m.read_offset and u.author_person_id <> n.person_id and n.medium <> 'push'
     order by u.log_offset limit 1) o on true"""


def wait(row: Mapping[str, Any]) -> timedelta:
    """For how long a message must be unread before an email says so: the organisation's setting."""
    return timedelta(minutes=row["minutes"])


def of_push(row: Mapping[str, Any], at: datetime, lapses: Mapping[Pair, datetime]) -> Facts:
    """The facts about a push; `lapses`: who is reading which channel, and until when that holds."""
    return Facts(
        deleted=row["message_deleted"],
        off=not row["push"],
        unreachable=not row["has_device"],
        viewing_until=lapses.get((row["organization_id"], row["channel_id"], row["person_id"])),
        **_common(row, at),
    )


def of_email(row: Mapping[str, Any], at: datetime) -> Facts:
    """The facts about an email: of an episode, whatever of it is unread now; of an unattended message, that one."""
    episode = row["cause"] == "new"
    return Facts(
        deleted=row["message_deleted"]
        if not episode
        else row["oldest"] is None and row["read_offset"] < row["log_offset"],
        off=not row["unread_email"],
        unreachable=not row["has_address"],
        unread_since=row["oldest_at"] if episode else None,
        wait=wait(row),
        **_common(row, at),
    )


def _common(row: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    return {
        "at": at,
        "cause": row["cause"],
        "quiet_until": over_at(_quiet(row), at),
        "read": row["read_offset"] >= row["log_offset"],
        **{name: row[name] for name in ("left", "archived_person", "archived_channel", "attended", "muted")},
    }


def _quiet(row: Mapping[str, Any]) -> Quiet | None:
    if row["time_zone"] is None:
        return None
    return Quiet(row["quiet_from"], row["quiet_until"], row["time_zone"])

"""Plans notices: from what a channel's log holds beyond what is planned, to rows of the ledger (domain.md §4).

Level-triggered: how far a channel is planned stands in notice_marks, moved in the transaction that adds the rows. So a crash
loses and doubles nothing, the send path does nothing, and any number of workers plan at the same time, each other channels.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from server.db import Transaction
from server.events import LOOK_BACK_SECONDS
from server.notices import episodes, facts, handing_over, ledger, unattended
from server.notices.ledger import Row
from server.notices.rules import decide_push

MOST_EVENTS: Final = 100
"""Events of one channel that are planned at a time."""

# What was written lately, by the database's own clock: it says where to look, and decides nothing.
_LATELY = """
select w.organization_id, w.channel_id from (
    select e.organization_id, e.channel_id, max(e.log_offset) as top from events e
     where e.created_at > clock_timestamp() - $2 * interval '1 s' group by 1, 2) w
  left join notice_marks k on (k.channel_id, k.organization_id) = (w.channel_id, w.organization_id)
 where w.top > coalesce(k.planned_offset, 0) limit $1"""
_ANY = """
select c.organization_id, c.id as channel_id from channels c
  left join notice_marks k on (k.channel_id, k.organization_id) = (c.id, c.organization_id)
 where c.top_offset > coalesce(k.planned_offset, 0) limit $1"""
_FIRST = """
insert into notice_marks (organization_id, channel_id, planned_offset)
select w.organization, w.channel, 0 from unnest($1::text[], $2::text[]) as w (organization, channel)
 where not exists (select from notice_marks k where (k.channel_id, k.organization_id) = (w.channel, w.organization))
 order by w.channel on conflict (channel_id, organization_id) do nothing"""
_LOCK = """
select k.organization_id, k.channel_id, k.planned_offset from notice_marks k
  join unnest($1::text[], $2::text[]) as w (organization, channel)
    on (k.organization_id, k.channel_id) = (w.organization, w.channel)
 order by k.channel_id for update of k skip locked"""
_EVENTS = """
select w.organization as organization_id, w.channel as channel_id, e.log_offset, e.kind, e.message_id, e.facts, e.created_at,
       a.person_kind
  from unnest($1::text[], $2::text[], $3::bigint[]) as w (organization, channel, after)
  cross join lateral (select * from events x where (x.organization_id, x.channel_id) = (w.organization, w.channel)
     and x.log_offset > w.after order by x.log_offset limit $4) e
  left join messages g
    on e.kind = 'message' and (g.id, g.channel_id, g.organization_id) = (e.message_id, w.channel, w.organization)
  left join memberships a on (a.id, a.channel_id, a.organization_id) = (g.author_id, w.channel, w.organization)
 order by w.organization, w.channel, e.log_offset"""
# Whom a message is for: whoever was in the channel when it was written and did not write it themselves.
_FOR = f"""
select {facts.COLUMNS}, {episodes.COLUMNS}
  from (select w.organization as organization_id, w.channel as channel_id, r.id as membership_id, r.person_id,
               g.id as message_id, g.log_offset, 'all' as medium, 'new' as cause
          from unnest($1::text[], $2::text[], $3::text[]) as w (organization, channel, message)
          join messages g on (g.id, g.channel_id, g.organization_id) = (w.message, w.channel, w.organization)
          join memberships r on (r.channel_id, r.organization_id) = (w.channel, w.organization)
           and r.joined_offset < g.log_offset and (r.left_offset is null or r.left_offset > g.log_offset)
           and r.person_id <> g.author_person_id) n
  {facts.JOINS} {episodes.JOINS}
 order by n.organization_id, n.membership_id, n.log_offset"""
_MOVE = """
update notice_marks k set planned_offset = w.planned
  from unnest($1::text[], $2::text[], $3::bigint[]) as w (organization, channel, planned)
 where (k.organization_id, k.channel_id) = (w.organization, w.channel)"""

Channel = tuple[str, str]
"""(organisation, channel)."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a round of planning did: channels and messages it planned, and when the oldest of these was written.

    `due`: whether anything goes out now. `more`: whether it stopped before the end, so that the next round should come at once.
    """

    channels: int = 0
    messages: int = 0
    since: datetime | None = None
    due: bool = False
    more: bool = False


async def plan(tx: Transaction, at: datetime, most: int = 64, everywhere: bool = False) -> Planned:
    """Plan up to `most` channels; those that another worker is at are left to it.

    Args:
        at: the moment of all decisions.
        everywhere: look at all channels, not only at those that were written lately: for a start, and now and then.
    """
    found = await tx.rows(_ANY, most) if everywhere else await tx.rows(_LATELY, most, LOOK_BACK_SECONDS)
    if not found:
        return Planned()
    channels = sorted((row["organization_id"], row["channel_id"]) for row in found)
    await tx.rows(_FIRST, *_columns(channels))
    marks = await tx.rows(_LOCK, *_columns(channels))
    after = [(row["organization_id"], row["channel_id"], row["planned_offset"]) for row in marks]
    if not after:
        return Planned()
    events = await tx.rows(_EVENTS, *_columns(after), MOST_EVENTS)
    planned = await _plan_events(tx, events, at)
    return replace(planned, more=planned.more or len(found) == most)


async def _plan_events(tx: Transaction, events: Sequence[dict[str, Any]], at: datetime) -> Planned:
    """Plan what is next of each channel: up to MOST_EVENTS, and not beyond a place that is given away."""
    taken = [
        event
        for _, of_channel in itertools.groupby(events, key=_channel)
        for event in handing_over.up_to_the_first(of_channel)
    ]
    messages = [(*_channel(event), event["message_id"]) for event in taken if event["kind"] == "message"]
    due = await _plan_messages(tx, messages, at)
    for event in taken:
        if takeover := handing_over.facts(event):
            due = await handing_over.owe(tx, *_channel(event), *takeover, at) or due
    planned = {_channel(event): event["log_offset"] for event in taken}
    await unattended.note(tx, {_channel(event) for event in taken if _may_stand(event)})
    await tx.rows(_MOVE, *_columns([(*channel, offset) for channel, offset in planned.items()]))
    lengths = Counter(map(_channel, events))
    return Planned(
        channels=len(planned),
        messages=len(messages),
        since=min((event["created_at"] for event in taken if event["kind"] == "message"), default=None),
        due=due,
        more=len(taken) < len(events) or MOST_EVENTS in lengths.values(),
    )


async def _plan_messages(tx: Transaction, messages: Sequence[tuple[str, str, str]], at: datetime) -> bool:
    """Whether any of it goes out now."""
    if not messages:
        return False
    people = await tx.rows(_FOR, *_columns(messages))
    rows = [
        Row.of(row, "push", "new", (row["message_id"], row["log_offset"]), decide_push(facts.of_push(row, at, {})))
        for row in people
    ]
    await ledger.add(tx, rows, at)
    await episodes.plan(tx, people, at)
    return any(row.decision.sends for row in rows)


def _may_stand(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "unarchived" or event["person_kind"] == "patient")


def _channel(event: dict[str, Any]) -> Channel:
    return event["organization_id"], event["channel_id"]


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]

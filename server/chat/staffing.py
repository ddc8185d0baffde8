"""The one place that applies plans of participation: memberships begin and end, the log says so, in a few statements for any
number of channels (domain.md §2). The people and the channels are locked."""

import json
from collections.abc import Sequence

from server.chat.append import append_many
from server.chat.memberships import tell
from server.chat.participation import Join
from server.db import Transaction
from server.events import Event
from server.ids import MembershipId, OrganizationId

_JOIN = """
insert into memberships (organization_id, id, channel_id, channel_kind, person_id, person_kind, source, visible_from,
                         read_offset, joined_offset, joined_at)
select $1, j.id, j.channel, j.kind, p.id, p.kind, j.source, coalesce(j.visible_from, j.joined_offset),
       coalesce(j.mark, j.joined_offset), j.joined_offset, j.at
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::timestamptz[],
              $10::text[]) as j (id, channel, kind, person, visible_from, mark, joined_offset, at, source)
  join people p on (p.organization_id, p.id) = ($1, j.person)"""
_END = """
update memberships m set left_offset = e.left_offset, left_at = e.at
  from unnest($2::text[], $3::text[], $4::bigint[], $5::timestamptz[]) as e (id, channel, left_offset, at)
 where (m.id, m.channel_id, m.organization_id) = (e.id, e.channel, $1) and m.left_at is null
returning m.channel_id, m.person_id"""
_RECORD = """
insert into audit_entries (organization_id, actor_id, operation, patient_id, channel_id, facts, request_id)
select $1, $2, 'channel.handed_over', c.patient_id, c.id, h.facts::jsonb, $3
  from unnest($4::text[], $5::text[]) as h (channel, facts) join channels c on (c.organization_id, c.id) = ($1, h.channel)
 order by c.id"""


async def apply(
    tx: Transaction, organization_id: OrganizationId, joins: Sequence[Join], ends: Sequence[tuple[str, str]]
) -> list[MembershipId]:
    """Add people, then end memberships: each channel's log says first who came or took over, then who left, and not why.

    Args:
        joins: who is added, and with which read mark.
        ends: (channel, membership).

    Returns:
        The new memberships, in the order of the joins.
    """
    ids = [MembershipId.new() for _ in joins]
    opened: dict[str, list[MembershipId]] = {}
    replaced: dict[str, str | None] = {}
    for join, id in zip(joins, ids, strict=True):
        opened.setdefault(join.channel, []).append(id)
        replaced[join.channel] = join.replaces
    arrivals = [
        (channel, "joined", {"opens": opens} | ({"replaces": replaced[channel]} if replaced[channel] else {}))
        for channel, opens in opened.items()
    ]
    over: dict[str, list[str]] = {}
    for channel, membership in ends:
        over.setdefault(channel, []).append(membership)
    departures = [(channel, "left", {"ends": memberships}) for channel, memberships in over.items()]
    events = await append_many(tx, organization_id, [*arrivals, *departures])
    joined = {event.channel_id: event for event in events[: len(arrivals)]}
    left = {event.channel_id: event for event in events[len(arrivals) :]}
    if joins:
        await _join(tx, organization_id, joins, ids, joined)
    if ends:
        await _end(tx, organization_id, ends, left)
    return ids


async def _join(
    tx: Transaction,
    organization_id: OrganizationId,
    joins: Sequence[Join],
    ids: Sequence[MembershipId],
    joined: dict[str, Event],
) -> None:
    await tx.rows(
        _JOIN,
        organization_id,
        list(ids),
        [join.channel for join in joins],
        [join.kind for join in joins],
        [join.person for join in joins],
        [join.visible_from for join in joins],
        [join.mark for join in joins],
        [joined[join.channel].offset for join in joins],
        [joined[join.channel].at for join in joins],
        [join.source for join in joins],
    )
    for join in joins:
        tell(tx, organization_id, join.channel, join.person)


async def _end(
    tx: Transaction, organization_id: OrganizationId, ends: Sequence[tuple[str, str]], left: dict[str, Event]
) -> None:
    ended = await tx.rows(
        _END,
        organization_id,
        [membership for _, membership in ends],
        [channel for channel, _ in ends],
        [left[channel].offset for channel, _ in ends],
        [left[channel].at for channel, _ in ends],
    )
    for row in ended:
        tell(tx, organization_id, row["channel_id"], row["person_id"])


async def record(
    tx: Transaction, organization_id: OrganizationId, by: str | None, request_id: str, joins: Sequence[Join], **why: str
) -> None:
    """Say in the access log, of each channel that was handed over, to whom and on whose request; `why` are further ids."""
    handed: dict[str, list[str]] = {}
    for join in joins:
        handed.setdefault(join.channel, []).append(join.person)
    if handed:
        facts = [json.dumps({**why, "team_member_ids": people}) for people in handed.values()]
        await tx.rows(_RECORD, organization_id, by, request_id, list(handed), facts)

"""A group's channel follows its roster, where that is wanted: who changes something asks for it here, and a worker sees to it.

The worker reads how things stand, has the change planned (server/roster/channel_sync.py) and applies it, in one transaction with
the end of its job. It works from the state and not from what was asked, so that a job done twice changes nothing.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from server import audit
from server.chat import names, situation, staffing
from server.chat.append import append
from server.chat.models import Channel
from server.chat.opening import begin
from server.chat.participation import Team
from server.db import Transaction
from server.errors import Conflict, TooMany
from server.ids import ChannelId, GroupId, OrganizationId
from server.locks import lock
from server.people.actors import Actor
from server.roster import asking, groups, policy
from server.roster.channel_sync import Plan, Row, Situation, plan
from server.roster.groups import GroupShape, OfGroup


class FollowRoster(BaseModel):
    """Have a group channel follow a group's roster, or have it follow no longer."""

    group_id: GroupId
    follow: bool = Field(True, description="false: the channel stays as it is, and on its own")


async def follow(tx: Transaction, actor: Actor, params: FollowRoster) -> GroupShape:
    """Have a channel follow a group's roster: a worker makes it, with the facilitator and the patients who are active members.

    Raises:
        Forbidden: without group.update as well. NotFound: no such group.
        Conflict: the group is archived, or nobody facilitates it.
    """
    actor.require("group.update")
    group = await groups.locked(tx, actor.organization_id, params.group_id)
    if params.follow and group["status"] == "archived":
        raise Conflict(policy.ARCHIVED)
    if params.follow and group["facilitator_id"] is None:
        raise Conflict("Give the group a facilitator first: they are in its channel from the start.")
    await tx.rows(
        "update groups set channel_follows = $3 where (organization_id, id) = ($1, $2)",
        *(actor.organization_id, params.group_id, params.follow),
    )
    await asking.ask(tx, actor.organization_id, params.group_id)
    return await groups.get(tx, actor, OfGroup(group_id=params.group_id))


_GROUP = """
select g.name, g.status, g.channel_follows, g.facilitator_id, g.channel_id, g.channel_status,
       c.facilitator_id as channel_facilitator
  from groups g left join channels c on (c.organization_id, c.id) = (g.organization_id, g.channel_id)
 where (g.organization_id, g.id) = ($1, $2)"""
_ROWS = """
select m.id, m.patient_id, m.status = 'active' as active, m.channel_member_id, p.status = 'active' as usable,
       a.allocation_clinician_id
  from group_members m
  join people p on (p.organization_id, p.id) = (m.organization_id, m.patient_id)
  join patients a on (a.organization_id, a.id) = (m.organization_id, m.patient_id)
 where (m.organization_id, m.group_id) = ($1, $2) order by m.joined_at, m.id"""
_THERE = """
select s.id, s.person_id, s.person_kind = 'team_member' and p.status = 'active' as staffs
  from memberships s join people p on (p.organization_id, p.id) = (s.organization_id, s.person_id)
 where (s.channel_id, s.organization_id) = ($2, $1) and s.left_at is null"""


async def carry_out(tx: Transaction, args: dict[str, Any]) -> None:
    """The worker's part: make what was asked for so, whatever has become of it since."""
    organization_id, group_id = OrganizationId(args["organization_id"]), GroupId(args["group_id"])
    before, expected = await _plan(tx, organization_id, group_id)
    channels = [before.channel] if before.channel else []
    await lock(tx, organization_id, people=expected.people, channels=channels, groups=[group_id])
    now, wanted = await _plan(tx, organization_id, group_id)
    if not wanted.people <= expected.people or now.channel != before.channel:
        raise TooMany("It moved while the locks were taken. Try again.")
    if wanted != Plan():
        await _apply(tx, organization_id, now, wanted)


async def _plan(tx: Transaction, organization_id: OrganizationId, group_id: GroupId) -> tuple[Situation, Plan]:
    [group] = await tx.rows(_GROUP, organization_id, group_id)
    rows = await tx.rows(_ROWS, organization_id, group_id)
    there = await tx.rows(_THERE, organization_id, group["channel_id"])
    active = [row for row in rows if row["active"] and row["usable"]]
    now = Situation(
        group=group_id,
        status=group["status"],
        follows=group["channel_follows"],
        rows=tuple(Row(row["id"], row["patient_id"], row["active"], row["channel_member_id"]) for row in rows),
        usable=frozenset(row["patient_id"] for row in rows if row["usable"]),
        facilitator=group["facilitator_id"],
        clinician=active[0]["allocation_clinician_id"] if active else None,
        channel=group["channel_id"],
        carried=group["channel_status"],
        channel_facilitator=group["channel_facilitator"],
        there={row["person_id"]: row["id"] for row in there},
        staffed=any(row["staffs"] for row in there),
    )
    team: Team = await situation.team(tx, organization_id, [now.facilitator, now.clinician])
    return now, plan(now, team)


async def _apply(tx: Transaction, organization_id: OrganizationId, now: Situation, wanted: Plan) -> None:
    """Apply a plan; the people, the channel and the group are locked."""
    channel = now.channel or await _make(tx, organization_id, now, wanted)
    tx.concerns(channel_id=channel)
    wanted = await _distinct(tx, organization_id, channel, wanted)
    joins = wanted.joins(channel)
    ids = await staffing.apply(tx, organization_id, joins, [(channel, membership) for membership in wanted.ends])
    by_person = dict(zip((join.person for join in joins), ids, strict=True))
    given = [*((row, by_person[person]) for row, person in wanted.brings), *wanted.adopts]
    await tx.rows(
        """update group_members m set channel_id = $2, channel_member_id = n.membership
             from unnest($3::text[], $4::text[]) as n (id, membership) where (m.organization_id, m.id) = ($1, n.id)""",
        *(organization_id, channel, [row for row, _ in given], [membership for _, membership in given]),
    )
    if wanted.facilitator is not None:
        await tx.rows(
            "update channels set facilitator_id = $3 where (organization_id, id) = ($1, $2)",
            *(organization_id, channel, wanted.facilitator),
        )
    if wanted.status is not None:
        await _carry_over(tx, organization_id, now.group, channel, wanted.status)
    facts = {
        "group_id": now.group, "joined": [*wanted.staff, *(person for _, person in wanted.brings)],
        "left": list(wanted.ends), "status": wanted.status,
    }  # fmt: skip
    await audit.append(tx, organization_id, None, "group.channel_followed", f"group {now.group}", facts)


async def _make(tx: Transaction, organization_id: OrganizationId, now: Situation, wanted: Plan) -> ChannelId:
    """The channel, with its staff alone; the patients come through the one way that patients come."""
    [group] = await tx.rows(
        "select name from groups where (organization_id, id) = ($1, $2)", organization_id, now.group
    )
    channel = Channel(
        organization_id=organization_id, id=ChannelId.new(), kind="group", name=group["name"][:100].strip()
    )
    await begin(tx, channel, wanted.staff, source="roster")
    await tx.rows(
        "update groups set channel_id = $3, channel_status = 'active' where (organization_id, id) = ($1, $2)",
        *(organization_id, now.group, channel.id),
    )
    return channel.id


async def _distinct(tx: Transaction, organization_id: OrganizationId, channel: str, wanted: Plan) -> Plan:
    """Without those who would be taken for somebody else in the channel: they join once one of the two has another name, and
    the roster changes. Nobody else waits for that."""
    chosen: list[tuple[str, str]] = []
    for row, person in wanted.brings:
        try:
            await names.require_distinct(tx, organization_id, channel, [*(other for _, other in chosen), person])
        except Conflict:
            continue
        chosen.append((row, person))
    return Plan(wanted.make, wanted.staff, tuple(chosen), wanted.adopts, wanted.ends, wanted.facilitator, wanted.status)


async def _carry_over(
    tx: Transaction, organization_id: OrganizationId, group_id: str, channel: str, status: str
) -> None:
    """Archive or unarchive the channel with its group; where it stands so already, that is all."""
    changed: Sequence[Any] = await tx.rows(
        "update channels set status = $3 where (organization_id, id) = ($1, $2) and status <> $3 returning id",
        *(organization_id, channel, status),
    )
    if changed:
        await append(tx, organization_id, ChannelId(channel), "archived" if status == "archived" else "unarchived")
    await tx.rows(
        "update groups set channel_status = $3 where (organization_id, id) = ($1, $2)",
        *(organization_id, group_id, status),
    )

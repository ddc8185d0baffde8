"""What is done about unattended messages: the team is told again, then the chain's people join and are told (domain.md §4)."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from server.chat import situation, staffing
from server.chat.memberships import tell
from server.chat.participation import Join, beyond
from server.db import Transaction
from server.errors import TooMany
from server.ids import NoticeId, OrganizationId, random_token
from server.locks import lock
from server.notices import unattended

log = logging.getLogger(__name__)


async def attend(tx: Transaction, organization_id: str, channel_id: str, at: datetime) -> None:
    """Do what is due for a channel. In a transaction of its own, as it locks people and channels.

    Raises:
        TooMany: somebody is changing the channel just now; it stays due.
    """
    row = await unattended.find(tx, organization_id, channel_id, at)
    if row is None:
        return
    again = at + timedelta(hours=row["hours"])
    if row["status"] != "active" or row["oldest"] is None:
        await unattended.move_to(tx, row, "over", None)
    elif row["oldest"] != row["log_offset"]:
        await unattended.move_to(tx, row, "over", None)
        await unattended.note(tx, [(row["organization_id"], row["channel_id"])])
    elif not row["due"]:
        return
    elif row["stage"] == "waiting":
        await unattended.move_to(tx, row, "noticed", again)
        await _tell(tx, row, await _team(tx, row), at)
    else:
        await unattended.move_to(tx, row, "escalated", None)
        await _tell(tx, row, await _bring_in(tx, row), at)


async def _team(tx: Transaction, row: dict[str, Any]) -> dict[str, str]:
    """The team's memberships: person by membership."""
    found = await tx.rows(
        """select id, person_id from memberships where (channel_id, organization_id) = ($1, $2)
              and person_kind = 'team_member' and left_at is null""",
        *(row["channel_id"], row["organization_id"]),
    )
    return {member["id"]: member["person_id"] for member in found}


async def _tell(tx: Transaction, row: dict[str, Any], told: dict[str, str], at: datetime) -> None:
    """A push and an email for each of these memberships; what is off or muted is seen to when they are sent."""
    if not told:
        return
    notices = [(NoticeId.new(), medium, *member) for member in told.items() for medium in ("push", "email")]
    await tx.rows(
        """insert into notices (organization_id, id, medium, cause, channel_id, membership_id, person_id, message_id, log_offset,
                                status, why, due_at, planned_at)
           select $1, n.id, n.medium, 'unattended', $2, n.membership, n.person, $3, $4, 'due', 'unattended', $5, $5
             from unnest($6::text[], $7::text[], $8::text[], $9::text[]) as n (id, medium, membership, person)
           on conflict (membership_id, log_offset, medium, cause, channel_id, organization_id) do nothing""",
        *(row["organization_id"], row["channel_id"], row["oldest_id"], row["oldest"], at),
        *(list(column) for column in zip(*notices, strict=True)),
    )
    for person in (await _team(tx, row)).values():
        tell(tx, row["organization_id"], row["channel_id"], person)


async def _bring_in(tx: Transaction, row: dict[str, Any]) -> dict[str, str]:
    """Add the people of the first link of the chain that has anybody who is not there yet; the message is unread for them.

    Returns:
        Their memberships: person by membership.
    """
    organization_id, channel_id = OrganizationId(row["organization_id"]), row["channel_id"]
    expected = await _plan(tx, organization_id, row)
    await lock(tx, organization_id, people=_people(expected), channels=[channel_id])
    joins = await _plan(tx, organization_id, row)
    if not _people(joins) <= _people(expected):
        raise TooMany("Somebody is changing the team of this channel just now. It comes again.")
    if not joins:
        log.warning("unattended: nobody is left to bring into channel %s of %s", channel_id, organization_id)
        return {}
    added = await staffing.apply(tx, organization_id, joins, [])
    await staffing.record(tx, organization_id, None, random_token(), joins, message_id=row["oldest_id"])
    return {membership: join.person for membership, join in zip(added, joins, strict=True)}


async def _plan(tx: Transaction, organization_id: OrganizationId, row: dict[str, Any]) -> list[Join]:
    mark = row["oldest"] - 1
    place = await situation.of_channel(tx, organization_id, row["channel_id"], mark)
    team = await situation.team(tx, organization_id, [place.clinician, place.facilitator])
    present = await tx.rows(
        "select person_id from memberships where (channel_id, organization_id) = ($1, $2) and left_at is null",
        *(row["channel_id"], organization_id),
    )
    return beyond(place, team, {member["person_id"] for member in present})


def _people(joins: Iterable[Join]) -> set[str]:
    return {join.person for join in joins}

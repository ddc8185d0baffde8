"""Whoever takes somebody's place gets the notices that were still owed to them, planned anew (domain.md §2)."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from server.db import Transaction
from server.notices import facts as gathered
from server.notices import ledger
from server.notices.ledger import Row
from server.notices.rules import Decision, decide_push

# Owed: still due, or not sent for no other reason than that the old member was gone.
_OWED = f"""
select {gathered.COLUMNS} from (
    select d.organization_id, d.channel_id, m.id as membership_id, m.person_id, d.message_id, d.log_offset, d.medium, d.cause
      from notices d
      join memberships m on (m.channel_id, m.organization_id) = (d.channel_id, d.organization_id) and m.id = any ($4)
     where (d.membership_id, d.channel_id, d.organization_id) = ($3, $2, $1) and (d.status = 'due' or d.why = 'left')) n
  {gathered.JOINS}
 where x.author_person_id <> n.person_id order by n.membership_id, n.log_offset"""


def facts(event: dict[str, Any]) -> tuple[str, list[str]] | None:
    """Whose place an event gives away, and to which memberships; None where it gives none."""
    if event["kind"] != "joined" or not event["facts"]:
        return None
    told = json.loads(event["facts"]) if isinstance(event["facts"], str) else event["facts"]
    return (told["replaces"], told["opens"]) if told.get("replaces") else None


def up_to_the_first(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events of a channel until the first that gives a place away: what comes after is planned once that is."""
    for event in events:
        yield event
        if facts(event):
            return


async def owe(tx: Transaction, organization_id: str, channel_id: str, old: str, new: list[str], at: datetime) -> bool:
    """Plan for the new memberships what is owed to the old one; whether any of it goes out now.

    An email keeps the moment at which it would have been due.
    """
    owed = await tx.rows(_OWED, organization_id, channel_id, old, new)
    rows = [_row(row, at) for row in owed if row["medium"] == "push" or row["cause"] == "unattended" or row["oldest"]]
    await ledger.add(tx, rows, at)
    return any(row.decision.sends and row.medium == "push" for row in rows)


def _row(row: dict[str, Any], at: datetime) -> Row:
    if row["medium"] == "email" and row["cause"] == "new":
        return ledger.next_episode(row)
    push = row["medium"] == "push"
    decision = decide_push(gathered.of_push(row, at, {})) if push else Decision("due", row["cause"])
    return Row.of(row, row["medium"], row["cause"], (row["message_id"], row["log_offset"]), decision)

"""Episodes of unread email: from the first message unread after the mark on, one row of the ledger each (domain.md §4).

A row answers for every message of its episode, whenever that comes, until the mark has reached it. What was suppressed or
failed meanwhile is decided again when another message comes; when the mark moves and leaves something unread, the next begins.
"""

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from server.db import Transaction
from server.notices import facts, ledger
from server.notices.ledger import Row
from server.notices.rules import Decision

# The row that answers for what a membership has not read now. Those whose message was deleted in time are over.
COLUMNS = "q.id as open_id, q.status as open_status"
JOINS = """
  left join lateral (
    select r.id, r.status from notices r
     where (r.membership_id, r.medium, r.cause, r.channel_id, r.organization_id)
         = (n.membership_id, 'email', 'new', n.channel_id, n.organization_id)
       and r.log_offset > m.read_offset and r.superseded_at is null
     order by r.log_offset desc limit 1) q on true"""

_AGAIN: Final = ("suppressed", "failed")
_DECIDE_AGAIN = """
update notices n set status = 'due', why = 'anew', due_at = w.due_at, settled_at = null, attempts = 0, starts = 0,
       mail_id = null, claimed_until = null
  from unnest($1::text[], $2::timestamptz[]) as w (id, due_at) where n.id = w.id and n.status in ('suppressed', 'failed')"""
# The mark has passed an episode that was settled; what is unread now, if anything, is the next one.
_PASSED = f"""
with passed as (
  select n.id from notices n
    join memberships m on (m.id, m.channel_id, m.organization_id) = (n.membership_id, n.channel_id, n.organization_id)
   where n.medium = 'email' and n.cause = 'new' and n.status <> 'due' and n.superseded_at is null
     and (m.read_offset >= n.log_offset or m.left_at is not null)
   order by n.id limit $2 for update of n skip locked
), marked as (
  update notices n set superseded_at = $1 from passed where n.id = passed.id
  returning n.*)
select {facts.COLUMNS}, {COLUMNS} from marked n {facts.JOINS} {JOINS} order by n.membership_id"""

# Decided again for a later message, it is due as late as that one: too late for what the mark, moving meanwhile, has left unread.
_PASSED_ANEW = """
select n.id from notices n
  join memberships m on (m.id, m.channel_id, m.organization_id) = (n.membership_id, n.channel_id, n.organization_id)
 where n.status = 'due' and n.medium = 'email' and n.why = 'anew' and n.mail_id is null and m.read_offset >= n.log_offset
 order by n.id limit $1 for update of n skip locked"""


async def plan(tx: Transaction, people: Iterable[dict[str, Any]], at: datetime) -> None:
    """Have the rows of new messages: `people` are a message and a membership each, by membership and offset."""
    added: list[Row] = []
    again: list[tuple[str, datetime]] = []
    for _, messages in itertools.groupby(people, key=lambda row: row["membership_id"]):
        unread = []
        for row in messages:
            if row["read_offset"] >= row["log_offset"]:
                added.append(
                    Row.of(row, "email", "new", (row["message_id"], row["log_offset"]), Decision("suppressed", "read"))
                )
            elif row["message_deleted"]:
                added.append(
                    Row.of(
                        row, "email", "new", (row["message_id"], row["log_offset"]), Decision("suppressed", "deleted")
                    )
                )
            else:
                unread.append(row)
        if unread:
            first = unread[0]
            if first["open_id"] is None:
                added.append(ledger.next_episode(first))
            elif first["open_status"] in _AGAIN:
                again.append((first["open_id"], first["written_at"] + facts.wait(first)))
    await ledger.add(tx, added, at)
    if again:
        await tx.rows(_DECIDE_AGAIN, *(list(column) for column in zip(*again, strict=True)))


async def go_on(tx: Transaction, at: datetime, most: int = 500) -> int:
    """Where the mark has passed an episode that was decided already, begin the next one if anything is unread.

    Returns:
        How many episodes it looked at.
    """
    passed: Sequence[dict[str, Any]] = await tx.rows(_PASSED, at, most)
    begun = {
        row["membership_id"]: ledger.next_episode(row)
        for row in passed
        if ledger.begins_anew(row) and row["open_id"] is None
    }
    await ledger.add(tx, list(begun.values()), at)
    anew = [row["id"] for row in await tx.rows(_PASSED_ANEW, most)]
    await ledger.recheck_emails(tx, anew, at)
    return len(passed) + len(anew)

"""The ledger of notices, which is their queue: rows are added, claimed under a lease, decided again, settled (domain.md §4).

A claim counts an attempt and a start, and holds for LEASE; whatever comes back (a decision, an end, another try) ends the start.
A row whose starts never came back, three times, has killed its workers: it is dead, until an operator requeues it. All times are
the caller's. Everything here takes any number of rows, of any organisations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from server.db import Transaction
from server.ids import NoticeId
from server.notices import facts
from server.notices.facts import Pair
from server.notices.rules import Decision, Status, decide_email, decide_push

LEASE: Final = timedelta(seconds=30)
"""A claimed row that has not come back by then has lost its worker."""
MOST_STARTS: Final = 3


@dataclass(frozen=True, slots=True)
class PushDue:
    """A claimed push: for the devices of one person, about one message."""

    organization_id: str
    notice_id: str
    channel_id: str
    membership_id: str
    person_id: str
    message_id: str
    offset: int
    cause: str
    attempts: int
    planned_at: datetime
    claimed_until: datetime

    @property
    def pair(self) -> Pair:
        """Whom it is for, and where."""
        return (self.organization_id, self.channel_id, self.person_id)


@dataclass(frozen=True, slots=True)
class Row:
    """A row to add: a decision about a membership and a message; the offset is the key's (of an email: the episode's)."""

    organization_id: str
    channel_id: str
    membership_id: str
    person_id: str
    message_id: str
    offset: int
    medium: str
    cause: str
    decision: Decision

    @classmethod
    def of(cls, whose: Mapping[str, Any], medium: str, cause: str, about: tuple[str, int], decision: Decision) -> "Row":
        """For the membership of a gathered row; `about`: message and offset."""
        organization_id, channel_id = whose["organization_id"], whose["channel_id"]
        return cls(
            organization_id, channel_id, whose["membership_id"], whose["person_id"], *about, medium, cause, decision
        )


_ADD = """
insert into notices (organization_id, id, medium, cause, channel_id, membership_id, person_id, message_id, log_offset,
                     status, why, due_at, planned_at, settled_at, superseded_at)
select w.organization, w.id, w.medium, w.cause, w.channel, w.membership, w.person, w.message, w.place, w.status, w.why,
       coalesce(w.due_at, $1::timestamptz), $1, case when w.status <> 'due' then $1::timestamptz end,
       case when w.medium = 'email' and w.cause = 'new' and w.why in ('read', 'deleted') then $1::timestamptz end
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],
              $11::text[], $12::text[], $13::timestamptz[])
       as w (organization, id, medium, cause, channel, membership, person, message, place, status, why, due_at)
 order by w.membership, w.place, w.medium, w.cause
on conflict (membership_id, log_offset, medium, cause, channel_id, organization_id) do nothing"""
_CLAIM = """
with due as materialized (
  select d.id, d.organization_id from notices d
   where d.status = 'due' and d.medium = 'push' and d.due_at <= $1 and (d.claimed_until is null or d.claimed_until <= $1)
   order by d.due_at limit $2 for update skip locked)
update notices n set
    status = case when n.starts >= $4 then 'dead' else 'due' end,
    why = case when n.starts >= $4 then 'killed' else n.why end,
    settled_at = case when n.starts >= $4 then $1::timestamptz end,
    claimed_until = case when n.starts < $4 then $1::timestamptz + $3::interval end,
    attempts = n.attempts + (n.starts < $4)::int, starts = n.starts + (n.starts < $4)::int
  from due where (n.id, n.organization_id) = (due.id, due.organization_id)
returning n.organization_id, n.id, n.channel_id, n.membership_id, n.person_id, n.message_id, n.log_offset, n.cause, n.attempts,
          n.planned_at, n.claimed_until, n.status, n.due_at"""
_HELD = """
select id from notices n join unnest($1::text[], $2::timestamptz[]) as w (id, until) using (id)
 where n.status = 'due' and n.claimed_until = w.until order by n.id for update of n"""
# Not "status = 'due'", which is the same: then a planner may look through all that is due instead of for these.
_GATHER = f"""
with n as materialized (select * from notices where id = any ($1) and settled_at is null)
select n.id, {facts.COLUMNS} from n {facts.JOINS}"""
_DECIDED = """
update notices n set status = w.status, why = w.why, due_at = coalesce(w.due_at, n.due_at), starts = 0, claimed_until = null,
       mail_id = null, settled_at = case when w.status <> 'due' then $1::timestamptz end,
       superseded_at = case when n.medium = 'email' and n.cause = 'new' and w.why in ('read', 'deleted') then $1::timestamptz end
  from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) as w (id, status, why, due_at)
 where n.id = w.id and n.status = 'due'"""


async def add(tx: Transaction, rows: Sequence[Row], at: datetime) -> None:
    """Add decisions; one that is there already stays as it is."""
    if rows:
        columns = zip(
            *(
                (
                    *(row.organization_id, NoticeId.new(), row.medium, row.cause, row.channel_id, row.membership_id),
                    *(row.person_id, row.message_id, row.offset),
                    *(row.decision.status, row.decision.why, row.decision.due_at),
                )
                for row in rows
            ),
            strict=True,
        )
        await tx.rows(_ADD, at, *map(list, columns))


async def claim_pushes(tx: Transaction, most: int, at: datetime) -> list[PushDue]:
    """Claim pushes that are due, or whose worker is gone, the longest due first; ask `recheck_pushes` before sending."""
    rows = await tx.rows(_CLAIM, at, most, LEASE, MOST_STARTS)
    return [
        PushDue(
            *(row["organization_id"], row["id"], row["channel_id"], row["membership_id"], row["person_id"]),
            *(
                row["message_id"],
                row["log_offset"],
                row["cause"],
                row["attempts"],
                row["planned_at"],
                row["claimed_until"],
            ),
        )
        for row in sorted(rows, key=lambda row: row["due_at"])
        if row["status"] == "due"
    ]


async def recheck_pushes(
    tx: Transaction, due: Sequence[PushDue], lapses: Mapping[Pair, datetime], at: datetime
) -> dict[str, Decision]:
    """Decide claimed pushes again, in the last transaction before they are sent; what does not hold is written here.

    Args:
        lapses: who is reading which channel right now, and until when that holds (Viewing.lapses of the pairs).

    Returns:
        Decisions by notice. Send those that say `sends`. A notice that is not in it is somebody else's by now: leave it.
    """
    held = await tx.rows(_HELD, [one.notice_id for one in due], [one.claimed_until for one in due])
    rows = await tx.rows(_GATHER, [row["id"] for row in held])
    decisions = {row["id"]: decide_push(facts.of_push(row, at, lapses)) for row in rows}
    await _write(tx, decisions, at)
    return decisions


async def recheck_push(tx: Transaction, due: PushDue, lapses: Mapping[Pair, datetime], at: datetime) -> Decision | None:
    """The same for one; None where it is somebody else's by now."""
    return (await recheck_pushes(tx, [due], lapses, at)).get(due.notice_id)


async def recheck_emails(tx: Transaction, notice_ids: Sequence[str], at: datetime) -> dict[str, Decision]:
    """Decide emails again that are due and that the caller holds locked; what does not hold is written here.

    Where the read mark has passed an episode, and something after it is unread, the next episode begins.

    Returns:
        Decisions by notice; those that say `sends` go into the mail.
    """
    rows = await tx.rows(_GATHER, list(notice_ids))
    decisions = {row["id"]: decide_email(facts.of_email(row, at)) for row in rows}
    await _write(tx, decisions, at)
    await add(tx, [next_episode(row) for row in rows if begins_anew(row)], at)
    return decisions


def begins_anew(row: Mapping[str, Any]) -> bool:
    """Whether the mark has passed a row's episode, and something after it is unread."""
    return bool(row["cause"] == "new" and row["read_offset"] >= row["log_offset"] and row["oldest"] and not row["left"])


def next_episode(row: Mapping[str, Any]) -> Row:
    """The episode that begins with what is unread now."""
    due = Decision("due", "waiting", row["oldest_at"] + facts.wait(row))
    return Row.of(row, "email", "new", (row["oldest_id"], row["oldest"]), due)


async def _write(tx: Transaction, decisions: Mapping[str, Decision], at: datetime) -> None:
    if written := [(id, each.status, each.why, each.due_at) for id, each in decisions.items() if not each.sends]:
        await tx.rows(_DECIDED, at, *(list(column) for column in zip(*written, strict=True)))


async def settle(tx: Transaction, notice_ids: Sequence[str], status: Status, why: str, at: datetime) -> None:
    """Say what became of claimed notices: sent, failed, suppressed or dead, and in one word of rules.WHY, why."""
    await tx.rows(
        """update notices set status = $2, why = $3, settled_at = $4, starts = 0, claimed_until = null
            where id = any ($1) and status = 'due'""",
        *(list(notice_ids), status, why, at),
    )


async def again(tx: Transaction, notice_ids: Sequence[str], wait: timedelta, at: datetime) -> None:
    """Try claimed notices again after a while. Who sends them knows when to give up, and settles them then."""
    await tx.rows(
        """update notices set starts = 0, claimed_until = null, why = 'again', due_at = $3::timestamptz + $2::interval
            where id = any ($1) and status = 'due'""",
        *(list(notice_ids), wait, at),
    )


async def none_go(tx: Transaction, medium: str, why: str, due_by: datetime, most: int, at: datetime) -> int:
    """Where nothing of a medium can be sent at all: settle what was due by then, so that months of it do not go out on the day
    that it can; how many. What somebody has claimed is theirs."""
    rows = await tx.rows(
        """select id from notices
            where status = 'due' and medium = $1 and due_at <= $2 and (claimed_until is null or claimed_until <= $3)
            order by id limit $4 for update skip locked""",
        *(medium, due_by, at, most),
    )
    await settle(tx, [row["id"] for row in rows], "suppressed", why, at)
    return len(rows)


async def dead(tx: Transaction, most: int = 100) -> list[dict[str, Any]]:
    """The dead rows, the latest first."""
    return await tx.rows(
        """select organization_id, id, medium, cause, channel_id, person_id, message_id, why, attempts, settled_at
             from notices where status = 'dead' order by settled_at desc limit $1""",
        most,
    )


async def requeue(tx: Transaction, notice_ids: Sequence[str], at: datetime) -> list[str]:
    """Have dead notices tried after all, decided again like any other; the ids of those that were dead."""
    rows = await tx.rows(
        """update notices set status = 'due', why = cause, due_at = $2, starts = 0, attempts = 0, claimed_until = null,
                  settled_at = null, superseded_at = null, mail_id = null
            where id = any ($1) and status = 'dead' returning id""",
        *(list(notice_ids), at),
    )
    return [row["id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of one medium: how many should have gone out by now, the oldest for how long, and how many are dead."""

    due: int
    late_seconds: float
    dead: int


async def waiting(tx: Transaction, at: datetime) -> dict[str, Waiting]:
    """What waits in the ledger, by medium."""
    rows = await tx.rows(
        """select w.medium, count(d.due_at) as due, coalesce(extract(epoch from $1 - min(d.due_at)), 0)::float8 as late,
                  (select count(*) from notices x where x.status = 'dead' and x.medium = w.medium) as dead
             from unnest(array['push', 'email']) as w (medium)
             left join notices d on d.medium = w.medium and d.status = 'due' and d.due_at <= $1 group by w.medium""",
        at,
    )
    return {row["medium"]: Waiting(row["due"], row["late"], row["dead"]) for row in rows}

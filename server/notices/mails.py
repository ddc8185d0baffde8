"""Unread emails on their way: one per person over all their due episodes, claimed, checked once more, sent, settled.

A mail is a row of `mails`; the rows of the ledger that it answers for are tied to it. Its attempts are counted at the claim, so
that the ledger tells when one went twice: a worker died between the relay's yes and the commit that notes it. Locks: mails, then
the ledger's rows in id order.
"""

import base64
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from server.db import Transaction
from server.ids import MailId, OrganizationId, PersonId, random_bytes
from server.notices import ledger
from server.notices.mailing import Mail

LEASE = timedelta(seconds=30)
"""How long a claim holds; whoever dies with one holds it up for so long at most."""
STARTS = 3
"""Claims that never came back, after which a mail is set aside: it may be what kills the workers."""
GIVEN_UP = timedelta(days=1)
"""After this long of the relay's putting it off it is dead."""
Fetch = Callable[..., Awaitable[Sequence[Any]]]
"""Runs one statement: tx.rows, or database.fetch for one in a transaction of its own."""
_ROWS: Final[dict[str, Literal["sent", "failed", "dead"]]] = {"sent": "sent", "refused": "failed", "dead": "dead"}
"""What the ledger's rows become of which a mail became something."""
_SHORTEST, _LONGEST = timedelta(seconds=15), timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class MailDue:
    """A claimed mail, checked: what it is made of, since when it was due, and which attempt this is."""

    organization_id: OrganizationId
    person_id: PersonId
    mail: Mail
    attempts: int
    due_at: datetime
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a claimed mail. `why` is for the mail, such as smtp_550; `word` for the ledger (rules.WHY)."""

    due: MailDue
    status: Literal["sent", "refused", "dead"]
    why: str
    word: str


async def claim(tx: Transaction, most: int, at: datetime) -> tuple[list[MailDue], int]:
    """Take up to so many mails that are due, with all that is due for their people.

    Args:
        most: how many at once.
        at: the present moment.

    Returns:
        Those to send; and of how many that is left, when what no longer holds is withdrawn.
    """
    await _set_aside(tx, at)
    await _begin(tx, most, at)
    taken = await tx.rows(
        """with due as (
             select id, organization_id from mails
              where status = 'sending' and due_at <= $1 and (claimed_until is null or claimed_until <= $1)
              order by due_at limit $2 for update skip locked)
           update mails m set attempts = attempts + 1, starts = starts + 1, claimed_until = $3
             from due where (m.id, m.organization_id) = (due.id, due.organization_id)
        returning m.id, m.attempts""",
        *(at, most, at + LEASE),
    )
    return await _checked(tx, taken, at), len(taken)


async def recheck(tx: Transaction, due: Sequence[MailDue], at: datetime) -> list[MailDue]:
    """Check claimed mails once more, for another while; those that there is still something to say in and that are still ours."""
    held = await tx.rows(
        """with ours as materialized (
             select m.id, m.organization_id from mails m join unnest($1::text[], $2::integer[]) as w (id, attempts) using (id)
              where m.attempts = w.attempts and m.status = 'sending' order by m.id for update of m)
           update mails m set claimed_until = $3 from ours where (m.id, m.organization_id) = (ours.id, ours.organization_id)
        returning m.id, m.attempts""",
        *([each.mail.id for each in due], [each.attempts for each in due], at + LEASE),
    )
    return await _checked(tx, held, at)


async def settle(fetch: Fetch, outcomes: Sequence[Outcome], at: datetime) -> None:
    """Note what came of mails that were claimed, and of the ledger's rows that they answer for: one statement, so that it may
    be a transaction of its own. A mail that was sent is so, even if the claim had run out by then. What is settled already stays.
    """
    await fetch(
        """with came as (select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as o
                                          (id, status, why, row_status, word)),
                held as materialized (
             select m.id, m.organization_id from mails m
              where m.id = any ($1) and m.status = 'sending' order by m.id for update),
                noted as (
             update mails m set status = came.status, why = came.why, settled_at = $6, claimed_until = null, starts = 0
               from held join came using (id) where (m.id, m.organization_id) = (held.id, held.organization_id)
             returning m.id, m.organization_id, came.row_status, came.word)
           update notices n set status = noted.row_status, why = noted.word, settled_at = $6, claimed_until = null, starts = 0
             from noted where (n.mail_id, n.organization_id) = (noted.id, noted.organization_id) and n.settled_at is null""",
        [each.due.mail.id for each in outcomes],
        [each.status for each in outcomes],
        [each.why for each in outcomes],
        [_ROWS[each.status] for each in outcomes],
        [each.word for each in outcomes],
        at,
    )


async def again(tx: Transaction, due: MailDue, why: str, at: datetime) -> bool:
    """Put one off that the relay did not take now, for longer each time; False when it is given up instead."""
    if at - due.mail.made_at >= GIVEN_UP:
        await settle(tx.rows, [Outcome(due, "dead", why, "given_up")], at)
        return False
    await _put_off(tx, due, why, at + min(_LONGEST, _SHORTEST * 2 ** min(due.attempts - 1, 10)))
    return True


async def release(tx: Transaction, due: Iterable[MailDue], at: datetime) -> None:
    """Give back what was not tried; it is due from then on."""
    for each in due:
        await _put_off(tx, each, None, at)


async def none_go(tx: Transaction, most: int, at: datetime) -> int:
    """Where no mail can be sent at all: settle what is due; how many."""
    return await ledger.none_go(tx, "email", "no_relay", at, most, at)


async def _put_off(tx: Transaction, due: MailDue, why: str | None, until: datetime) -> None:
    await tx.rows(
        """update mails set due_at = $3, why = coalesce($4, why), claimed_until = null, starts = 0
            where id = $1 and attempts = $2 and status = 'sending'""",
        *(due.mail.id, due.attempts, until, why),
    )


async def _set_aside(tx: Transaction, at: datetime) -> None:
    """Mails that nobody came back from, often enough."""
    dead = await tx.rows(
        """update mails set status = 'dead', why = 'killed', settled_at = $1, claimed_until = null
            where (id, organization_id) in (
              select id, organization_id from mails where status = 'sending' and starts >= $2 and claimed_until <= $1
                 for update skip locked)
        returning id""",
        *(at, STARTS),
    )
    if dead:
        tied = await tx.rows(
            "select id from notices where mail_id = any ($1) and status = 'due' order by id for update",
            [row["id"] for row in dead],
        )
        await ledger.settle(tx, [row["id"] for row in tied], "dead", "killed", at)


async def _begin(tx: Transaction, most: int, at: datetime) -> None:
    """A mail for each person with something due and none on its way. Two workers at it: one of them makes it."""
    people = await tx.rows(
        """select distinct organization_id, person_id from (
             select organization_id, person_id from notices n
              where status = 'due' and medium = 'email' and due_at <= $1
                and not exists (select from mails m where (m.person_id, m.organization_id) = (n.person_id, n.organization_id)
                                                      and m.status = 'sending')
              order by due_at limit $2) as first order by 1, 2""",
        *(at, most),
    )
    if people:
        await tx.rows(
            """insert into mails (organization_id, id, person_id, unsubscribe_code, due_at, created_at)
               select *, $5::timestamptz, $5::timestamptz from unnest($1::text[], $2::text[], $3::text[], $4::text[])
               on conflict (person_id, organization_id) where status = 'sending' do nothing""",
            [row["organization_id"] for row in people],
            [MailId.new() for _ in people],
            [row["person_id"] for row in people],
            [_code() for _ in people],
            at,
        )


async def _checked(tx: Transaction, taken: Sequence[dict[str, Any]], at: datetime) -> list[MailDue]:
    """Of claimed mails those with anything to say; the others are withdrawn."""
    if not taken:
        return []
    rows = await tx.rows(
        # Not "status = 'due'", which is the same: then a planner may look through all that is due instead of for these.
        """with theirs as materialized (
             select x.id, x.organization_id, m.id as mail_id from mails m cross join lateral (
               select n.id, n.organization_id from notices n
                where (n.person_id, n.organization_id) = (m.person_id, m.organization_id)
                  and n.settled_at is null and n.medium = 'email' and n.due_at <= $2 limit 1000) x
              where m.id = any ($1))
           select n.id, t.mail_id, n.due_at from theirs t
             join notices n on (n.id, n.organization_id) = (t.id, t.organization_id)
            where n.settled_at is null order by n.id for update of n""",
        *([row["id"] for row in taken], at),
    )
    decisions = await ledger.recheck_emails(tx, [row["id"] for row in rows], at)
    going = [row for row in rows if decisions[row["id"]].sends]
    await tx.rows(
        """update notices n set mail_id = go.mail_id from unnest($1::text[], $2::text[]) as go (id, mail_id)
            where n.id = go.id and n.mail_id is distinct from go.mail_id""",
        *([row["id"] for row in going], [row["mail_id"] for row in going]),
    )
    since: dict[str, datetime] = {}
    for row in going:
        since[row["mail_id"]] = min(row["due_at"], since.get(row["mail_id"], row["due_at"]))
    if over := [row["id"] for row in taken if row["id"] not in since]:
        await _withdraw(tx, over, at)
    return await _written(tx, {row["id"]: row["attempts"] for row in taken if row["id"] in since}, since, at)


async def _withdraw(tx: Transaction, mails: Sequence[str], at: datetime) -> None:
    await tx.rows(
        """update mails set status = 'withdrawn', why = 'nothing to say', settled_at = $2, claimed_until = null, starts = 0
            where id = any ($1)""",
        *(mails, at),
    )


async def _written(
    tx: Transaction, attempts: dict[str, int], since: dict[str, datetime], at: datetime
) -> list[MailDue]:
    """What these mails are made of, as it is now."""
    rows = await tx.rows(
        """select m.organization_id, m.id, m.person_id, m.unsubscribe_code, m.created_at, p.email, p.kind,
                  case when s.named_in_email then o.name end as organization
             from mails m
             cross join lateral (   -- by their key, each of them: see facts.py
               select email, kind from people where (organization_id, id) = (m.organization_id, m.person_id) offset 0) p
             join organizations o on o.id = m.organization_id
             left join organization_settings s on s.organization_id = m.organization_id
            where m.id = any ($1)""",
        list(attempts),
    )
    made = [
        MailDue(
            organization_id=OrganizationId(row["organization_id"]),
            person_id=PersonId(row["person_id"]),
            mail=Mail(
                id=MailId(row["id"]),
                to=row["email"],
                kind=row["kind"],
                organization=row["organization"],
                code=row["unsubscribe_code"],
                made_at=row["created_at"],
            ),
            attempts=attempts[row["id"]],
            due_at=since[row["id"]],
            checked_at=at,
        )
        for row in rows
    ]
    return sorted(made, key=lambda due: due.due_at)


def _code() -> str:
    return base64.urlsafe_b64encode(random_bytes(24)).decode()

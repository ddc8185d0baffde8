"""Unread emails that are owed, for tests of what sends them: rows of the ledger as planning writes them."""

from datetime import timedelta
from typing import Any

import asyncpg

from server.ids import NoticeId
from tests.support.cast import Clinic

UNREAD_FOR = timedelta(minutes=6)


async def owe_email(clinic: Clinic, person: str, channel: str | None = None) -> tuple[str, str]:
    """A message to somebody that has been unread for six minutes, and the email owed for it; (channel, notice).

    Without a channel in one of its own, from a colleague of its own.
    """
    if channel is None:
        author = await clinic.team_member()
        staffed = person.startswith("tm_")
        patient = await clinic.patient() if staffed else None
        channel = await clinic.channel("staff" if staffed else "group", author, person, patient=patient)
    [row] = await clinic.sql(
        "select person_id from memberships where channel_id = $1 and person_id <> $2 and left_at is null limit 1",
        *(channel, person),
    )
    sent = await clinic.send(row["person_id"], channel, "Are you well?")
    await clinic.sql(
        "update messages set created_at = created_at - $2::interval where id = $1", sent["message_id"], UNREAD_FOR
    )
    return channel, await row_of_the_ledger(clinic, person, sent["message_id"])


async def row_of_the_ledger(clinic: Clinic, person: str, message: str) -> str:
    """The email for this message, due since a minute ago."""
    notice = NoticeId.new()
    await clinic.sql(
        """insert into notices (organization_id, id, medium, cause, channel_id, membership_id, person_id, message_id,
                                log_offset, status, why, due_at)
           select m.organization_id, $1, 'email', 'new', m.channel_id, m.id, m.person_id, g.id,
                  g.log_offset, 'due', 'waiting', g.created_at + interval '5 minutes'
             from messages g join memberships m on m.channel_id = g.channel_id and m.person_id = $2 and m.left_at is null
            where g.id = $3""",
        *(notice, person, message),
    )
    return notice


async def notice_of(clinic: Clinic, notice: str) -> tuple[str, str]:
    """What became of a row of the ledger: status and why."""
    [row] = await clinic.sql("select status, why from notices where id = $1", notice)
    return row["status"], row["why"]


async def mails_of(clinic: Clinic, person: str) -> list[asyncpg.Record]:
    """Somebody's mails, oldest first."""
    return await clinic.sql("select * from mails where person_id = $1 order by created_at, id", person)


async def mail_of(clinic: Clinic, person: str) -> Any:
    """The one mail of somebody."""
    [row] = await mails_of(clinic, person)
    return row

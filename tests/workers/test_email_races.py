"""What happens just before an unread email leaves: it does not leave, and the ledger says why (reliability.md R33).

Two emails are claimed at once, and the relay holds the first one up; what is done meanwhile about the second must keep it back.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest

from server.db import Transaction
from server.errors import Unavailable
from server.ids import now
from server.notices import mails, unsubscribing
from server.notices.mailing import Sender
from server.notices.mails import MailDue
from server.notices.relay import Relay, Where
from tests.support.cast import Clinic
from tests.support.issuer import Issuer
from tests.support.mailbox import Mailbox, relaying
from tests.support.owed import mails_of, notice_of, owe_email
from workers import email
from workers.email import Mailer

SENDER = Sender("notices@clinic.example", "https://chat.clinic.example")


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with relaying() as made:
        yield made


def lines(issuer: Issuer, mailbox: Mailbox, count: int = 1) -> list[Relay]:
    url = f"smtp://127.0.0.1:{mailbox.port}"
    settings = issuer.settings(
        "postgresql://none@127.0.0.1/none", smtp_url=url, mail_from=SENDER.address, public_url=SENDER.site
    )
    return [Relay(Where.of(settings)) for _ in range(count)]


async def read(clinic: Clinic, person: str, channel: str) -> None:
    await clinic.call(person, "channel.read", channel_id=channel, offset=await clinic.top(channel))


async def delete(clinic: Clinic, person: str, channel: str) -> None:
    [row] = await clinic.sql("select id, author_person_id from messages where channel_id = $1", channel)
    params = {"channel_id": channel, "message_id": row["id"], "expected_revision": 1}
    await clinic.call(row["author_person_id"], "message.delete", **params)


async def mute(clinic: Clinic, person: str, channel: str) -> None:
    await clinic.call(person, "channel.mute", channel_id=channel, muted=True)


async def archive(clinic: Clinic, person: str, channel: str) -> None:
    await clinic.call(person, "channel.archive", channel_id=channel)


async def leave(clinic: Clinic, person: str, channel: str) -> None:
    await clinic.call(person, "channel.leave", channel_id=channel)


async def archive_person(clinic: Clinic, person: str, channel: str) -> None:
    await clinic.archive(person)


async def switch_off(clinic: Clinic, person: str, channel: str) -> None:
    await clinic.call(person, "notice.set_preferences", unread_email=False)


async def unsubscribe(clinic: Clinic, person: str, channel: str) -> None:
    """By the link in an email that they got long ago."""
    await clinic.sql(
        """insert into mails (organization_id, id, person_id, unsubscribe_code, status, settled_at)
           values ($1, 'ml_' || right($2, 20), $2, $3, 'sent', now())""",
        *(clinic.organization_id, person, person + "_long_ago"),
    )
    async with clinic.database.transaction() as tx:
        assert await unsubscribing.switch(tx, person + "_long_ago", False, now(), "request")


async def be_quiet(clinic: Clinic, person: str, channel: str) -> None:
    hours = {
        "from": f"{now() - timedelta(hours=1):%H:%M}",
        "until": f"{now() + timedelta(hours=1):%H:%M}",
        "time_zone": "UTC",
    }
    await clinic.call(person, "notice.set_preferences", quiet=hours)


Act = Callable[[Clinic, str, str], Awaitable[None]]
ACTS: dict[str, tuple[Act, tuple[str, str]]] = {
    "read": (read, ("suppressed", "read")),
    "deleted": (delete, ("suppressed", "deleted")),
    "muted": (mute, ("suppressed", "muted")),
    "archived": (archive, ("suppressed", "archived_channel")),
    "left": (leave, ("suppressed", "left")),
    "person archived": (archive_person, ("suppressed", "archived_person")),
    "switched off": (switch_off, ("suppressed", "off")),
    "unsubscribed": (unsubscribe, ("suppressed", "off")),
    "quiet": (be_quiet, ("due", "quiet")),
}


@pytest.mark.catalogue("R33")
@pytest.mark.parametrize("act", ACTS)
async def test_what_is_done_just_before_keeps_it_back(
    clinic: Clinic, issuer: Issuer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    monkeypatch.setattr(email, "FRESH", timedelta(milliseconds=20))
    do, outcome = ACTS[act]
    before, held_up, between, control = [await clinic.team_member() for _ in range(4)]
    owed = {}
    for person in (before, held_up, between, control):
        owed[person] = await owe_email(clinic, person)
    await do(clinic, before, owed[before][0])
    mailbox.answer.clear()
    mailer = Mailer(clinic.database, lines(issuer, mailbox), SENDER)
    sending = asyncio.create_task(mailer.round(asyncio.Event()))
    assert await asyncio.to_thread(mailbox.arrived.wait, 10)
    assert {row["status"] for row in await mails_of(clinic, between)} == {"sending"}
    await do(clinic, between, owed[between][0])
    await asyncio.sleep(0.05)
    mailbox.answer.set()
    await sending
    await mailer.close()
    for person in (before, between):
        assert await notice_of(clinic, owed[person][1]) == outcome
        mine = [
            row["status"] for row in await mails_of(clinic, person) if row["unsubscribe_code"] != person + "_long_ago"
        ]
        assert mine == ["withdrawn"]
    for person in (held_up, control):
        assert await notice_of(clinic, owed[person][1]) == ("sent", "sent")
    assert len(mailbox.received) == 2


async def test_those_behind_are_looked_at_again_along_with_the_next(
    clinic: Clinic, issuer: Issuer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "FRESH", timedelta(milliseconds=500))
    looks, recheck = [], mails.recheck

    async def counted(tx: Transaction, due: Sequence[MailDue], at: datetime) -> list[MailDue]:
        looks.append(len(due))
        return await recheck(tx, due, at)

    monkeypatch.setattr(mails, "recheck", counted)
    people = [await clinic.team_member() for _ in range(8)]
    for person in people:
        await owe_email(clinic, person)
    mailbox.answer.clear()
    mailer = Mailer(clinic.database, lines(issuer, mailbox, 2), SENDER)
    sending = asyncio.create_task(mailer.round(asyncio.Event()))
    assert await asyncio.to_thread(mailbox.arrived.wait, 10)
    await asyncio.sleep(0.6)
    mailbox.answer.set()
    assert await sending == 8
    await mailer.close()
    assert looks[0] > 1
    assert len({each.to[0] for each in mailbox.received}) == len(mailbox.received) == 8


async def test_where_the_look_fails_none_waits_for_its_claim_to_run_out(
    clinic: Clinic, issuer: Issuer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(tx: Transaction, due: Sequence[MailDue], at: datetime) -> list[MailDue]:
        raise Unavailable("The database is away.")

    monkeypatch.setattr(email, "FRESH", timedelta(microseconds=1))
    monkeypatch.setattr(mails, "recheck", away)
    for _ in range(3):
        await owe_email(clinic, await clinic.team_member())
    mailer = Mailer(clinic.database, lines(issuer, mailbox), SENDER)
    with pytest.raises(Unavailable):
        await mailer.round(asyncio.Event())
    rows = await clinic.sql("select status, claimed_until, starts from mails")
    assert [tuple(row) for row in rows] == [("sending", None, 0)] * 3
    assert not mailbox.received


@pytest.mark.catalogue("R33")
async def test_of_many_that_are_read_while_emails_leave_nobody_gets_one_long_after(
    clinic: Clinic, issuer: Issuer, mailbox: Mailbox
) -> None:
    chance = random.Random(33)
    people = [await clinic.team_member() for _ in range(24)]
    owed = {person: await owe_email(clinic, person) for person in people}
    done = {}

    async def act(person: str) -> None:
        await asyncio.sleep(chance.random() * 2)
        await chance.choice([read, mute, leave, switch_off])(clinic, person, owed[person][0])
        done[person] = now()

    own = lines(issuer, mailbox, 2)
    stopped = asyncio.Event()
    running = asyncio.create_task(Mailer(clinic.database, own, SENDER).run(stopped))
    await asyncio.gather(*(act(person) for person in people))
    await asyncio.sleep(1.2)
    stopped.set()
    await running
    [*rows] = await clinic.sql("select id, email from people where id = any ($1)", people)
    came = {each.to[0]: each.at for each in mailbox.received}
    assert len(came) == len(mailbox.received)
    for row in rows:
        ends = await notice_of(clinic, owed[row["id"]][1])
        assert (ends == ("sent", "sent")) == (row["email"] in came)
        assert ends[0] != "due"
        if row["email"] in came:
            # The documented race: the last look is half a second old at most when the email leaves.
            assert came[row["email"]] - done[row["id"]] < email.FRESH + timedelta(seconds=2)

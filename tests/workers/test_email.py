"""The worker of unread emails, against a real mail relay: what arrives, what does not, and what a death in between leaves."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from server import metrics
from server.config import Settings
from server.ids import now
from server.notices import mails, relay
from server.notices.mailing import Sender
from server.notices.relay import Relay, RelayAway, Where
from tests.support.cast import Clinic
from tests.support.issuer import Issuer
from tests.support.mailbox import DROP, HANG, NOT_LOOPBACK, PASSWORD, USER, Certificates, Mailbox, may_sign_in, relaying
from tests.support.owed import mail_of, mails_of, notice_of, owe_email
from tests.support.site import Site
from workers import email
from workers.email import Mailer

FROM, PAGES = "notices@clinic.example", "https://chat.clinic.example"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with relaying() as made:
        yield made


class Worker:
    """A mailer with one connection, run round by round."""

    def __init__(self, clinic: Clinic, issuer: Issuer, mailbox: Mailbox) -> None:
        url = f"smtp://127.0.0.1:{mailbox.port}"
        settings = issuer.settings("postgresql://none@127.0.0.1/none", smtp_url=url, mail_from=FROM, public_url=PAGES)
        self.line = Relay(Where.of(settings))
        self.mailer = Mailer(clinic.database, [self.line], Sender(FROM, PAGES))

    async def round(self) -> int:
        """All that is due now; how many that were."""
        count = 0
        while some := await self.mailer.round(asyncio.Event()):
            count += some
        return count


@pytest.fixture
async def worker(clinic: Clinic, issuer: Issuer, mailbox: Mailbox) -> AsyncIterator[Worker]:
    made = Worker(clinic, issuer, mailbox)
    yield made
    await made.line.close()


async def due_at_once(clinic: Clinic) -> None:
    """As if the time had passed that a put-off mail, or a claim, lasts."""
    before = now() - timedelta(seconds=1)
    await clinic.sql("update mails set due_at = $1, claimed_until = $1 where status = 'sending'", before)


def counted(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("warmline_mails_total", {"outcome": outcome}) or 0


async def address(clinic: Clinic, person: str) -> str:
    [row] = await clinic.sql("select email from people where id = $1", person)
    return str(row["email"])


async def test_everybody_gets_one_email_about_all_their_channels(
    clinic: Clinic, worker: Worker, mailbox: Mailbox
) -> None:
    people = [await clinic.patient(), await clinic.team_member()]
    for person in (*people, people[0]):
        await owe_email(clinic, person)
    before = counted("sent")
    assert await worker.round() == 2
    assert await worker.round() == 0
    assert sorted(each.to for each in mailbox.received) == sorted([[await address(clinic, each)] for each in people])
    for person in people:
        row = await mail_of(clinic, person)
        [received] = [each for each in mailbox.received if each.to == [await address(clinic, person)]]
        assert received.message["Message-ID"] == f"<{row['id']}@clinic.example>"
        assert received.message["List-Unsubscribe"] == f"<{PAGES}/unsubscribe/{row['unsubscribe_code']}>"
        assert (row["status"], row["why"], row["attempts"]) == ("sent", "accepted", 1)
    assert counted("sent") == before + 2


async def test_the_relays_no_is_kept_as_a_code_and_its_words_are_not(
    clinic: Clinic, worker: Worker, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    later, never = await clinic.patient(), await clinic.patient()
    owed = {}
    for person in (later, never):
        _, owed[person] = await owe_email(clinic, person)
    words = f"<{await address(clinic, never)}> Demo Patient is unknown here"
    mailbox.tell("RCPT", f"451 4.7.1 {words}", f"550 5.1.1 {words}")
    await worker.round()
    row = await mail_of(clinic, later)
    assert (row["status"], row["why"]) == ("sending", "smtp_451")
    row = await mail_of(clinic, never)
    assert (row["status"], row["why"]) == ("refused", "smtp_550")
    assert await notice_of(clinic, owed[never]) == ("failed", "refused")
    await due_at_once(clinic)
    await worker.round()
    [received] = mailbox.received
    row = await mail_of(clinic, later)
    assert received.message["Message-ID"] == f"<{row['id']}@clinic.example>"
    assert (row["status"], row["attempts"]) == ("sent", 2)
    assert await notice_of(clinic, owed[later]) == ("sent", "sent")
    assert "Demo Patient" not in caplog.text
    assert "Demo Patient" not in str(await clinic.sql("select * from mails")) + str(
        await clinic.sql("select * from notices")
    )


async def test_an_address_that_nobody_can_send_to_is_refused_here(
    clinic: Clinic, worker: Worker, mailbox: Mailbox
) -> None:
    person = await clinic.patient()
    await clinic.sql(
        "update people set email = $2 where id = $1", person, "demo@home.example\r\nBcc: thief@evil.example"
    )
    _, owed = await owe_email(clinic, person)
    await worker.round()
    assert mailbox.received == []
    assert await notice_of(clinic, owed) == ("failed", "no_address")


async def test_a_relay_that_is_away_keeps_nobody_from_their_email_when_it_is_back(
    clinic: Clinic, worker: Worker, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    people = [await clinic.patient() for _ in range(3)]
    for person in people:
        await owe_email(clinic, person)
    await asyncio.to_thread(mailbox.stop)
    for _ in range(5):
        with pytest.raises(RelayAway):
            await worker.round()
    await asyncio.to_thread(mailbox.start)
    assert await worker.round() == 3
    assert len(mailbox.received) == 3


async def test_the_relay_drops_the_connection_after_it_took_one(
    clinic: Clinic, worker: Worker, mailbox: Mailbox
) -> None:
    person = await clinic.patient()
    await owe_email(clinic, person)
    mailbox.tell("AFTER", DROP)
    await worker.round()
    assert (await mail_of(clinic, person))["why"] == "dropped"
    await due_at_once(clinic)
    await worker.round()
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 1
    assert len(mailbox.received) == 2
    row = await mail_of(clinic, person)
    assert (row["status"], row["attempts"]) == ("sent", 2)


async def test_a_stop_gives_back_what_was_not_begun(clinic: Clinic, worker: Worker, mailbox: Mailbox) -> None:
    for _ in range(3):
        await owe_email(clinic, await clinic.patient())
    stopped = asyncio.Event()
    mailbox.answer.clear()
    sending = asyncio.create_task(worker.mailer.round(stopped))
    assert await asyncio.to_thread(mailbox.arrived.wait, 10)
    assert await on_their_way(clinic) == 3
    stopped.set()
    mailbox.answer.set()
    assert await sending == 3
    assert len(mailbox.received) == 1
    assert await on_their_way(clinic) == 0
    assert await worker.round() == 2
    assert len(mailbox.received) == 3


async def on_their_way(clinic: Clinic) -> int:
    """How many mails somebody has claimed."""
    [row] = await clinic.sql(
        "select count(*) from mails where status = 'sending' and claimed_until is not null and organization_id = $1",
        clinic.organization_id,
    )
    return int(row["count"])


async def test_the_next_are_claimed_while_one_leaves_and_no_more_than_will_be_fresh(
    clinic: Clinic, issuer: Issuer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "AT_ONCE", 2)
    worker = Worker(clinic, issuer, mailbox)
    for _ in range(8):
        await owe_email(clinic, await clinic.patient())
    mailbox.answer.clear()
    sending = asyncio.create_task(worker.mailer.round(asyncio.Event()))
    assert await asyncio.to_thread(mailbox.arrived.wait, 10)
    async with asyncio.timeout(10):
        while await on_their_way(clinic) < 4:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert await on_their_way(clinic) == 4
    mailbox.answer.set()
    assert await sending == 8
    assert len(mailbox.received) == 8
    await worker.line.close()


async def test_it_is_sent_soon_after_its_moment_and_several_connections_share_the_work(
    clinic: Clinic, issuer: Issuer, mailbox: Mailbox
) -> None:
    lines = [Worker(clinic, issuer, mailbox).line for _ in range(3)]
    mailer = Mailer(clinic.database, lines, Sender(FROM, PAGES))
    stopped = asyncio.Event()
    running = asyncio.create_task(mailer.run(stopped))
    people = [await clinic.patient() for _ in range(20)]
    for person in people:
        await owe_email(clinic, person)
    async with asyncio.timeout(20):
        while len(mailbox.received) < len(people):
            await asyncio.sleep(0.05)
    stopped.set()
    await asyncio.wait_for(running, 10)
    assert len({each.to[0] for each in mailbox.received}) == len(mailbox.received) == 20


async def test_without_a_relay_nothing_is_sent_later_either(clinic: Clinic, issuer: Issuer) -> None:
    person = await clinic.patient()
    _, owed = await owe_email(clinic, person)
    mailer = Mailer.of(clinic.database, issuer.settings("postgresql://none@127.0.0.1/none"))
    stopped = asyncio.Event()
    running = asyncio.create_task(mailer.run(stopped))
    async with asyncio.timeout(10):
        while (await notice_of(clinic, owed))[0] == "due":
            await asyncio.sleep(0.02)
    stopped.set()
    await running
    assert await notice_of(clinic, owed) == ("suppressed", "no_relay")
    assert await mails_of(clinic, person) == []


class Process:
    """A worker as a process of its own, with a relay that wants STARTTLS, and user and password."""

    def __init__(self, site: Site, folder: Path, mailbox: Mailbox, certificates: Certificates) -> None:
        self.log = folder / "worker.log"
        self.settings = site.environment | {
            "WARMLINE_SMTP_URL": f"smtp://{USER}:{quote(PASSWORD, safe='')}@{mailbox.host}:{mailbox.port}",
            "WARMLINE_SMTP_CA_FILE": str(certificates.authority),
            "WARMLINE_MAIL_FROM": FROM,
            "WARMLINE_PUBLIC_URL": PAGES,
            "WARMLINE_LOG_LEVEL": "DEBUG",
        }
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "workers"]
            self.process = subprocess.Popen(command, env=os.environ | self.settings, stdout=log, stderr=log)

    async def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return await asyncio.to_thread(self.process.wait, 20)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
async def guarded(certificates: Certificates) -> AsyncIterator[Mailbox]:
    """A relay as clinics have one: elsewhere, encrypted, for those it knows."""
    options: dict[str, Any] = {"auth_required": True, "authenticator": may_sign_in, "require_starttls": True}
    async with relaying(NOT_LOOPBACK, tls_context=certificates.context(NOT_LOOPBACK), **options) as made:
        yield made


@pytest.mark.catalogue("R31")
@pytest.mark.parametrize("accepted", [True, False])
async def test_a_worker_killed_with_an_email_on_its_way_leaves_at_most_that_one_twice(
    clinic: Clinic, site: Site, tmp_path: Path, guarded: Mailbox, certificates: Certificates, accepted: bool
) -> None:
    people = [await clinic.patient() for _ in range(3)]
    owed = [(await owe_email(clinic, person))[1] for person in people]
    guarded.answer.clear()
    if not accepted:
        guarded.tell("DATA", HANG)
    doomed = Process(site, tmp_path, guarded, certificates)
    try:
        assert await asyncio.to_thread(guarded.arrived.wait, 30), doomed.log.read_text()
    finally:
        assert await doomed.end(signal.SIGKILL) == -signal.SIGKILL
    guarded.answer.set()
    assert len(guarded.received) == accepted
    await due_at_once(clinic)
    mailer = Mailer.of(clinic.database, Settings.model_validate(doomed.settings))
    while await mailer.round(asyncio.Event()):
        pass
    await mailer.close()
    assert [await notice_of(clinic, each) for each in owed] == [("sent", "sent")] * 3
    ids = [each.message["Message-ID"] for each in guarded.received]
    assert len(set(ids)) == 3
    assert len(ids) == 3 + accepted
    assert all(each.encrypted for each in guarded.received)
    said = doomed.log.read_text()
    assert PASSWORD not in said
    for person in people:
        row = await mail_of(clinic, person)
        # More attempts than one: this is the one in doubt, or stood in line behind it when the worker died.
        assert ids.count(f"<{row['id']}@clinic.example>") <= row["attempts"] == 2
        assert row["unsubscribe_code"] not in said
        assert await address(clinic, person) not in said


async def test_a_worker_that_is_told_to_stop_ends_well(
    clinic: Clinic, site: Site, tmp_path: Path, guarded: Mailbox, certificates: Certificates
) -> None:
    person = await clinic.patient()
    await owe_email(clinic, person)
    worker = Process(site, tmp_path, guarded, certificates)
    try:
        assert await asyncio.to_thread(guarded.arrived.wait, 30), worker.log.read_text()
    finally:
        assert await worker.end(signal.SIGTERM) == 0
    assert (await mail_of(clinic, person))["status"] == "sent"


async def test_who_starts_without_a_relay_is_told(
    clinic: Clinic, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    Mailer.of(clinic.database, issuer.settings("postgresql://none@127.0.0.1/none"))
    assert "nobody is emailed" in caplog.text


def test_a_claim_lasts_longer_than_a_send_may() -> None:
    assert timedelta(seconds=relay.IN_ALL) < mails.LEASE

"""The mail relay: encrypted outside this machine or not at all, kept and made again, and its answers understood."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from server.config import Settings
from server.errors import Misconfigured
from server.ids import MailId, now
from server.notices import relay as relays
from server.notices.mailing import Mail, Sender, compose
from server.notices.relay import Again, Refused, Relay, RelayAway, Where, outlet
from tests.support.issuer import Issuer
from tests.support.mailbox import DROP, HANG, NOT_LOOPBACK, PASSWORD, USER, Certificates, Mailbox, may_sign_in, relaying

FROM = "notices@clinic.example"
SENDER = Sender(FROM, "https://chat.clinic.example")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def settings(issuer: Issuer) -> Any:
    """settings(url, …) → the settings of a worker with this relay."""

    def settings(url: str, **more: Any) -> Settings:
        own = {"smtp_url": url, "mail_from": FROM, "public_url": SENDER.site, "profile": "dev"}
        return issuer.settings("postgresql://nobody@127.0.0.1/none", **own | more)

    return settings


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody waits for a relay that hangs."""
    monkeypatch.setattr(relays, "PATIENCE", 0.3)


def mail(to: str = "demo-patient@home.example") -> Any:
    return compose(Mail(MailId.new(), to, "patient", None, "c" * 32, now()), SENDER)


def relay(mailbox: Mailbox, settings: Any, scheme: str = "smtp", user: str = "", **more: Any) -> Relay:
    return Relay(Where.of(settings(f"{scheme}://{user}{mailbox.host}:{mailbox.port}", **more)))


async def test_one_connection_carries_many_emails(settings: Any) -> None:
    async with relaying() as mailbox:
        line = relay(mailbox, settings)
        for number in range(5):
            await line.send(mail(f"demo-{number}@home.example"))
        await line.close()
    assert [each.to for each in mailbox.received] == [[f"demo-{number}@home.example"] for number in range(5)]
    assert {each.sender for each in mailbox.received} == {FROM}
    assert mailbox.connections == 1
    assert mailbox.received[0].message["To"] == "demo-0@home.example"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_outside_this_machine_it_is_encrypted_and_the_certificate_checked(
    settings: Any, certificates: Certificates, scheme: str
) -> None:
    shown = certificates.context(NOT_LOOPBACK)
    options = {"tls_context": shown, "require_starttls": True} if scheme == "smtp" else {"ssl_context": shown}
    async with relaying(NOT_LOOPBACK, **options) as mailbox:
        line = relay(mailbox, settings, scheme, smtp_ca_file=certificates.authority)
        await line.send(mail())
        assert "TLS" in await line.look(FROM)
        await line.close()
        assert mailbox.received[0].encrypted

        line = relay(mailbox, settings, scheme)  # nobody vouches for it here
        with pytest.raises(RelayAway, match="certificate does not hold"):
            await line.send(mail())
    assert len(mailbox.received) == 1


@pytest.mark.parametrize(("names", "days"), [(("mail.example",), 1), ((NOT_LOOPBACK,), -1)])
async def test_a_certificate_for_somebody_else_or_run_out_is_none(
    settings: Any, certificates: Certificates, names: tuple[str, ...], days: int
) -> None:
    async with relaying(NOT_LOOPBACK, tls_context=certificates.context(*names, days=days)) as mailbox:
        line = relay(mailbox, settings, smtp_ca_file=certificates.authority)
        with pytest.raises(RelayAway, match="certificate does not hold"):
            await line.send(mail())
    assert mailbox.received == []


async def test_without_encryption_nothing_leaves_this_machine(settings: Any) -> None:
    async with relaying(NOT_LOOPBACK) as mailbox:
        line = relay(mailbox, settings, user=f"{USER}:{quote(PASSWORD, safe='')}@")
        with pytest.raises(RelayAway, match="no encryption"):
            await line.send(mail())
    assert mailbox.received == []


async def test_user_and_password_are_given_where_they_are_wanted_and_never_said(
    settings: Any, certificates: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    (tmp_path / "password").write_text(PASSWORD + "\n")
    options = {"auth_required": True, "auth_callback": None, "authenticator": may_sign_in}
    async with relaying(NOT_LOOPBACK, tls_context=certificates.context(NOT_LOOPBACK), **options) as mailbox:
        for user, more in (
            (f"{USER}:{quote(PASSWORD, safe='')}@", {}),
            (f"{USER}@", {"smtp_password_file": tmp_path / "password"}),
        ):
            line = relay(mailbox, settings, user=user, smtp_ca_file=certificates.authority, **more)
            await line.send(mail())
            await line.close()
        line = relay(mailbox, settings, user=f"{USER}:wrong@", smtp_ca_file=certificates.authority)
        with pytest.raises(RelayAway, match=r"refuses user and password \(535\)"):
            await line.send(mail())
    assert len(mailbox.received) == 2
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
async def test_what_a_refusal_means_and_that_only_its_code_is_kept(settings: Any, step: str) -> None:
    async with relaying() as mailbox:
        line = relay(mailbox, settings)
        mailbox.tell(
            step, "451 4.7.1 <demo-patient@home.example> later", "550 5.1.1 <demo-patient@home.example> unknown"
        )
        with pytest.raises(Again) as again:
            await line.send(mail())
        with pytest.raises(Refused) as refused:
            await line.send(mail())
        assert (again.value.why, refused.value.why) == ("smtp_451", "smtp_550")
        assert "demo" not in repr(again.value) + repr(refused.value)
        await line.send(mail())
        await line.close()
    assert (len(mailbox.received), mailbox.connections) == (1, 1)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "AFTER"])
@pytest.mark.parametrize("answer", [DROP, "421 4.3.2 shutting down"])
async def test_a_connection_that_ends_is_made_again(settings: Any, step: str, answer: str) -> None:
    async with relaying() as mailbox:
        line = relay(mailbox, settings)
        mailbox.tell(step, answer)
        with pytest.raises((Again, RelayAway)):
            await line.send(mail())
        await line.send(mail())
        await line.close()
    assert len(mailbox.received) == (2 if step == "AFTER" else 1)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("step", ["MAIL", "DATA"])
async def test_a_relay_that_says_nothing_is_not_waited_for(settings: Any, step: str) -> None:
    async with relaying() as mailbox:
        line = relay(mailbox, settings)
        mailbox.tell(step, HANG)
        with pytest.raises(Again):
            await asyncio.wait_for(line.send(mail()), 5)
        await line.send(mail())
        await line.close()
    assert len(mailbox.received) == 1


async def test_a_relay_that_refuses_our_address_takes_no_email_of_ours(settings: Any) -> None:
    async with relaying() as mailbox:
        line = relay(mailbox, settings)
        mailbox.tell("MAIL", "553 5.7.1 not yours", "553 5.7.1 not yours")
        for work in (line.send(mail()), line.look(FROM)):
            with pytest.raises(RelayAway, match=r"WARMLINE_MAIL_FROM \(553\)"):
                await work
        mailbox.tell("MAIL", "450 4.3.2 busy")
        with pytest.raises(RelayAway, match=r"no emails just now \(450\)"):
            await line.send(mail())
        await line.close()
    assert mailbox.received == []


async def test_a_relay_that_is_away_and_back(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "_SILENT", 0.0)
    async with relaying() as mailbox:
        line = relay(mailbox, settings)
        await line.send(mail())
        await asyncio.to_thread(mailbox.stop)
        with pytest.raises(RelayAway, match="cannot be reached"):
            await line.send(mail())
        await asyncio.to_thread(mailbox.start)
        await line.send(mail())  # on a new connection: the one that was there is not trusted
        await line.close()
    assert len(mailbox.received) == 2


async def test_in_development_emails_are_files(settings: Any, tmp_path: Path) -> None:
    folder = outlet(settings(f"file://{tmp_path}/mails%20here"))
    message = mail()
    await folder.send(message)
    await folder.close()
    [written] = (tmp_path / "mails here").iterdir()
    assert written.name.endswith(".eml")
    assert written.read_bytes() == message.content


def test_what_cannot_be_read_stops_the_start(settings: Any, tmp_path: Path) -> None:
    gone = settings("smtp://relay@127.0.0.1:1", smtp_password_file=tmp_path / "gone")
    with pytest.raises(Misconfigured, match="WARMLINE_SMTP_PASSWORD_FILE"):
        outlet(gone)
    (tmp_path / "empty.pem").write_text("no certificate")
    with pytest.raises(Misconfigured, match="WARMLINE_SMTP_CA_FILE"):
        outlet(settings("smtps://127.0.0.1:1", smtp_ca_file=tmp_path / "empty.pem"))


@pytest.mark.parametrize(
    ("url", "port", "tls", "start_tls"),
    [
        ("smtp://127.0.0.1", 587, False, False),
        ("smtp://localhost:25/", 25, False, False),
        ("smtp://mail.example", 587, False, True),
        ("smtps://mail.example", 465, True, False),
        ("smtp://[::1]:2525", 2525, False, False),
    ],
)
def test_an_address_says_how_it_is_protected(settings: Any, url: str, port: int, tls: bool, start_tls: bool) -> None:
    where = Where.of(settings(url))
    assert (where.port, where.tls, where.start_tls, where.secret) == (port, tls, start_tls, None)
    assert where.ours == "chat.clinic.example"

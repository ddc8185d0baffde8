"""The words of an unread email: whatever an organisation or an address is called, it stays the one email it should be."""

import inspect
import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import Invalid
from server.ids import MailId
from server.notices.mailing import Mail, Sender, build, compose, deliverable, harmless

SENDER = Sender("notices@clinic.example", "https://chat.clinic.example")
MADE = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MAIL = Mail(MailId("ml_" + "0" * 20), "demo-patient@home.example", "patient", None, "c" * 32, MADE)

HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted"),
    *("MIME-Version", "Content-Type"),
}
INJECTIONS = [
    "Clinic\r\nBcc: thief@evil.example",
    "Clinic\nBcc: thief@evil.example",
    "Clinic\rBcc: thief@evil.example",
    "Clinic\r\n\r\n<h1>Another body</h1>",
    "Clinic\r\n.\r\nMAIL FROM:<thief@evil.example>",
    *(f"Clinic{end}Bcc: thief@evil.example" for end in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
    "=?utf-8?q?Clinic=0d=0aBcc=3a_thief=40evil.example?=",
    "=?utf-8?b?Q2xpbmljDQpCY2M6IHRoaWVmQGV2aWwuZXhhbXBsZQ==?=",
    "=?=?utf-8?q?=0aBcc=3a_thief=40evil.example?=?=",
    "Clinic\x00\nReply-To: thief@evil.example",
    "Clinic, thief@evil.example",
    'Clinic" <thief@evil.example>, "',
    "Clinic <thief@evil.example>",
    "Clinic; Reply-To: thief@evil.example",
    "(comment) Clinic \\",
    "Clinic\u202egnp.exe",
    "Cli\u200bnic\ufeff",
    "{0.__class__} {page} %(stop)s ${greeting} {{7*7}}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</h1><a href=https://evil.example>Sign in</a>",
    "Klinik für Übergänge 診療所 🏥",
    "x" * 5000,
    " ",
]


def parsed(mail: Mail, sender: Sender = SENDER) -> EmailMessage:
    """As who receives it reads it: nothing but the headers and the two parts that belong in it."""
    sent = compose(mail, sender).content
    assert all(byte < 128 for byte in sent)
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", sent) is None
    assert max(map(len, sent.split(b"\r\n"))) <= 998
    found = message_from_bytes(sent, policy=default)
    assert isinstance(found, EmailMessage)
    assert len(found.keys()) == len(set(found.keys()))
    assert set(found.keys()) == HEADERS
    parts = list(found.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.defects for part in (found, *parts)] == [[], [], []]
    return found


def contents(found: EmailMessage) -> tuple[str, str]:
    text, html = (part.get_content() for part in found.iter_parts())
    return text, html


class Tags(HTMLParser):
    """What a reader of HTML finds in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_says_that_there_is_something_and_where_and_how_to_get_no_more() -> None:
    found = parsed(MAIL)
    text, html = contents(found)
    assert found["Subject"] == "You have a new message"
    assert found["From"] == "notices@clinic.example"
    assert found["To"] == "demo-patient@home.example"
    assert found["Message-ID"] == f"<{MAIL.id}@clinic.example>"
    assert found["Date"].datetime == MADE
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["List-Unsubscribe"] == f"<https://chat.clinic.example/unsubscribe/{MAIL.code}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    links = ["https://chat.clinic.example/", f"https://chat.clinic.example/unsubscribe/{MAIL.code}"]
    assert Tags(html).links == links
    assert re.findall(r"https?://\S+", text) == links
    assert set(Tags(html).tags) <= {"html", "head", "meta", "title", "body", "div", "h1", "p", "a"}


def test_staff_are_led_to_the_portal() -> None:
    text, html = contents(parsed(replace(MAIL, kind="team_member")))
    assert Tags(html).links[0] == "https://chat.clinic.example/portal"
    assert "https://chat.clinic.example/portal\n" in text.replace("\r", "")


def test_the_same_mail_composed_twice_is_the_same_to_the_byte() -> None:
    assert compose(MAIL, SENDER) == compose(MAIL, SENDER)


def test_the_organisation_is_named_only_where_it_wants_to_be() -> None:
    named = parsed(replace(MAIL, organization="Demo Clinic"))
    assert named["From"].addresses[0].display_name == "Demo Clinic"
    assert all("at Demo Clinic." in content for content in contents(named))
    assert all("written to you." in content for content in contents(parsed(MAIL)))


def test_nothing_can_be_handed_in_that_tells_what_was_said_or_by_whom() -> None:
    assert {field.name for field in fields(Mail)} == {"id", "to", "kind", "organization", "code", "made_at"}
    assert {field.name for field in fields(Sender)} == {"address", "site"}
    for maker in (compose, build):
        assert list(inspect.signature(maker).parameters) == ["mail", "sender"]


@pytest.mark.catalogue("S20")
@pytest.mark.parametrize("name", INJECTIONS)
def test_an_organisations_name_stays_a_name(name: str) -> None:
    found = parsed(replace(MAIL, organization=name))
    [sender] = found["From"].addresses
    assert sender.addr_spec == SENDER.address
    assert sender.display_name == harmless(name)
    assert [each.addr_spec for each in found["To"].addresses] == [MAIL.to]
    text, html = contents(found)
    plain = Tags(contents(parsed(MAIL))[1])
    read = Tags(html)
    assert (read.tags, read.links, read.handlers) == (plain.tags, plain.links, plain.handlers)
    for content in (text, read.text):
        at = f" at {harmless(name)}" if harmless(name) else ""
        assert f"Somebody has written to you{at}. To keep" in content


@pytest.mark.catalogue("S20")
@pytest.mark.parametrize("name", INJECTIONS)
def test_a_name_is_one_visible_line_that_nobody_decodes(name: str) -> None:
    plain = harmless(name)
    assert plain.isprintable()
    assert len(plain) <= 60
    assert "=?" not in plain
    assert plain == plain.strip()


@pytest.mark.catalogue("S20")
@pytest.mark.parametrize(
    "address",
    [
        "a@home.example\r\nBcc: thief@evil.example",
        "a@home.example\nBcc:thief@evil.example",
        "a@home.example, thief@evil.example",
        "a@home.example;thief@evil.example",
        "a@home.example,thief@evil.example",
        "a\u2028b@home.example",
        "a@home.example\u2028",
        "<thief@evil.example>@home.example",
        "a@home.example>",
        "a b@home.example",
        '"a\\"@evil.example, b"@home.example',
        "a@evil.example@home.example",
        "=?utf-8?q?a=40evil.example?=@home.example>",
        "=?utf-8?q?x?=@home.example",
        "(a)b@home.example",
        "a@home.example(comment)",
        "a@[127.0.0.1]",
        "a@home",
        "a@-home.example",
        "a@home..example",
        "a@home.example.",
        ".a@home.example",
        "a..b@home.example",
        "a" * 65 + "@home.example",
        "a@" + "x" * 64 + ".example",
        "a@" + "x." * 130 + "example",
        "é@home.example",
        "a@\ud800.example",
        "a\x00@home.example",
        "@home.example",
        "a@",
        "a",
        "",
        "@a,@b:c@home.example",
        "a@home.example SIZE=1",
        "a%0d%0a@evil.example\n",
    ],
)
def test_an_address_that_is_more_than_one_gets_no_mail(address: str) -> None:
    with pytest.raises(Invalid):
        compose(replace(MAIL, to=address), SENDER)


@pytest.mark.parametrize(
    ("address", "sent_to"),
    [
        ("demo.patient+clinic@home.example", "demo.patient+clinic@home.example"),
        ("o'demo@mail.home.example", "o'demo@mail.home.example"),
        ("demo@bücher.example", "demo@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_taken_as_relays_take_it(address: str, sent_to: str) -> None:
    assert deliverable(address) == sent_to


def test_the_wording_is_calm_and_whole() -> None:
    text, html = contents(parsed(replace(MAIL, organization="Demo Clinic")))
    for content in (text, Tags(html).text):
        assert not re.search(r"[{}!]|\bNone\b|urgent|immediately|asap", content, re.IGNORECASE)


NAMES = st.none() | st.sampled_from(INJECTIONS) | st.text(max_size=70)
SITES = st.from_regex(r"https://[a-z]{1,90}\.example/?", fullmatch=True)
ADDRESSES = st.from_regex(r"[A-Za-z0-9'*+/=?^_-]{1,64}@[a-z]{1,60}\.example", fullmatch=True)
CODES = st.from_regex(r"[0-9A-Za-z_-]{22,64}", fullmatch=True)
KINDS = st.sampled_from(["patient", "team_member"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))


@settings(deadline=None)
@given(to=ADDRESSES, kind=KINDS, name=NAMES, code=CODES, at=MOMENTS, site=SITES)
def test_what_is_composed_from_a_form_is_to_the_byte_what_the_library_composes(
    to: str, kind: str, name: str | None, code: str, at: datetime, site: str
) -> None:
    mail, sender = Mail(MailId.new(), to, kind, name, code, at), replace(SENDER, site=site)
    try:
        built = build(mail, sender)
    except Invalid:
        with pytest.raises(Invalid):
            compose(mail, sender)
        return
    letter = compose(mail, sender)
    assert letter.content == built.as_bytes()
    assert (letter.sender, letter.to) == tuple(built[one].addresses[0].addr_spec for one in ("From", "To"))
    assert letter.message_id == built["Message-ID"]

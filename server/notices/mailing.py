"""The words of an unread email: that there is something to read, where, and how to get no more of them.

Nothing here takes a message, a person's or a channel's name, so none can get into an email (domain.md §4). The same mail
composed twice is the same to the byte: it may have to go a second time, after a worker died.
"""

import base64
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from html import escape

from server.errors import Invalid
from server.ids import MailId, random_bytes

SUBJECT = "You have a new message"
_LONGEST_NAME = 60
_WIDE = SMTP.clone(max_line_length=400)
"""Headers in one line each: some mail programs lose a folded List-Unsubscribe. What stands in the body is folded by then."""
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]")

_TEXT = """{greeting}

Somebody has written to you{at}. To keep it private, this email does not say who, or what.

Read it here:
{page}

Please do not reply: nobody reads the answers to this address.

You get this email because a message for you had been waiting unread. To get no more of these emails:
{stop}
"""

_HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{greeting}</title>
</head>
<body style="margin:0;padding:24px;font:17px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif">
<div style="max-width:34em;margin:0 auto">
<h1 style="font-size:20px;line-height:1.3">{greeting}</h1>
<p>Somebody has written to you{at}. To keep it private, this email does not say who, or what.</p>
<p style="margin:28px 0"><a href="{page}" style="display:inline-block;padding:12px 24px;
border-radius:12px;background:#1c665c;color:#ffffff;text-decoration:none">Read it</a></p>
<p style="font-size:14px">Please do not reply: nobody reads the answers to this address.</p>
<p style="font-size:14px">You get this email because a message for you had been waiting unread.
<a href="{stop}">Get no more of these emails</a></p>
</div>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Mail:
    """What an unread email is made of. `organization`: its name, where it wants to be named. `code`: for the unsubscribe link."""

    id: MailId
    to: str
    kind: str
    """patient or team_member: which page they read on."""
    organization: str | None
    code: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and where people reach the pages: WARMLINE_MAIL_FROM and WARMLINE_PUBLIC_URL."""

    address: str
    site: str


@dataclass(frozen=True, slots=True)
class Letter:
    """An email as it goes to the relay: the envelope's two addresses, and the bytes."""

    sender: str
    to: str
    message_id: str
    content: bytes


def compose(mail: Mail, sender: Sender) -> Letter:
    """The email: to the byte what `build` makes of it, at a hundredth of the price: only a few words differ.

    Raises:
        Invalid: the address is not one that mail can be sent to.
    """
    to, message_id = deliverable(mail.to), _message_id(mail, sender)
    words = {"to": to, "id": mail.id, "date": format_datetime(mail.made_at), "code": mail.code}
    form = _form(mail.kind, mail.organization, len(mail.code), sender)
    parts = [part if isinstance(part, str) else words[part[0]][part[1]] for part in form]
    return Letter(sender.address, to, message_id, "".join(parts).encode("ascii"))


@lru_cache(maxsize=256)
def _form(kind: str, organization: str | None, length: int, sender: Sender) -> tuple[str | tuple[str, slice], ...]:
    """The text of an email with gaps for what differs: which word belongs there, and which part of it.

    It is cut from an example with words at random, so that nothing that an organisation calls itself is taken for one of them.
    Quoted-printable may break a line within the code; where, depends on how long the code is, and not on its letters.
    """
    made_at = datetime.fromtimestamp(int.from_bytes(random_bytes(4)), UTC)
    code = base64.urlsafe_b64encode(random_bytes(length)).decode()[:length]
    mail = Mail(MailId.new(), f"{random_bytes(16).hex()}@example.invalid", kind, organization, code, made_at)
    words = {"to": mail.to, "id": mail.id, "date": format_datetime(made_at), "code": code}
    gaps = {name: "(?:=\r\n)?".join(map(re.escape, word)) for name, word in words.items()}
    text = build(mail, sender).as_bytes().decode("ascii")
    parts: list[str | tuple[str, slice]] = []
    end = 0
    for gap in re.finditer("|".join(f"(?P<{name}>{gap})" for name, gap in gaps.items()), text):
        name, (before, broken, _) = str(gap.lastgroup), gap[0].partition("=\r\n")
        parts += [text[end : gap.start()], (name, slice(len(before))), broken, (name, slice(len(before), None))]
        end = gap.end()
    return (*parts, text[end:])


def build(mail: Mail, sender: Sender) -> EmailMessage:
    """The email, as the standard library composes it. Raises Invalid."""
    name = harmless(mail.organization or "")
    site = sender.site.removesuffix("/")
    words = {
        "greeting": SUBJECT,
        "at": f" at {name}" if name else "",
        "page": site + ("/portal" if mail.kind == "team_member" else "/"),
        "stop": f"{site}/unsubscribe/{mail.code}",
    }
    made = EmailMessage(policy=SMTP)
    made["From"] = Address(name, addr_spec=sender.address)
    made["To"] = Address(addr_spec=deliverable(mail.to))
    made["Subject"] = SUBJECT
    made["Date"] = format_datetime(mail.made_at)
    made["Message-ID"] = _message_id(mail, sender)
    made["List-Unsubscribe"] = f"<{words['stop']}>"
    made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday notices are not sent back
    made.set_content(_TEXT.format(**words), cte="quoted-printable")
    html = {word: escape(value) for word, value in words.items()}
    made.add_alternative(_HTML.format(**html), subtype="html", cte="quoted-printable")
    made.policy = _WIDE
    made.set_boundary(f"=_{mail.id}")  # the library's own would be another one each time
    return made


def _message_id(mail: Mail, sender: Sender) -> str:
    return f"<{mail.id}@{sender.address.rpartition('@')[2]}>"


def deliverable(address: str) -> str:
    """The address as relays take it: a plain local part, and the domain in ASCII.

    Raises:
        Invalid: it is none; or its local part is quoted or beyond ASCII, which few relays take; or mail programs would decode it.
    """
    local, _, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        domain = ""
    if (
        "=?" in address
        or len(local) > 64
        or len(domain) > 253
        or not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain))
    ):
        raise Invalid("Mail cannot be sent to this address.")
    return f"{local}@{domain}"


def harmless(name: str) -> str:
    """A name fit for a header: one line, nothing invisible, nothing that a mail program would decode into something else."""
    plain = "".join(" " if letter.isspace() else letter for letter in unicodedata.normalize("NFC", name))
    plain = "".join(letter for letter in plain if letter == " " or letter.isprintable())
    while "=?" in plain:
        plain = plain.replace("=?", "?")
    return " ".join(plain.split())[:_LONGEST_NAME].rstrip()

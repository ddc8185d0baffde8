"""The mail relay: one connection, kept and made again as needed, encrypted outside this machine, and what its answers mean.

What a relay says beside its code may repeat the address, so only the code is ever kept.
"""

import asyncio
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused

from server.config import Settings
from server.config_checks import LOOPBACK
from server.errors import Misconfigured
from server.notices.mailing import Letter

PATIENCE = 10.0
"""Seconds for any one answer of the relay."""
IN_ALL = 20.0
"""Seconds for one email: less than its claim lasts, so that nobody else takes it up meanwhile."""
_SILENT = 5.0
"""Seconds after which a connection is asked whether it still stands, before an email is risked on it."""
_PORTS = {"smtp": 587, "smtps": 465}


class RelayAway(Exception):
    """The relay takes no emails at all now: it cannot be reached, or refuses us. The text says why, and holds nothing private."""


class Again(Exception):
    """The relay did not take this one now, and may later. `why`: a word such as smtp_451, or dropped."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Refused(Exception):
    """The relay will never take this one. `why`: a word such as smtp_550."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Where:
    """How the relay is reached. `secret`: user and password, where it wants them."""

    host: str
    port: int
    tls: bool
    """From the first byte (smtps://)."""
    start_tls: bool
    """Without it nothing is sent: everywhere but on loopback."""
    secret: tuple[str, str] | None
    trusted: Path | None
    ours: str
    """The name that we introduce ourselves by."""

    @classmethod
    def of(cls, settings: Settings) -> "Where":
        """What the settings say. Raises Misconfigured: a file cannot be read, or there is no relay."""
        try:
            parts = urlsplit(settings.smtp_url or "")
            port = parts.port
        except ValueError:
            port, parts = None, urlsplit("")
        if parts.hostname is None:
            raise Misconfigured("WARMLINE_SMTP_URL: names no mail relay")
        password = unquote(parts.password or "")
        if settings.smtp_password_file is not None:
            try:
                password = settings.smtp_password_file.read_text().strip()
            except OSError as wrong:
                said = f"WARMLINE_SMTP_PASSWORD_FILE: it cannot be read ({wrong.strerror})"
                raise Misconfigured(said) from None
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            tls=parts.scheme == "smtps",
            start_tls=parts.scheme == "smtp" and (parts.hostname not in LOOPBACK or settings.smtp_ca_file is not None),
            secret=(unquote(parts.username), password) if parts.username else None,
            trusted=settings.smtp_ca_file,
            ours=urlsplit(settings.public_url or "").hostname or "localhost",
        )

    def context(self) -> ssl.SSLContext:
        """Whose certificates are believed. Raises Misconfigured."""
        try:
            return ssl.create_default_context(cafile=self.trusted)
        except OSError:
            raise Misconfigured("WARMLINE_SMTP_CA_FILE: it holds no certificates (PEM) that can be read") from None


class Relay:
    """One connection. Not for two emails at a time."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._context = where.context()
        self._line: SMTP | None = None
        self._used = 0.0

    async def send(self, letter: Letter) -> None:
        """Hand one email over; when this returns, the relay has it.

        Raises:
            RelayAway, Again, Refused.
        """
        try:
            async with asyncio.timeout(IN_ALL):
                await self._send(await self._connected(), letter)
        except TimeoutError:
            self._drop()
            raise Again("timeout") from None
        except (SMTPException, OSError):
            self._drop()
            raise Again("dropped") from None

    async def look(self, sender: str) -> str:
        """See that it takes our emails, without sending one; how the connection is protected. Raises RelayAway."""
        line = await self._connected()
        try:
            await line.mail(sender)
            await line.rset()
        except SMTPResponseException as refused:
            raise RelayAway(_about_us(refused.code)) from None
        except (SMTPException, OSError) as wrong:
            raise RelayAway(_why(wrong)) from None
        cipher = line.get_transport_info("cipher")
        return str(cipher[1]) if cipher else "not encrypted"

    async def close(self) -> None:
        """Say goodbye."""
        line, self._line = self._line, None
        if line is not None:
            try:
                async with asyncio.timeout(1):
                    await line.quit()
            except (SMTPException, OSError, TimeoutError):
                line.close()

    async def _send(self, line: SMTP, letter: Letter) -> None:
        try:
            await line.sendmail(letter.sender, [letter.to], letter.content)
        except SMTPSenderRefused as refused:
            self._drop()
            raise RelayAway(_about_us(refused.code)) from None
        except SMTPRecipientsRefused as refused:
            self._judge(refused.recipients[0].code)
        except SMTPResponseException as refused:
            self._judge(refused.code)

    def _judge(self, code: int) -> None:
        """What a refusal means for the email. The connection may go on, but for 421, which ends it."""
        if code == 421 or not 400 <= code <= 599:
            self._drop()
        if 500 <= code <= 599:
            raise Refused(f"smtp_{code}")
        raise Again(f"smtp_{code}" if 400 <= code <= 499 else "dropped")

    async def _connected(self) -> SMTP:
        if (kept := await self._kept()) is not None:
            return kept
        where = self._where
        line = SMTP(
            hostname=where.host,
            port=where.port,
            use_tls=where.tls,
            start_tls=False,  # not here: whether it is offered is a question of its own, with an answer of its own
            tls_context=self._context,
            local_hostname=where.ours,
            timeout=PATIENCE,
        )
        try:
            async with asyncio.timeout(IN_ALL / 2):
                await line.connect()
                if where.start_tls:
                    await _encrypt(line)
                if where.secret is not None:
                    await _sign_in(line, *where.secret)
        except (SMTPException, OSError, TimeoutError) as wrong:
            line.close()
            raise RelayAway(_why(wrong)) from None
        except RelayAway:
            line.close()
            raise
        self._line, self._used = line, time.monotonic()
        return line

    async def _kept(self) -> SMTP | None:
        """The connection, if it still stands: relays end those that are silent."""
        line, idle = self._line, time.monotonic() - self._used
        self._used = time.monotonic()
        if line is None or not line.is_connected:
            return None
        if idle > _SILENT:
            try:
                await line.noop()
            except (SMTPException, OSError):
                self._drop()
                return None
        return line

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


async def _encrypt(line: SMTP) -> None:
    """Raises RelayAway: it offers no encryption. And whatever the handshake raises."""
    await line.ehlo()
    if not line.supports_extension("starttls"):
        raise RelayAway("it offers no encryption (STARTTLS)")
    await line.starttls()


async def _sign_in(line: SMTP, user: str, password: str) -> None:
    """Raises RelayAway: it knows no such thing. And what it refuses."""
    await line.ehlo()
    if not line.supports_extension("auth"):
        raise RelayAway("it offers no sign-in, and WARMLINE_SMTP_URL names a user")
    await line.login(user, password)


def _about_us(code: int) -> str:
    """What its answer to our own address means: that is no email's fault."""
    return f"it refuses WARMLINE_MAIL_FROM ({code})" if code >= 500 else f"it takes no emails just now ({code})"


def _why(wrong: Exception) -> str:
    """In words of ours: what a relay says may hold anything."""
    for each in (wrong, wrong.__cause__):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"its certificate does not hold ({each.verify_message})"
    if isinstance(wrong, aiosmtplib.SMTPAuthenticationError):
        return f"it refuses user and password ({wrong.code})"
    if isinstance(wrong, SMTPResponseException):
        return f"it answers {wrong.code}"
    if isinstance(wrong, TimeoutError):
        return "it does not answer in time"
    return f"it cannot be reached ({type(wrong).__name__})"


class Folder:
    """In development: emails as files, for whoever would like to see one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, letter: Letter) -> None:
        """Write one."""
        self._path.mkdir(parents=True, exist_ok=True)
        name = letter.message_id.strip("<>").partition("@")[0]
        (self._path / f"{name}.eml").write_bytes(letter.content)

    async def look(self, sender: str) -> str:
        """There is nothing that could be away."""
        return "a folder"

    async def close(self) -> None:
        """There is nothing to close."""


def outlet(settings: Settings) -> Relay | Folder:
    """Where emails go. Raises Misconfigured."""
    parts = urlsplit(settings.smtp_url or "")
    return Folder(Path(unquote(parts.path))) if parts.scheme == "file" else Relay(Where.of(settings))

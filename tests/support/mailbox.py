"""A mail relay for tests: a real SMTP server in a thread of its own, which keeps what it is given and answers as it is told."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.dev.embedded import free_port

NOT_LOOPBACK = "127.0.0.2"
"""An address of this machine that is none of the names that count as loopback: to the product it is elsewhere."""
USER, PASSWORD = "relay-login", "Qz7%/@:relay secret"

DROP, HANG = "(drops the connection)", "(says nothing)"


@dataclass(frozen=True)
class Received:
    """One email as it came: envelope and content."""

    sender: str
    to: list[str]
    message: EmailMessage
    raw: bytes
    encrypted: bool
    at: datetime.datetime


class Mailbox:
    """The relay. `tell` it what to answer; then look at `received`. Any thread may look."""

    def __init__(self, host: str = "127.0.0.1", **options: Any) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.arrived = threading.Event()
        """Set when an email has come in whole, before it is answered; and while nothing is said."""
        self.answer = threading.Event()
        """While it is not set, an email that came in whole gets no answer."""
        self.answer.set()
        self._told: dict[str, deque[str]] = defaultdict(deque)
        self.host, self.port = host, free_port()
        self._options = options
        self._controller: Controller

    def tell(self, step: str, *answers: str) -> None:
        """What to answer to the next MAIL, RCPT or DATA: a line such as "451 later", DROP or HANG; then 250 again.

        DATA is answered when the email has come in whole; AFTER as well, but then it was taken, and only the answer is lost.
        """
        self._told[step].extend(answers)

    def start(self) -> None:
        """Listen, where it listened before."""
        self._controller = _Controller(self, hostname=self.host, port=self.port, ident="relay", **self._options)
        self._controller.start()

    def stop(self) -> None:
        """Go away, with all connections."""
        self.answer.set()
        self._controller.stop()

    # What aiosmtpd calls

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self._say(server, "MAIL")
        if said.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return said

    async def handle_RCPT(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        said = await self._say(server, "RCPT")
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        said = await self._say(server, "DATA")
        if not said.startswith("250"):
            return said
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=default)
        assert isinstance(message, EmailMessage)
        assert server.transport is not None
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        at = datetime.datetime.now(datetime.UTC)
        self.received.append(Received(envelope.mail_from or "", list(envelope.rcpt_tos), message, raw, encrypted, at))
        self.arrived.set()
        while not self.answer.is_set():
            await asyncio.sleep(0.01)
        return await self._say(server, "AFTER")

    async def _say(self, server: SMTP, step: str) -> str:
        said = self._told[step].popleft() if self._told[step] else "250 OK"
        if said == HANG:
            self.arrived.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 30)
        if said in (DROP, HANG):
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "421 gone"
        return said


class _Controller(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, timeout=60, **self.SMTP_kwargs)


def may_sign_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    """Only who has the relay's user and password."""
    good = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@contextlib.asynccontextmanager
async def relaying(host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Mailbox]:
    """A relay, as long as the block lasts; options go to aiosmtpd's SMTP."""
    made = Mailbox(host, **options)
    await asyncio.to_thread(made.start)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.stop)


class Certificates:
    """An authority of the tests, and certificates from it for a relay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
        self.authority = folder / "authority.pem"
        usage = x509.KeyUsage(
            *(False,) * 5, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
        )
        made = self._made(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        made = made.add_extension(usage, True)
        self._write(self.authority, made.sign(self._key, hashes.SHA256()))

    def context(self, *names: str, days: int = 1) -> ssl.SSLContext:
        """What a server of these names (or addresses) shows; `days` below 0: it has run out."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), key, days)
        made = made.add_extension(x509.SubjectAlternativeName([_named(name) for name in names]), False)
        made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
        path = self.folder / f"server-{'-'.join(names)}-{days}.pem"
        self._write(path, made.sign(self._key, hashes.SHA256()), key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context

    def _made(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )

    def _write(self, path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        text = certificate.public_bytes(serialization.Encoding.PEM)
        if key is not None:
            plain = serialization.NoEncryption()
            text += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        path.write_bytes(text)


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

"""A push service of the tests: a real HTTPS endpoint on loopback that opens what it gets, and answers as it is told.

It holds the keys that a browser would: each registration can be given to a device, and what comes is decrypted and its signature
checked with other code than made it (http_ece's decryption aside, which has its own test vectors in RFC 8291).
"""

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import json
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import http_ece  # type: ignore[import-untyped]
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

NAMES = ("localhost", "fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com")
"""Whom its certificate speaks for, so that only the address can be what keeps a push from it."""


@dataclass(frozen=True)
class Registration:
    """What a browser has of one registration."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey
    auth: bytes

    @property
    def p256dh(self) -> bytes:
        """The public half, as it is registered."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def params(self) -> dict[str, str]:
        """As a page registers it."""
        return {"endpoint": self.endpoint, "p256dh": text(self.p256dh), "auth": text(self.auth), "platform": "web"}


@dataclass(frozen=True)
class Received:
    """One push as it arrived."""

    path: str
    target: str
    """The path and the query, as they came."""
    headers: dict[str, str]
    payload: dict[str, Any]
    claims: dict[str, Any]
    size: int
    signed_by: str
    status: int


@dataclass
class PushEndpoint:
    """The service, and what tests do to it."""

    received: list[Received] = field(default_factory=list)
    """Pushes that came whole, whatever was answered."""
    answers: dict[str, list[Any]] = field(default_factory=dict)
    """What to answer next at a path, in order; the last one stays. An int is a status; (int, headers); "hang"."""
    usual: Any = 201
    hung: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._registrations: dict[str, Registration] = {}

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"https://127.0.0.1:{self.port}"

    def register(self, host: str | None = None, name: str = "") -> Registration:
        """A registration, as a browser makes one. `host`: under another name. `name`: as the last part of its path."""
        path = f"/push/{name or secrets.token_urlsafe(12)}"
        origin = self.origin if host is None else f"https://{host}"
        made = Registration(origin + path, ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16))
        self._registrations[unquote(urlsplit(path).path)] = made
        return made

    def at(self, registration: Registration) -> list[Received]:
        """What came for one registration and was taken."""
        return [one for one in self.received if registration.endpoint.endswith(one.path) and one.status == 201]

    def answer(self, registration: Registration, *answers: Any) -> None:
        """What to answer next to pushes for one registration."""
        self.answers["/push/" + registration.endpoint.rpartition("/")[2]] = list(answers)

    async def _take(self, request: Request) -> Response:
        path, body = request.url.path, await request.body()
        told = self.answers.get(path) or [self.usual]
        answer = told.pop(0) if len(told) > 1 else told[0]
        if answer == "hang":
            self.hung += 1
            await asyncio.sleep(60)
        status, headers = answer if isinstance(answer, tuple) else (int(answer), {})
        registration = self._registrations[path]
        claims, signed_by = verified(request.headers["Authorization"])
        opened = http_ece.decrypt(
            body, private_key=registration.key, auth_secret=registration.auth, version="aes128gcm"
        )
        kept = dict(request.headers)
        target = b"?".join(filter(None, (request.scope["raw_path"], request.scope["query_string"]))).decode()
        self.received.append(Received(path, target, kept, json.loads(opened), claims, len(body), signed_by, status))
        return Response("x" * 300_000 if status >= 500 else b"", status, headers)

    def app(self) -> Starlette:
        """It as an application."""
        return Starlette(routes=[Route("/push/{id}", self._take, methods=["POST"])])


def verified(authorization: str) -> tuple[dict[str, Any], str]:
    """The claims of a VAPID header and the public key that it was signed by, which is checked (RFC 8292)."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    point = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    token = jwt.decode(
        parts["t"], ECKey.import_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)), ["ES256"]
    )
    return dict(token.claims), parts["k"]


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate for NAMES and 127.0.0.1 and its key, in files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "push service of the tests")])
    names: list[x509.GeneralName] = [x509.DNSName(one) for one in NAMES]
    names += [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "push-cert.pem", folder / "push-key.pem"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert, private


@contextlib.asynccontextmanager
async def serving(certificate: tuple[Path, Path]) -> AsyncIterator[PushEndpoint]:
    """A push service that answers, for as long as the block lasts."""
    endpoint = PushEndpoint()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    endpoint.port = listener.getsockname()[1]
    cert, key = certificate
    config = uvicorn.Config(
        endpoint.app(), lifespan="off", log_config=None, ssl_certfile=str(cert), ssl_keyfile=str(key)
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield endpoint
    finally:
        server.should_exit = server.force_exit = True
        await running


def text(raw: bytes) -> str:
    """base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""The key that pushes are signed with (VAPID, RFC 8292): a P-256 key in a file, PEM. Browsers register for its public half."""

import os
from base64 import urlsafe_b64encode
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from server.errors import Misconfigured

SETTING = "WARMLINE_VAPID_KEY_FILE"
CLAIM_SECONDS = 12 * 3600
"""How long a signature holds; the standard allows a day."""
_FIX = "Make one with: warmline keys vapid FILE"


def read(path: Path) -> EllipticCurvePrivateKey:
    """The key. Raises Misconfigured with the fix."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as wrong:
        raise Misconfigured(
            f"{SETTING}: {path.name} cannot be read as a private key in PEM ({type(wrong).__name__}). {_FIX}"
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise Misconfigured(f"{SETTING}: {path.name} is no key on the curve P-256. {_FIX}")
    return key


def make(path: Path) -> EllipticCurvePrivateKey:
    """Make a key in a new file that only its owner may read. Raises Misconfigured when the file is there or cannot be made."""
    key = generate_private_key(SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as wrong:
        raise Misconfigured(f"{path}: the key cannot be written there ({wrong.strerror}). Name a new file.") from None
    return key


class Signer:
    """Signs pushes with one key, for a provider each (RFC 8292)."""

    def __init__(self, key: EllipticCurvePrivateKey, subject: str) -> None:
        """`subject`: mailto:… or https://…, whom providers should turn to."""
        self._key = key
        self._subject = subject
        self._public = public(key)

    def header(self, origin: str, at: datetime) -> str:
        """The Authorization of one push. Its claims are made anew each time: they are for this provider, from this moment on."""
        claims = {"aud": origin, "exp": int(at.timestamp()) + CLAIM_SECONDS, "sub": self._subject}
        signed = f"{_HEADER}.{_text(msgspec.json.encode(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        return f"vapid t={signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))},k={self._public}"


def public(key: EllipticCurvePrivateKey) -> str:
    """Its public half, as pages hand it to the browser: an uncompressed point in base64url, 87 characters."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _text(point)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


_HEADER = _text(b'{"typ":"JWT","alg":"ES256"}')

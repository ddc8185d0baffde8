"""The key that heads are signed with: a file outside the database, in the form that `openssl genpkey` writes (PKCS 8, PEM)."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from server.errors import Misconfigured

SETTING = "WARMLINE_AUDIT_KEY_FILE"


def named() -> Path:
    """The file that the environment names. Raises Misconfigured when it names none."""
    if not os.environ.get(SETTING):
        raise Misconfigured(f"{SETTING}: not set. It takes the file of an Ed25519 key: warmline audit make-key FILE")
    return Path(os.environ[SETTING])


def read(path: Path) -> Ed25519PrivateKey:
    """The signing key. Raises Misconfigured with the fix."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as wrong:
        raise Misconfigured(
            f"{SETTING}: {path.name} cannot be read as a private key in PEM ({type(wrong).__name__}). "
            "Make one with: warmline audit make-key FILE"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"{SETTING}: {path.name} is no Ed25519 key. Make one with: warmline audit make-key FILE")
    return key


def make(path: Path) -> Ed25519PrivateKey:
    """Make a key in a new file that only its owner may read. Raises Misconfigured when the file is there or cannot be made."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
    except OSError as wrong:
        raise Misconfigured(f"{path}: the key cannot be written there ({wrong.strerror}). Name a new file.") from None
    return key

"""Heads: signed ends of a chain. Kept outside the database, they show that what they saw was cut off or written anew. Pure.

Ed25519; a key is named by the start of its public half's SHA-256, so that a name cannot be claimed by another key.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True, slots=True)
class Head:
    """Where an organisation's chain ended: the number and hash of its last seal, when that was, and who vouches for it."""

    organization_id: str
    sequence: int
    hash: str
    signed_at: str
    key_id: str
    signature: str

    def line(self) -> str:
        """As it is printed, logged and kept: one line of JSON."""
        return json.dumps({"kind": "head", **asdict(self)}, separators=(",", ":"))

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "Head":
        """From the fields of such a line. Raises ValueError when they are none of a head's."""
        texts = ("organization_id", "hash", "signed_at", "key_id", "signature")
        if not isinstance(fields.get("sequence"), int) or not all(isinstance(fields.get(name), str) for name in texts):
            raise ValueError("not a head")
        return cls(*(fields[name] for name in cls.__dataclass_fields__))


def key_id(public: Ed25519PublicKey) -> str:
    """The name of a key."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def public_text(public: Ed25519PublicKey) -> str:
    """A public key as it is printed and passed on: 32 bytes in base64."""
    return base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def public_key(text: str) -> Ed25519PublicKey:
    """A public key from that text. Raises ValueError when it is none."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
    except (ValueError, binascii.Error):
        raise ValueError("not an Ed25519 public key: it takes 32 bytes in base64") from None


def sign(key: Ed25519PrivateKey, organization_id: str, sequence: int, hash: str, signed_at: str) -> Head:
    """Vouch for the end of a chain."""
    name = key_id(key.public_key())
    signature = key.sign(_statement(organization_id, sequence, hash, signed_at, name))
    return Head(organization_id, sequence, hash, signed_at, name, base64.b64encode(signature).decode())


def is_genuine(head: Head, public: Ed25519PublicKey) -> bool:
    """Whether the holder of this key signed exactly this head."""
    said = _statement(head.organization_id, head.sequence, head.hash, head.signed_at, head.key_id)
    try:
        public.verify(base64.b64decode(head.signature, validate=True), said)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _statement(*parts: str | int) -> bytes:
    return json.dumps(["warmline audit head 1", *parts], separators=(",", ":")).encode()

"""An issuer of tokens with a key of its own: the settings that trust it, good tokens, and every kind of forged one."""

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from server.config import Settings
from server.people.actors import Identity

NAME, AUDIENCE = "issuer-of-the-tests", "warmline"


def new_key(kid: str = "of-the-tests") -> ECKey:
    """A key pair of the kind that issuers sign with."""
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": kid})


class Issuer:
    """Signs whatever claims a test wants; its public key stands in the settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = new_key()
        self._write("issuer.jwk", json.dumps(self.key.as_dict(private=True)))
        self._write("issuer.jwks", json.dumps({"keys": [self.key.as_dict(private=False)]}))
        self._write("master.key", base64.b64encode(bytes(range(32))).decode())

    def settings(self, database_url: str, redis_url: str = "redis://127.0.0.1:1/0", **more: Any) -> Settings:
        """Settings of a server that trusts this issuer; `more` is by field name."""
        settings: dict[str, Any] = {
            "database_url": database_url,
            "redis_url": redis_url,
            "profile": "dev",
            "master_key_files": (self.folder / "master.key",),
            "token_issuer": NAME,
            "token_audience": AUDIENCE,
            "token_keys_file": self.folder / "issuer.jwks",
            "dev_key_file": self.folder / "issuer.jwk",
        }
        return Settings(**settings | more)

    def settings_of_a_provider(self, issuer: str, database_url: str, **more: Any) -> Settings:
        """Settings of a server that trusts a sign-in provider instead."""
        changed = {"token_issuer": issuer, "token_keys_file": None, "dev_key_file": None}
        return self.settings(database_url, **changed | more)

    def claims(self, identity: Identity, **changes: Any) -> dict[str, Any]:
        """The claims of a good token, changed; a claim changed to None is left out."""
        good = {
            "iss": NAME,
            "aud": AUDIENCE,
            "sub": str(identity.person_id),
            "org": str(identity.organization_id),
            "iat": time.time(),
            "exp": int(time.time()) + 300,
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, identity: Identity, key: ECKey | None = None, **changes: Any) -> str:
        """A token for this person, with changed claims or under another key."""
        key = key or self.key
        return jwt.encode({"alg": "ES256", "kid": key.kid}, self.claims(identity, **changes), key)

    def unsigned(self, identity: Identity) -> str:
        """A token whose header says that it needs no signature."""
        header = _part({"alg": "none", "kid": self.key.kid, "typ": "JWT"})
        return f"{header}.{_part(self.claims(identity))}."

    def confused(self, identity: Identity) -> str:
        """A token signed with the public key's text as a shared secret (HS256), as everybody who knows the key could."""
        said = f"{_part({'alg': 'HS256', 'kid': self.key.kid, 'typ': 'JWT'})}.{_part(self.claims(identity))}"
        signature = hmac.digest(self.key.as_pem(private=False), said.encode(), "sha256")
        return f"{said}.{_text(signature)}"

    def carrying_its_key(self, identity: Identity) -> str:
        """A token under a stranger's key, which it brings along in its header."""
        stranger = new_key(str(self.key.kid))
        header = {"alg": "ES256", "kid": self.key.kid, "jwk": stranger.as_dict(private=False)}
        return jwt.encode(header, self.claims(identity), stranger)

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

"""Bearer tokens: who signed in, as an issuer vouches for it. The one interface that every way of signing in stands behind."""

import json
import time
from pathlib import Path
from typing import Protocol

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, KeySet

from server.config import LOOPBACK, Settings
from server.errors import Misconfigured, TokenExpired, Unauthorized
from server.ids import OrganizationId, PersonId
from server.people.actors import UNKNOWN, Identity

_ALGORITHMS = ["ES256", "RS256"]
_LEEWAY = 10
DEV_TOKEN_SECONDS = 900
"""How long a token of the development issuer lasts."""


class Verifier(Protocol):
    """What turns a token into an identity."""

    async def verify(self, token: str) -> tuple[Identity, int]:
        """Who the token names, and when it ends (Unix seconds).

        Raises:
            TokenExpired: it was good once.
            Unauthorized: anything else that is wrong with it; the text is always the same.
        """
        ...


class KeyedVerifier:
    """Checks tokens against a fixed set of public keys: the issuer's JWKS from a file."""

    def __init__(self, keys: KeySet, issuer: str, audience: str) -> None:
        self._keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )

    @classmethod
    def read(cls, settings: Settings) -> "KeyedVerifier":
        """Read the keys that the settings name. Raises Misconfigured with the fix."""
        try:
            keys = KeySet.import_key_set(json.loads(settings.token_keys_file.read_text()))
        except (OSError, ValueError, TypeError, KeyError, JoseError) as wrong:
            raise Misconfigured(
                f"WARMLINE_TOKEN_KEYS_FILE: cannot be read as a JWKS ({type(wrong).__name__}); give the issuer's public keys"
            ) from None
        return cls(keys, settings.token_issuer, settings.token_audience)

    async def verify(self, token: str) -> tuple[Identity, int]:
        """See Verifier."""
        try:
            claims = jwt.decode(token, self._keys, algorithms=_ALGORITHMS).claims
            self._claims.validate(claims)
            # A subscription token is not a connection token, whoever signed it (protocol.md §2).
            if "channel" in claims or not all(_is_name(claims.get(name)) for name in ("sub", "org")):
                raise Unauthorized(UNKNOWN)
            began = float(claims["auth_time"] if "auth_time" in claims else claims["iat"])
            return Identity(OrganizationId(claims["org"]), PersonId(claims["sub"]), began), int(claims["exp"])
        except ExpiredTokenError:
            raise TokenExpired("Your sign-in has expired. Sign in again.") from None
        except (JoseError, ValueError, TypeError, KeyError):
            raise Unauthorized(UNKNOWN) from None


def _is_name(claim: object) -> bool:
    """Whether it can be looked up: Postgres takes no NUL."""
    return isinstance(claim, str) and "\0" not in claim


class DevIssuer:
    """Signs tokens for anybody who asks: for development, on loopback, in profile dev, and nowhere else."""

    def __init__(self, settings: Settings) -> None:
        if settings.profile != "dev" or settings.host not in LOOPBACK or settings.dev_key_file is None:
            raise Misconfigured("The development issuer runs with WARMLINE_PROFILE=dev on loopback only")
        self._key = ECKey.import_key(json.loads(Path(settings.dev_key_file).read_text()))
        self._issuer, self._audience = settings.token_issuer, settings.token_audience

    def issue(self, identity: Identity, seconds: int = DEV_TOKEN_SECONDS) -> str:
        """A token for a person, good for so many seconds."""
        issued = time.time()  # to the fraction: who signs out and in again within a second is in again
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(identity.person_id),
            "org": str(identity.organization_id),
            "iat": issued,
            "exp": int(issued) + seconds,
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)

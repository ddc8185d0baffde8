"""Bearer tokens: who signed in, as an issuer vouches for it. The one interface that every way of signing in stands behind."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from server.config import Settings
from server.config_checks import LOOPBACK
from server.errors import Misconfigured, Unauthorized
from server.ids import OrganizationId, PersonId
from server.people.actors import UNKNOWN, Identity
from server.people.claims import Rules, is_name
from server.people.identities import Identities
from server.people.provider import Provider, public_keys

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
    """Checks tokens against a fixed set of public keys, from a file. They name the person and the organisation by our ids."""

    def __init__(self, keys: KeySet, rules: Rules) -> None:
        self._keys = keys
        self._rules = rules

    @classmethod
    def read(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "KeyedVerifier":
        """Read the keys that the settings name. Raises Misconfigured with the fix."""
        try:
            if settings.token_keys_file is None:
                raise ValueError("no file")
            keys = public_keys(json.loads(settings.token_keys_file.read_text()))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, JoseError) as wrong:
            raise Misconfigured(
                f"WARMLINE_TOKEN_KEYS_FILE: cannot be read as a JWKS ({type(wrong).__name__}); give the issuer's public keys"
            ) from None
        return cls(keys, Rules(settings, clock))

    async def verify(self, token: str) -> tuple[Identity, int]:
        """See Verifier."""
        claims = self._rules.open(token, self._keys)
        if not is_name(claims.get("org")):
            raise Unauthorized(UNKNOWN)
        began, ends = self._rules.times(claims)
        return Identity(OrganizationId(claims["org"]), PersonId(claims["sub"]), began), ends


class ProviderVerifier:
    """Checks tokens against the keys that a sign-in provider publishes, and finds out who its subjects are here."""

    def __init__(self, provider: Provider, rules: Rules, identities: Identities) -> None:
        self._provider = provider
        self._rules = rules
        self._identities = identities

    async def verify(self, token: str) -> tuple[Identity, int]:
        """See Verifier. Raises Unavailable as well: the provider's keys, or the database, are away."""
        claims = self._rules.open(token, await self._provider.keys_with(self._rules.key_id(token)))
        began, ends = self._rules.times(claims)
        return await self._identities.find(claims, began), ends


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

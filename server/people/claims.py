"""What every token must be, whichever keys it is checked with: signed in a pinned way, by our issuer, for us, and of now."""

import binascii
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet

from server.config import Settings
from server.errors import TokenExpired, Unauthorized
from server.people.actors import UNKNOWN

ALGORITHMS = ("ES256", "ES384", "PS256", "RS256")
"""Signatures by a private key, all of them: with a shared secret the public key would do for one (HS256), or none at all."""
LONGEST = 16 * 1024
"""A token of more bytes is not looked at."""
OVER = "This sign-in has lasted as long as it may here. Sign in again."


class Rules:
    """The rules, as the settings have them. `clock` is in Unix seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seconds = settings.sign_in_hours * 3600
        self._registry = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=settings.token_leeway,
            iss={"essential": True, "value": settings.token_issuer},
            aud={"essential": True, "value": settings.token_audience},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )

    def key_id(self, token: str) -> str | None:
        """The name of the key that a token claims to be signed with, before anything of it is believed.

        Raises:
            Unauthorized: no key of anybody's could make this a good token.
        """
        try:
            header = json.loads(urlsafe_b64decode(token[:LONGEST].split(".")[0] + "=="))
            kid = header.get("kid")
        except (ValueError, AttributeError, RecursionError, binascii.Error):
            raise Unauthorized(UNKNOWN) from None
        if len(token) > LONGEST or header.get("alg") not in ALGORITHMS or "crit" in header:
            raise Unauthorized(UNKNOWN)
        if kid is not None and not (isinstance(kid, str) and len(kid) <= 200):
            raise Unauthorized(UNKNOWN)
        return kid

    def open(self, token: str, keys: KeySet) -> dict[str, Any]:
        """The claims of a token, all checked. What its header says about keys (jku, x5u, jwk) is not looked at.

        Raises:
            TokenExpired: it was good once.
            Unauthorized: anything else that is wrong with it; the text is always the same.
        """
        self.key_id(token)
        try:
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            if "auth_time" in claims:
                self._registry.validate_iat(claims["auth_time"])  # a time like any other, and not in the future
            self._registry.validate(claims)
        except ExpiredTokenError:
            raise TokenExpired("Your sign-in has expired. Sign in again.") from None
        except (JoseError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise Unauthorized(UNKNOWN) from None
        # A subscription token is not a connection token, whoever signed it (protocol.md §2).
        if "channel" in claims or not is_name(claims["sub"]):
            raise Unauthorized(UNKNOWN)
        return claims

    def times(self, claims: dict[str, Any]) -> tuple[float, int]:
        """When the sign-in behind a token began, and when the token ends: both in Unix seconds.

        A sign-in begins when its person last proved who they are (`auth_time`), or, where the issuer does not say, when the
        token was issued; and it ends after the hours that the settings allow, however long its tokens would last.

        Raises:
            Unauthorized: those hours are over.
        """
        began = float(claims["auth_time"] if "auth_time" in claims else claims["iat"])
        ends = int(claims["exp"])
        if self._seconds:
            if began + self._seconds <= self._clock():
                raise Unauthorized(OVER)
            ends = min(ends, int(began + self._seconds))
        return began, ends


def is_name(claim: object) -> bool:
    """Whether it can be looked up: text, and Postgres takes no NUL and no half characters."""
    return isinstance(claim, str) and 0 < len(claim) <= 255 and "\0" not in claim and claim.isprintable()

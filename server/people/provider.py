"""The sign-in provider (OpenID Connect): where it has what, and its keys. All that this server ever fetches from it.

Only addresses that the settings name are fetched, or that the provider's own discovery document names on origins of the
settings; no redirect is followed, and nothing that a token says leads anywhere.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
from joserfc.jwk import ECKey, KeySet, RSAKey
from pydantic import BaseModel

from server.config import Settings
from server.config_checks import origin_of
from server.errors import Unauthorized, Unavailable
from server.people.actors import UNKNOWN
from server.people.kept import AWAY, Kept

_SECONDS = 5.0
_BYTES = 256 * 1024
_KEYS = 64
_REFUSED_SECONDS = 60.0
_REFUSED = 1_000


class Discovery(BaseModel):
    """What of the provider's discovery document is used here."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str | None = None
    response_modes_supported: list[str] = []


class Provider:
    """The provider that the settings name."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._http = httpx.AsyncClient(follow_redirects=False, timeout=_SECONDS, headers={"Accept": "application/json"})
        self.discovery = Kept("the sign-in provider's discovery document", self._discover, clock=clock)
        self.keys = Kept("the sign-in provider's keys", self._fetch_keys, clock=clock)
        self._refused: dict[str | None, float] = {}

    async def stop(self) -> None:
        """Let go."""
        await self.discovery.stop()
        await self.keys.stop()
        await self._http.aclose()

    async def look(self) -> int:
        """Fetch everything anew, for `warmline doctor`; how many keys there are. Raises what is wrong with it."""
        await self._discover()
        return len((await self._fetch_keys()).keys)

    async def keys_with(self, key_id: str | None) -> KeySet:
        """The keys, after a look whether there is a new one if none has this name.

        Raises:
            Unauthorized: there is no such key.
            Unavailable: the keys cannot be had.
        """
        keys = await self.keys.get()
        if _holds(keys, key_id):
            return keys
        if self._clock() < self._refused.get(key_id, 0):
            raise Unauthorized(UNKNOWN)
        if await self.keys.renew():
            keys = await self.keys.get()
            if _holds(keys, key_id):
                return keys
            if len(self._refused) >= _REFUSED:
                self._refused.clear()
            self._refused[key_id] = self._clock() + _REFUSED_SECONDS
        elif self.keys.failing:
            raise Unavailable(AWAY)  # perhaps there is a new key, perhaps not
        raise Unauthorized(UNKNOWN)

    async def _discover(self) -> Discovery:
        url = f"{self._settings.token_issuer.rstrip('/')}/.well-known/openid-configuration"
        found = Discovery.model_validate(await self._fetch(url))
        if found.issuer != self._settings.token_issuer:
            raise ValueError("the discovery document is another issuer's")
        named = (found.jwks_uri, found.authorization_endpoint, found.token_endpoint, found.end_session_endpoint)
        for address in named:
            if address is not None and origin_of(address) not in self._settings.provider_origins:
                raise ValueError("the discovery document names an address on an origin that the settings do not")
        return found

    async def _fetch_keys(self) -> KeySet:
        return public_keys(await self._fetch(self._settings.oidc_jwks_url or (await self.discovery.get()).jwks_uri))

    async def _fetch(self, url: str) -> Any:
        async with self._http.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise ValueError(f"status {answer.status_code}")
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _BYTES:
                    raise ValueError("too long an answer")
        return json.loads(body)


def public_keys(document: Any) -> KeySet:
    """The keys of a JWKS that sign: RSA of 2048 bits or more and elliptic curves, public parts only.

    Raises:
        ValueError: there is none.
    """
    found: list[RSAKey | ECKey] = []
    for one in document["keys"][:_KEYS]:
        if one.get("kty") not in ("RSA", "EC") or one.get("use", "sig") != "sig" or "d" in one:
            continue
        if one["kty"] == "EC":
            found.append(ECKey.import_key(one))
        elif (key := RSAKey.import_key(one)).public_key.key_size >= 2048:
            found.append(key)
    if not found:
        raise ValueError("no key that signs")
    return KeySet([*found])


def _holds(keys: KeySet, key_id: str | None) -> bool:
    return len(keys.keys) == 1 if key_id is None else any(key.kid == key_id for key in keys.keys)

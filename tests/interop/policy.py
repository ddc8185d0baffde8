"""The open gateway's Policy: `token` (a subscription token is enough for everything in its channel) or `open` (all may all)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from server.errors import Forbidden, Invalid, NoSuchOperation, TokenExpired, Unauthorized, WarmlineError
from server.gateway.ports import Admission, Grant, Hint
from server.gateway.protocol import ClientInfo
from server.ids import random_token
from tests.interop.log import OpenLog, kept


@dataclass(frozen=True)
class Somebody:
    """Who a token says they are; "" is anybody."""

    user: str
    info: bytes | None = None


class OpenPolicy:
    """See server.gateway.ports.Policy."""

    def __init__(self, log: OpenLog, secret: str, tokens: bool) -> None:
        self._log = log
        self._key = OctKey.import_key(secret)
        self._tokens = tokens

    async def connect(self, token: str | None) -> Admission:
        """See Policy."""
        if not token or not self._tokens:
            if self._tokens:
                raise Unauthorized("A token is needed.")
            return Admission(Somebody(""), random_token(), "", 0)
        claims = self._claims(token)
        if "channel" in claims:
            raise Unauthorized("This is the token of a subscription.")
        user, info = str(claims.get("sub", "")), claims.get("info")
        somebody = Somebody(user, None if info is None else msgspec.json.encode(info))
        return Admission(
            somebody,
            f"user:{user}" if user else random_token(),
            f"#{user}" if user else "",
            _ttl(claims),
            followed=True,
        )

    async def subscribe(
        self, identity: Somebody, client: str, asked: Sequence[tuple[str, str]]
    ) -> Sequence[Grant | WarmlineError]:
        """See Policy."""
        tops = await self._log.tops([name for name, _ in asked])
        answers: list[Grant | WarmlineError] = []
        for name, token in asked:
            try:
                claims = self._channel_claims(identity, name, token)
                answers.append(_grant(identity, client, name, tops.get(name, 0), claims))
            except WarmlineError as error:
                answers.append(error)
        return answers

    async def resubscribe(self, identity: Somebody, name: str, token: str) -> tuple[str, int]:
        """See Policy."""
        claims = self._claims(token)
        name = name or str(claims.get("channel", ""))
        return name, _ttl(self._channel_claims(identity, name, token))

    async def history(self, identity: Somebody, client: str, name: str, subscribed: bool) -> Grant:
        """See Policy."""
        self._require(subscribed)
        return _grant(identity, client, name, (await self._log.tops([name])).get(name, 0), {})

    presence = history

    async def publish(self, identity: Somebody, client: str, name: str, data: bytes, subscribed: bool) -> None:
        """See Policy."""
        self._require(subscribed)
        await self._log.write(name, data, ClientInfo(identity.user, client, identity.info))

    async def signed_out(self) -> Sequence[tuple[str, float]]:
        """See Policy."""
        return []

    async def watched(self, identity: Somebody) -> Sequence[str]:
        """See Policy."""
        return []

    async def hints(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Hint]:
        """See Policy."""
        return []

    async def rpc(self, identity: Somebody, method: str, data: bytes) -> bytes:
        """See Policy."""
        raise NoSuchOperation("There are no operations here.")

    def _require(self, subscribed: bool) -> None:
        if self._tokens and not subscribed:
            raise Forbidden("Subscribe first.")

    def _channel_claims(self, identity: Somebody, name: str, token: str) -> dict[str, Any]:
        if not self._tokens or name == f"#{identity.user}":
            return {}
        if not token:
            raise Forbidden("A subscription token is needed.")
        try:
            claims = self._claims(token)
        except TokenExpired:
            raise
        except Unauthorized:
            raise Forbidden("The subscription token is not good.") from None
        if claims.get("channel") != name or str(claims.get("sub", "")) != identity.user:
            raise Unauthorized("The token is for another channel, or for somebody else.")
        return claims

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(token, self._key, algorithms=["HS256"]).claims
        except (JoseError, ValueError):
            raise Unauthorized("The token is not good.") from None
        if claims.get("exp") and claims["exp"] <= time.time():
            raise TokenExpired("The token has expired.")
        return claims


def _ttl(claims: dict[str, Any]) -> int:
    ends = claims.get("expire_at", claims.get("exp", 0))
    return max(1, int(ends - time.time())) if ends else 0


def _grant(identity: Somebody, client: str, name: str, top: int, claims: dict[str, Any]) -> Grant:
    if "\0" in name:
        raise Invalid("A channel's name holds no zero character.")
    said = claims.get("info")
    info = ClientInfo(identity.user, client, identity.info, None if said is None else msgspec.json.encode(said))
    floor = max(1, top - kept(name) + 1)
    return Grant(name, "nobody's", "all", floor, top, info, joins=True, ttl=_ttl(claims))

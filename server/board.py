"""Who is there, in Redis: per channel a hash with a field for each gateway, and for each gateway a key that it keeps alive.

What a gateway that died had said is passed over as soon as its key has run out, and removed much later by whoever reads it.
Nothing of this is durable, nor needs to be: after Redis has forgotten it, every gateway finds its own key missing and says
all again.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import cast

import redis.asyncio as redis

from server.cluster import connect
from server.ids import now, random_token

LIVES_SECONDS = 4.0
"""How long a gateway counts as alive after it last said so."""

_FORGOTTEN_SECONDS = 3600
"""What is this old is no living gateway's: those say everything again more often."""
_AT_ONCE = 500
_TIMEOUT = 3.0


class RedisBoard:
    """See server.gateway.ports.Board. One gateway's; `url` as for the doorbell. Raises RedisError and OSError."""

    def __init__(self, url: str) -> None:
        self._redis = connect(
            url, protocol=2, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, decode_responses=False
        )
        self._own = random_token()

    async def close(self) -> None:
        """Be gone at once."""
        with contextlib.suppress(redis.RedisError, OSError):  # then in a few seconds
            await self._redis.delete(_gateway(self._own))
        await self._redis.aclose()

    async def alive(self) -> bool:
        """See Board."""
        life = int(LIVES_SECONDS * 1000)
        if await self._redis.set(_gateway(self._own), 1, px=life, xx=True):
            return True
        await self._redis.set(_gateway(self._own), 1, px=life)
        return False

    async def say(self, parts: Mapping[str, bytes | None]) -> None:
        """See Board."""
        items, at = list(parts.items()), int(now().timestamp()).to_bytes(8, "big")
        for start in range(0, len(items), _AT_ONCE):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, part in items[start : start + _AT_ONCE]:
                    if part is None:
                        pipeline.hdel(_channel(key), self._own)
                    else:
                        pipeline.hset(_channel(key), self._own, at + part)
                        pipeline.expire(_channel(key), _FORGOTTEN_SECONDS)
                await pipeline.execute()

    async def others(self, key: str) -> Sequence[bytes]:
        """See Board."""
        said = cast("dict[bytes, bytes]", await self._redis.hgetall(_channel(key)))
        said.pop(self._own.encode(), None)
        if not said:
            return []
        async with self._redis.pipeline(transaction=False) as pipeline:
            for gateway in said:
                pipeline.exists(_gateway(gateway.decode()))
            lives = await pipeline.execute()
        living = [gateway for gateway, alive in zip(said, lives, strict=True) if alive]
        # Only of those who are gone: the clocks of two gateways may be an hour apart.
        long_ago = int(now().timestamp()) - _FORGOTTEN_SECONDS
        gone = [one for one, part in said.items() if one not in living and int.from_bytes(part[:8], "big") < long_ago]
        if gone:
            await self._redis.hdel(_channel(key), *gone)
        return [said[gateway][8:] for gateway in living]


def _channel(key: str) -> str:
    return f"warmline:present:{key}"


def _gateway(name: str) -> str:
    return f"warmline:gateway:{name}"

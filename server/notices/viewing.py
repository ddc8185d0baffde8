"""Who is reading a channel right now, as their pages say it: in Redis, for half a minute at a time (domain.md §4).

A page says so every 15 seconds while a channel is open in front of its person. Whoever stops saying it, because the page was
closed, the line was cut or the gateway died, is taken to read for the rest of the half minute and no longer. While Redis is
away nobody is reading: a push too many beats one too few.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from server.chat.channels import mine
from server.cluster import connect
from server.db import Transaction
from server.ids import ChannelId, now
from server.people.actors import Actor

KEPT = timedelta(seconds=30)
Pair = tuple[str, str, str]
"""Whom it is about, and where: (organisation, channel, person)."""

_PAGES = 50
"""Pages of one person on one channel that are kept: more would be made up."""
_PATIENCE_SECONDS = 1.0
_REST_SECONDS = 1.0
"""After Redis did not answer, nobody waits for it for so long."""
_AWAY = (RedisError, OSError, TimeoutError)

log = logging.getLogger(__name__)


class View(BaseModel):
    """The channel is open in front of me, on this page: say so every 15 seconds, and at once where it is no more."""

    channel_id: ChannelId
    visible: bool
    page: str = Field(pattern="^[ -~]{1,64}$", description="Which page says so: chosen by it, once", examples=["page"])


class Viewed(BaseModel):
    """Noted."""


async def view(tx: Transaction, actor: Actor, params: View) -> Viewed:
    """I am reading this channel now, or no more: no push is needed for what is written here meanwhile. Raises NotFound."""
    await mine(tx, actor, params.channel_id)
    return Viewed()


async def note(viewing: "Viewing", actor: Actor, params: View) -> None:
    """Say it in Redis: once it is known that the actor is in the channel, and no connection to the database waits."""
    pair = (actor.organization_id, params.channel_id, actor.person_id)
    await viewing.say(pair, params.page, params.visible, now())


class Viewing:
    """This process's way to what the pages of all processes say. `url` as for the doorbell."""

    def __init__(self, url: str) -> None:
        self._redis = connect(
            url, protocol=2, socket_timeout=_PATIENCE_SECONDS, socket_connect_timeout=_PATIENCE_SECONDS
        )
        self._rests_until = 0.0

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()

    async def say(self, pair: Pair, page: str, visible: bool, at: datetime) -> None:
        """Note that a page shows the channel, or does so no more. Where Redis is away, nothing is noted."""
        if self._resting:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._note(pair, page, visible, at)
        except _AWAY:
            self._rest()

    async def lapses(self, pairs: Sequence[Pair], at: datetime) -> dict[Pair, datetime]:
        """Of these, whoever is reading at this moment, and until when that holds unless a page says so again."""
        if not pairs or self._resting:
            return {}
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                latest = await self._latest(pairs)
        except _AWAY:
            self._rest()
            return {}
        until = {pair: min(said, at + KEPT) for pair, said in latest.items()}  # clocks differ
        return {pair: lapse for pair, lapse in until.items() if lapse > at}

    async def try_out(self) -> None:
        """Note something of nobody's, look it up and take it away, for `warmline doctor`. Raises RedisError, OSError."""
        nobody, at = ("doctor", "doctor", "doctor"), now()
        await self._note(nobody, "page", True, at)
        await self._latest([nobody])
        await self._note(nobody, "page", False, at)

    async def _note(self, pair: Pair, page: str, visible: bool, at: datetime) -> None:
        name = _key(pair)
        field = hashlib.blake2b(page.encode(), digest_size=8).digest()  # no word of a client's in Redis
        async with self._redis.pipeline(transaction=False) as pipeline:
            if visible:
                pipeline.zadd(name, {field: (at + KEPT).timestamp()})
                pipeline.zremrangebyrank(name, 0, -_PAGES - 1)
                pipeline.pexpire(name, KEPT)
            else:
                pipeline.zrem(name, field)
            await pipeline.execute()

    async def _latest(self, pairs: Sequence[Pair]) -> dict[Pair, datetime]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for pair in pairs:
                pipeline.zrange(_key(pair), -1, -1, withscores=True)
            answers = await pipeline.execute()
        found = zip(pairs, answers, strict=True)
        return {pair: datetime.fromtimestamp(answer[0][1], UTC) for pair, answer in found if answer}

    @property
    def _resting(self) -> bool:
        return time.monotonic() < self._rests_until

    def _rest(self) -> None:
        log.warning("Redis is away: nobody counts as reading, so pushes go to people who are")
        self._rests_until = time.monotonic() + _REST_SECONDS


def _key(pair: Pair) -> str:
    return "warmline:viewing:" + ":".join(pair)

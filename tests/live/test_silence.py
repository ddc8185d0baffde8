"""Lines that go silent without ending, as a failing network leaves them: noticed in time, and made anew."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.proxy import Proxy, proxy
from tests.support.site import Gateway
from tests.support.wire import Refused

POSTGRES_WITHIN, REDIS_WITHIN = 25.0, 20.0
"""Seconds until a silent line is replaced: longer than a statement and a transaction may last, and two pings."""
REPAIRED_WITHIN = 5.0
"""Seconds: reliability.md G6."""


async def insist(what: Callable[[], Awaitable[Any]], within: float) -> None:
    """Try until it is done; every refusal meanwhile must be a temporary one."""
    async with asyncio.timeout(within):
        while True:
            try:
                await what()
                return
            except Refused as refused:
                if not refused.temporary:
                    raise
                await asyncio.sleep(0.2)


def through(line: Proxy, url: str) -> str:
    """The same address, at the other end of the line."""
    return url.replace(f":{urlsplit(url).port}/", f":{line.port}/")


@pytest.mark.catalogue("R05")
async def test_silent_lines_to_postgres_and_to_redis_are_given_up_and_made_anew(
    database_url: str, redis_url: str, pair: Pair, clinic: Clinic, start: Start, connect: Connect
) -> None:
    postgres, redis = urlsplit(database_url).port, urlsplit(redis_url).port
    assert postgres
    assert redis
    async with proxy(postgres) as to_postgres, proxy(redis) as to_redis:
        without_postgres = await start(DATABASE_URL=through(to_postgres, database_url))
        without_redis = await start(REDIS_URL=through(to_redis, redis_url))
        await asyncio.gather(
            silence_postgres(without_postgres, to_postgres, clinic, connect),
            silence_redis(without_redis, to_redis, pair.a, clinic, connect),
        )
        for gateway in (without_postgres, without_redis):
            gateway.kill()


async def silence_postgres(gateway: Gateway, line: Proxy, clinic: Clinic, connect: Connect) -> None:
    """Every database connection of the gateway goes silent at once: reads, sends and verbs all come back."""
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    writer, listener = await connect(gateway, patient), await connect(gateway, clinic.clinician)
    stream = await listener.subscribe(channel)
    await asyncio.gather(*(listener.rpc("me") for _ in range(30)))  # now each pool has all its connections
    line.freeze()
    await asyncio.gather(
        insist(lambda: writer.send(channel, "After", "after"), POSTGRES_WITHIN),
        *(insist(lambda: listener.rpc("channel.list"), POSTGRES_WITHIN) for _ in range(12)),
    )
    await listener.until(lambda _: stream.texts == ["After"])
    await connect(gateway, clinic.clinician)
    assert (writer.over, listener.over) == (None, None)


async def silence_redis(gateway: Gateway, line: Proxy, other: Gateway, clinic: Clinic, connect: Connect) -> None:
    """The gateway hears nothing of Redis and cannot know: the log is read meanwhile, and then the line is made anew."""
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    listener, away = await connect(gateway, clinic.clinician), await connect(gateway, clinic.clinician)
    writer, reader = await connect(other, patient), await connect(other, clinic.clinician)
    stream = await listener.subscribe(channel)
    line.freeze()
    frozen = time.monotonic()
    sent = await writer.send(channel, "Across the silence", "silence")
    await listener.until(lambda _: stream.texts == ["Across the silence"], REPAIRED_WITHIN)
    await away.until(lambda wire: wire.hints and wire.hints[-1]["unread"] == 1, REPAIRED_WITHIN)
    # A read mark is no event of the log: only the doorbell tells other connections of it, and a doorbell made anew.
    await reader.rpc("channel.read", channel_id=channel, offset=sent["offset"])
    await away.until(lambda wire: wire.hints[-1]["unread"] == 0, REDIS_WITHIN)
    await reader.rpc("channel.read", channel_id=channel, offset=sent["offset"])
    assert time.monotonic() - frozen < REDIS_WITHIN

"""Who is there, kept in a real Redis by two gateways: said again when it is forgotten, and gone with whoever said it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis.asyncio as redis
from redis.asyncio.connection import Connection

from server.board import RedisBoard
from server.errors import Unavailable
from server.gateway.channels import Channels, Topics
from server.gateway.presence import Presence
from tests.gateway.asking import ward
from tests.gateway.wire import QUICK, Site, Wire, serving
from tests.gateway.world import World

BRISK = replace(QUICK, presence_delay=0.01, presence_interval=0.05)


@asynccontextmanager
async def kept(world: World, url: str) -> AsyncIterator[Site]:
    board = RedisBoard(url)
    try:
        async with serving(world, BRISK, board) as site:
            yield site
    finally:
        await board.close()


async def becomes(wire: Wire, count: int) -> None:
    async with asyncio.timeout(5):
        while (await wire.ask(presence_stats={"channel": "ward"})).get("presence_stats", {}).get(
            "num_clients"
        ) != count:
            await asyncio.sleep(0.01)


async def test_two_gateways_tell_each_other_and_say_it_again_when_it_is_forgotten(redis_url: str):
    async with kept(ward(), redis_url) as one, one.client("demo-clinician") as here:
        await here.subscribe("ward")
        async with kept(ward(), redis_url) as two, two.client("demo-clinician") as far:
            await becomes(far, 1)
            await far.subscribe("ward")
            await becomes(here, 2)
            async with redis.Redis.from_url(redis_url) as line:
                await line.delete(*[key async for key in line.scan_iter("warmline:present:*")])
                await becomes(far, 1)
                await line.delete(*[key async for key in line.scan_iter("warmline:gateway:*")])
            await becomes(here, 2)
            await becomes(far, 2)
        await becomes(here, 1)


async def test_a_gateway_ends_also_in_the_moment_in_which_something_was_sent_to_redis(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    """The Redis library waits with asyncio.wait_for: Python 3.11's forgets that it was cancelled in that moment."""
    send, stopping = Connection._send_packed_command, list[asyncio.Task[None]]()

    async def send_and_be_stopped(line: Connection, command: Any) -> None:
        await send(line, command)
        if not stopping:
            stopping.append(asyncio.create_task(site.gateway._presence.stop()))

    async with kept(ward(), redis_url) as site:
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "_send_packed_command", send_and_be_stopped)
            async with asyncio.timeout(5):
                while not stopping:
                    await asyncio.sleep(0.01)
                await stopping[0]


async def test_what_was_said_long_ago_is_removed_and_what_is_not_kept_alive_is_passed_over(redis_url: str):
    mine, other = RedisBoard(redis_url), RedisBoard(redis_url)
    try:
        assert not await other.alive()
        assert await other.alive()
        await other.say({"somewhere": b"part", "elsewhere": None})
        assert await mine.others("somewhere") == [b"part"]
        assert await mine.others("nowhere") == []
        await other.close()
        assert await mine.others("somewhere") == []
        async with redis.Redis.from_url(redis_url) as line:
            await line.hset("warmline:present:somewhere", "long-gone", bytes(8))  # type: ignore[misc]
            assert await mine.others("somewhere") == []
            assert b"long-gone" not in await line.hgetall("warmline:present:somewhere")  # type: ignore[misc]
            await line.delete("warmline:present:somewhere")
    finally:
        await mine.close()


@pytest.mark.catalogue("R30")
async def test_what_a_living_gateway_says_stays_however_wrong_its_clock_is(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    mine, other = RedisBoard(redis_url), RedisBoard(redis_url)
    try:
        await other.alive()
        with monkeypatch.context() as behind:
            behind.setattr("server.board.now", lambda: datetime.now(UTC) - timedelta(hours=2))
            await other.say({"somewhere": b"part"})
        for _ in range(2):
            assert await mine.others("somewhere") == [b"part"]
        await other.say({"somewhere": None})
    finally:
        await mine.close()
        await other.close()


async def test_while_nobody_knows_that_is_the_answer_and_it_is_logged_once(caplog: pytest.LogCaptureFixture):
    board = RedisBoard("redis://127.0.0.1:1/0")
    topics = Topics(str, lambda topic: None, lambda topic: None)
    presence = Presence(board, Channels(topics), lambda topic, payload: None, str, BRISK)
    await presence.start()
    await asyncio.sleep(1.3)
    with pytest.raises(Unavailable):
        await presence.there("ward")
    await presence.stop()
    await board.close()
    assert [record.message for record in caplog.records].count("who is there cannot be told: ConnectionError") == 1

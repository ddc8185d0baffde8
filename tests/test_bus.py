"""The doorbell: heard by whoever listens, once; it never makes anybody wait, and after a loss it says so and rings again."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import redis.asyncio as redis

from server import line
from server.bus import Bus
from server.dev.embedded import Redis
from server.ids import random_token

_numbers = itertools.count()


class Ear:
    """A process's bus, and what it hears."""

    def __init__(self, url: str) -> None:
        self.bus = Bus(url)
        self.heard: list[tuple[str, bytes]] = []
        self.restored = 0
        self.bus.receiver = lambda topic, payload: self.heard.append((topic, payload))
        self.bus.restored = self._whole

    def _whole(self) -> None:
        self.restored += 1


async def until(true: Callable[[], bool], within: float = 15) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(url: str, count: int, *topics: str) -> AsyncIterator[list[Ear]]:
    """So many processes that listen to these topics."""
    ears = [Ear(url) for _ in range(count)]
    for ear in ears:
        for topic in topics:
            ear.bus.listen(topic)
        await ear.bus.start()
    await until(lambda: all(ear.restored for ear in ears))
    yield ears
    for ear in ears:
        await ear.bus.stop()


@pytest.fixture
def topic() -> str:
    """A topic of this test's own: the Redis is everybody's."""
    return f"test:{random_token()}"


async def test_everybody_who_listens_hears_it_once_and_in_order(redis_url: str, topic: str) -> None:
    async with listening(redis_url, 3, topic) as ears:
        for number in range(1000):
            ears[0].bus.publish(topic, b"%d" % number)
        sent = [(topic, b"%d" % number) for number in range(1000)]
        assert ears[0].heard == sent  # its own process at once
        await until(lambda: all(len(ear.heard) >= 1000 for ear in ears))
        ears[1].bus.publish(topic, b"end")
        await until(lambda: all(ear.heard[-1] == (topic, b"end") for ear in ears))
        assert all(ear.heard == [*sent, (topic, b"end")] for ear in ears)  # and no echo


async def test_one_hears_only_what_one_listens_to(redis_url: str, topic: str) -> None:
    async with listening(redis_url, 2, topic, f"{topic}:end") as [one, two]:
        two.bus.listen(f"{topic}:later")
        two.bus.unlisten(topic)
        await asyncio.sleep(0.2)
        for name in (topic, f"{topic}:later", f"{topic}:never", f"{topic}:end"):
            one.bus.publish(name, b"x")
        await until(lambda: (f"{topic}:end", b"x") in two.heard)
        assert [name for name, _ in two.heard] == [f"{topic}:later", f"{topic}:end"]
        assert [name for name, _ in one.heard] == [topic, f"{topic}:end"]


async def test_thousands_of_topics_come_and_go(redis_url: str, topic: str) -> None:
    names = [f"{topic}:{number}" for number in range(2500)]
    async with listening(redis_url, 2, *names) as [one, two]:
        for name in names[::2]:
            two.bus.unlisten(name)
        for name in names[:10:2]:
            two.bus.listen(name)  # wanted again before it was let go
        await asyncio.sleep(0.3)
        for name in names:
            one.bus.publish(name, b"")
        wanted = {*names[1::2], *names[:10:2]}
        await until(lambda: len(two.heard) >= len(wanted))
        assert {name for name, _ in two.heard} == wanted


async def rings(ears: list[Ear], topic: str) -> None:
    """Both hear each other, again."""
    for ear, other in (ears, ears[::-1]):
        payload = b"ring %d" % next(_numbers)
        async with asyncio.timeout(15):
            while (topic, payload) not in other.heard:
                ear.bus.publish(topic, payload)
                await asyncio.sleep(0.05)


async def test_after_a_restart_of_redis_it_rings_again_and_says_so(own_redis: Redis, topic: str) -> None:
    async with listening(own_redis.url(), 2, topic) as ears:
        await rings(ears, topic)
        for turn in range(1, 3):
            await (own_redis.restart() if turn == 1 else own_redis.kill())
            await own_redis.start()
            await until(lambda turn=turn: all(ear.restored > turn for ear in ears))  # type: ignore[misc]
            await rings(ears, topic)


async def test_a_dropped_connection_is_noticed_and_said(own_redis: Redis, topic: str) -> None:
    async with listening(own_redis.url(), 2, topic) as ears:
        admin = redis.Redis.from_url(own_redis.url())
        await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: all(ear.restored == 2 for ear in ears))
        await rings(ears, topic)
        await admin.aclose()


async def test_what_was_queued_while_redis_was_away_does_not_lie_about(own_redis: Redis, topic: str) -> None:
    """It leaves, or is lost: it must not come out with the next message, long after it was news."""
    async with listening(own_redis.url(), 2, topic) as ears:
        await own_redis.stop()
        await until(lambda: not ears[0].bus.connected)
        for number in range(1000):
            ears[0].bus.publish(topic, b"%d" % number)
        await own_redis.start()
        await until(lambda: not ears[0].bus.queued)
        await rings(ears, topic)


async def test_without_redis_a_process_starts_and_joins_in_when_it_comes(own_redis: Redis, topic: str) -> None:
    await own_redis.stop()
    ears = [Ear(own_redis.url()) for _ in range(2)]
    for ear in ears:
        ear.bus.listen(topic)
        await asyncio.wait_for(ear.bus.start(), 1)
        ear.bus.publish(topic, b"to oneself")
        assert ear.heard == [(topic, b"to oneself")]
    await own_redis.start()
    await until(lambda: all(ear.restored for ear in ears))
    await rings(ears, topic)
    for ear in ears:
        await ear.bus.stop()


async def test_a_paused_redis_makes_nobody_wait_and_fills_no_memory(own_redis: Redis, topic: str) -> None:
    assert own_redis.child.pid is not None
    async with listening(own_redis.url(), 2, topic) as [one, two]:
        os.kill(own_redis.child.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            for number in range(3 * line.QUEUE):
                one.bus.publish(topic, b"%d" % number)
                if number % 1000 == 0:
                    await asyncio.sleep(0)
            assert time.monotonic() - began < 5  # every one of them would have waited for as long as Redis sleeps
            assert one.bus.queued <= line.QUEUE
            assert one.bus.dropped >= line.QUEUE
            assert len(one.heard) == 3 * line.QUEUE
        finally:
            os.kill(own_redis.child.pid, signal.SIGCONT)
        await until(lambda: two.heard[-1:] == [(topic, b"%d" % (3 * line.QUEUE - 1))])  # the newest are kept
        await rings([one, two], topic)


async def test_a_listener_that_fails_does_not_silence_the_doorbell(redis_url: str, topic: str) -> None:
    async with listening(redis_url, 2, topic) as [one, two]:
        hear = two.bus.receiver

        def stumble(topic: str, payload: bytes) -> None:
            two.bus.receiver = hear
            raise ZeroDivisionError

        two.bus.receiver = stumble
        one.bus.publish(topic, b"x")
        await until(lambda: two.restored == 2)
        await rings([one, two], topic)


async def test_stopping_lets_what_is_queued_leave(redis_url: str, topic: str) -> None:
    async with listening(redis_url, 1, topic) as [two]:
        one = Ear(redis_url)
        await one.bus.start()
        await until(lambda: bool(one.restored))
        for number in range(1000):
            one.bus.publish(topic, b"%d" % number)
        await asyncio.wait_for(one.bus.stop(), 3)
        await until(lambda: len(two.heard) == 1000)

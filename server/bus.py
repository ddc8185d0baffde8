"""Redis pub/sub: the doorbell. It may lose, double or reorder anything; nothing durable depends on it.

One subscriber connection and one publisher per process. Publishing never waits: this process's own listeners are called at
once, and the rest goes through a bounded queue that drops its oldest. Topics carry ids and ciphertext, never text.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable

import redis.asyncio as redis
from redis.exceptions import RedisError

from server.ids import random_bytes

log = logging.getLogger(__name__)

_QUEUE = 10_000
_BATCH = 256
_QUIET_SECONDS = 5
"""After so long without a message Redis is asked whether it is there; it has as long to answer."""
_LOST = (RedisError, OSError, TimeoutError)


def _ignore(*_: object) -> None: ...


class Bus:
    """This process's line to all the others."""

    def __init__(self, url: str) -> None:
        self.receiver: Callable[[str, bytes], None] = _ignore
        """Called with (topic, payload) for every message on a topic listened to, in the event loop."""
        self.restored: Callable[[], None] = _ignore
        """Called whenever all topics are subscribed again after a (re)connect: things may have been missed before."""
        self.published = self.dropped = self.received = 0
        self.connected = False
        # RESP2 reads at half the cost of RESP3; a subscriber waits as long as it is quiet, so no socket timeout.
        self._redis = redis.Redis.from_url(
            url, protocol=2, socket_timeout=None, socket_connect_timeout=3, health_check_interval=10
        )
        self._origin = random_bytes(8)
        self._queue: deque[tuple[str, bytes]] = deque(maxlen=_QUEUE)
        self._wanted: set[str] = set()
        self._changed = asyncio.Event()
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin; returns at once, whether Redis is there or not."""
        self._tasks = [
            asyncio.create_task(self._keep(self._subscriber)),
            asyncio.create_task(self._keep(self._publisher)),
        ]

    async def stop(self) -> None:
        """End; what is queued is given a second to leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._queue and self.connected:
                    await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    def listen(self, topic: str) -> None:
        """Want the messages of a topic; takes effect in the background."""
        self._wanted.add(topic)
        self._changed.set()

    def unlisten(self, topic: str) -> None:
        """Want them no more."""
        self._wanted.discard(topic)
        self._changed.set()

    @property
    def queued(self) -> int:
        """How many messages wait to leave for Redis."""
        return len(self._queue)

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell everybody who listens: this process now, the others as soon as may be, or never."""
        self.published += 1
        if topic in self._wanted:
            self.receiver(topic, payload)
        if len(self._queue) == _QUEUE:
            self.dropped += 1
        self._queue.append((topic, self._origin + payload))
        self._filled.set()

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run for ever; when Redis is lost, begin anew with a short pause."""
        pause = 0.05
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await work()
            except _LOST as lost:
                log.warning("redis is away: %s", type(lost).__name__)
            except Exception:
                log.exception("the doorbell failed; it begins anew")
            pause = 0.05 if asyncio.get_running_loop().time() - started > 5 else min(pause * 2, 2)
            await asyncio.sleep(pause)

    async def _publisher(self) -> None:
        while True:
            self._filled.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
                async with asyncio.timeout(5), self._redis.pipeline(transaction=False) as pipeline:
                    for topic, payload in batch:
                        pipeline.publish(topic, payload)
                    await pipeline.execute()
            await self._filled.wait()

    async def _subscriber(self) -> None:
        async with self._redis.pubsub() as pubsub:
            # A topic of its own keeps the connection subscribed to something, which reading from it requires.
            own = f"warmline:{self._origin.hex()}"
            await pubsub.subscribe(own)
            subscribed: set[str] = set()
            writer = asyncio.create_task(self._reconcile(pubsub, subscribed))
            try:
                pinged = False
                while not writer.done():
                    message = await pubsub.get_message(timeout=_QUIET_SECONDS)
                    if message is None and pinged:
                        raise TimeoutError  # no answer to the ping either: the line has gone silent, and nothing ended it
                    pinged = message is None
                    if message is None:
                        await pubsub.ping()
                    elif message["type"] == "message":
                        self._received(message["channel"].decode(), message["data"])
                await writer
            finally:
                self.connected = False
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _reconcile(self, pubsub: redis.client.PubSub, subscribed: set[str]) -> None:
        """Make what Redis sends what is wanted; the first time round, say that we are whole again."""
        first = True
        while True:
            self._changed.clear()
            missing, surplus = list(self._wanted - subscribed), list(subscribed - self._wanted)
            for start in range(0, len(missing), 1000):
                await pubsub.subscribe(*missing[start : start + 1000])
            for start in range(0, len(surplus), 1000):
                await pubsub.unsubscribe(*surplus[start : start + 1000])
            subscribed.update(missing)
            subscribed.difference_update(surplus)
            if first:
                first, self.connected = False, True
                self.restored()
            await self._changed.wait()

    def _received(self, topic: str, data: bytes) -> None:
        if topic in self._wanted and data[:8] != self._origin:
            self.received += 1
            self.receiver(topic, data[8:])

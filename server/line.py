"""One line to one Redis server: what it is to send us, and a bounded queue of what we tell it. It reconnects by itself.

A Redis on its own has one line; a cluster has one for each of its nodes, with sharded pub/sub (server/bus.py).

The library connects, signs in and subscribes. What comes is taken straight off its parser, and what is sent is packed here:
through its own calls, message by message, a busy gateway would spend a quarter of its time on that.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import hiredis
import redis.asyncio as redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.exceptions import MovedError, RedisError

from server.cluster import slot
from server.ending import end

log = logging.getLogger(__name__)

QUEUE = 10_000
_BATCH = 256
_pack: Callable[[tuple[bytes, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]  # its stub knows one part only
_QUIET_SECONDS = 5
"""After so long without a message Redis is asked whether it is there; it has as long to answer."""
LOST = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Ears:
    """Whom a line tells: of a message (topic, data: as they came); that it is whole after a (re)connect, and things may have
    been missed before; that a topic, or something it sent, is another node's."""

    received: Callable[[bytes, bytes], None]
    restored: Callable[[], None]
    moved: Callable[[], None]


class Line:
    """A subscriber connection and a publisher connection, each begun anew whenever it is lost."""

    def __init__(self, client: redis.Redis, own: str, ears: Ears, *, sharded: bool = False) -> None:
        """`own`: a topic that nobody publishes on; `sharded`: this is a node of a cluster, and topics have their nodes."""
        self.connected = False
        self.dropped = 0
        self.queue: deque[tuple[str, bytes]] = deque(maxlen=QUEUE)
        self._redis, self._own, self._ears, self._sharded = client, own, ears, sharded
        self._wanted: set[str] = set()
        self._subscribed: set[str] = set()
        self._touched: set[str] = set()
        """Topics to look at: comparing all there are takes a millisecond for each who connects, once there are ten thousand."""
        self._missed = False
        self._changed = asyncio.Event()
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, whether Redis is there or not."""
        self._tasks = [
            asyncio.create_task(self._keep(self._subscriber)),
            asyncio.create_task(self._keep(self._publisher)),
        ]

    async def stop(self) -> None:
        """End; what is queued is given a second to leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self.queue and self.connected:
                    await asyncio.sleep(0.01)
        await end(*self._tasks)
        await self._redis.aclose()

    def want(self, topic: str, missed: bool = False) -> None:
        """Have the messages of a topic; takes effect in the background. `missed`: say then that some may have been missed."""
        self._missed |= missed
        self._wanted.add(topic)
        self._look_at(topic)

    def forgo(self, topic: str) -> None:
        """Have them no more."""
        self._wanted.discard(topic)
        self._look_at(topic)

    def send(self, topic: str, data: bytes) -> None:
        """Tell whoever listens there, as soon as may be, or never: the oldest goes when too much waits."""
        if len(self.queue) == QUEUE:
            self.dropped += 1
        self.queue.append((topic, data))
        self._filled.set()

    def _look_at(self, topic: str) -> None:
        self._touched.add(topic)
        self._changed.set()

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run for ever; when Redis is lost, begin anew with a short pause."""
        pause = 0.05
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await work()
            except LOST as lost:
                log.warning("redis is away: %s", type(lost).__name__)
                self._ears.moved()
            except Exception:
                log.exception("the doorbell failed; it begins anew")
            pause = 0.05 if asyncio.get_running_loop().time() - started > 5 else min(pause * 2, 2)
            await asyncio.sleep(pause)

    async def _publisher(self) -> None:
        verb = b"SPUBLISH" if self._sharded else b"PUBLISH"
        connection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()
            while True:
                self._filled.clear()
                while self.queue:
                    batch = [self.queue.popleft() for _ in range(min(_BATCH, len(self.queue)))]
                    async with asyncio.timeout(5):
                        packed = [_pack((verb, topic.encode(), data)) for topic, data in batch]
                        await connection.send_packed_command(b"".join(packed), check_health=False)
                        refused = await _refused(_parser(connection), len(batch))
                    self._answered(refused)
                await self._filled.wait()
        finally:
            await connection.disconnect(nowait=True)

    def _answered(self, refused: list[Exception]) -> None:
        if refused and not self._sharded:
            raise refused[0]
        if refused:  # their topics are another node's by now; what was lost is found by the check of the tops
            self._ears.moved()

    async def _subscriber(self) -> None:
        async with self._redis.pubsub() as pubsub:
            # A topic of its own keeps the connection subscribed to something, which reading from it requires.
            await pubsub.subscribe(self._own)
            self._subscribed.clear()
            self._touched = set(self._wanted)
            writer = asyncio.create_task(self._reconcile(pubsub))
            try:
                await self._read(pubsub, writer)
                await writer
            finally:
                self.connected = False
                await end(writer)

    async def _read(self, pubsub: redis.client.PubSub, writer: asyncio.Task[None]) -> None:
        """Until the writer ends. A silent line is asked whether it is there, and has as long again to answer."""
        asked = False
        while not writer.done():
            try:
                async with asyncio.timeout(_QUIET_SECONDS) as quiet:
                    while not writer.done():
                        await self._take(pubsub)
                        await _parser(pubsub.connection).read_from_socket()
                        asked = False
                        quiet.reschedule(asyncio.get_running_loop().time() + _QUIET_SECONDS)
            except TimeoutError:
                if asked:
                    raise  # no answer either: the line has gone silent, and nothing ended it
                asked = True
                await pubsub.ping()

    async def _take(self, pubsub: redis.client.PubSub) -> None:
        """Take what has come."""
        gets = _parser(pubsub.connection)._reader.gets
        while (raw := gets()) is not NOT_ENOUGH_DATA:
            if isinstance(raw, MovedError):
                self._given_away(raw.slot_id)
            elif isinstance(raw, Exception):
                raise raw
            elif raw[0] in (b"message", b"smessage"):
                self._ears.received(raw[1], raw[2])
            else:
                message = await pubsub.handle_message(raw)  # type: ignore[no-untyped-call]
                if message["type"] == "sunsubscribe":
                    self._ended(pubsub, message["channel"])

    def _given_away(self, number: int) -> None:
        """A subscription was answered with where its slot is now."""
        gone = {topic for topic in self._subscribed if slot(topic) == number}
        self._subscribed -= gone
        self._touched |= gone
        self._missed = True
        self._ears.moved()

    def _ended(self, pubsub: redis.client.PubSub, channel: bytes) -> None:
        """Either we asked for it, or the node gave the topic's slot away; then somebody has to ask who has it now."""
        pubsub.shard_channels.pop(channel, None)
        self._subscribed.discard(channel.decode())
        if channel.decode() in self._wanted:
            self._missed = True
            self._look_at(channel.decode())
            self._ears.moved()

    async def _reconcile(self, pubsub: redis.client.PubSub) -> None:
        """Make what Redis sends what is wanted; the first time round, say that we are whole again."""
        first = True
        # One command takes topics of one slot only where there are slots.
        subscribe, unsubscribe, most = (
            (pubsub.ssubscribe, pubsub.sunsubscribe, 1)
            if self._sharded
            else (pubsub.subscribe, pubsub.unsubscribe, 1000)
        )
        while True:
            self._changed.clear()
            touched, self._touched = self._touched, set()
            missing = list((touched & self._wanted) - self._subscribed)
            surplus = list((touched & self._subscribed) - self._wanted)
            self._subscribed.update(missing)
            self._subscribed.difference_update(surplus)
            for start in range(0, len(missing), most):
                await subscribe(*missing[start : start + most])
            for start in range(0, len(surplus), most):
                await unsubscribe(*surplus[start : start + most])
            if first or self._missed:
                first, self._missed, self.connected = False, False, True
                self._ears.restored()
            await self._changed.wait()


async def _refused(parser: Any, count: int) -> list[Exception]:
    """Wait for so many answers; those that are refusals."""
    refused: list[Exception] = []
    while count:
        answer = parser._reader.gets()
        if answer is NOT_ENOUGH_DATA:
            await parser.read_from_socket()
            continue
        count -= 1
        if isinstance(answer, Exception):
            refused.append(answer)
    return refused


def _parser(connection: Any) -> Any:
    """The library's parser of a connection: it has no other way to its answers than one slow call for each of them."""
    return connection._parser

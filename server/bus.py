"""Redis pub/sub: the doorbell. It may lose, double or reorder anything; nothing durable depends on it.

Publishing never waits: this process's own listeners are called at once, and the rest goes through bounded queues that drop their
oldest. Topics carry ids and ciphertext, never text. A Redis has one line (server/line.py); a cluster has one for each node, and
each topic goes over the line of the node that has it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis

from server import cluster
from server.cluster import Node
from server.ending import end
from server.ids import random_bytes
from server.line import LOST, Ears, Line

log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 5.0
"""How often a cluster is asked which node has what, without a reason."""
_PAUSE_SECONDS = 0.1
# RESP2 reads at half the cost of RESP3; a subscriber waits as long as it is quiet, so no socket timeout.
_OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "socket_timeout": None,
    "socket_connect_timeout": 3,
    "health_check_interval": 10,
}


def _ignore(*_: object) -> None: ...


class Bus:
    """This process's lines to all the others."""

    def __init__(self, url: str) -> None:
        self.receiver: Callable[[str, bytes], None] = _ignore
        """Called with (topic, payload) for every message on a topic listened to, in the event loop."""
        self.restored: Callable[[], None] = _ignore
        """Called whenever all topics are subscribed again after a (re)connect: things may have been missed before."""
        self.published = self.received = 0
        self._url = url
        self._origin = random_bytes(8)
        self._wanted: set[str] = set()
        self._gone = 0  # what lines that are no more have dropped
        self._ears = Ears(self._received, lambda: self.restored(), self._is_moved)
        self._lines: dict[Node | None, Line] = {}
        self._owners: dict[int, Node] = {}
        self._moved = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        if not cluster.is_cluster(url):
            self._make(None, redis.Redis.from_url(url, **_OPTIONS))

    @property
    def connected(self) -> bool:
        """Whether all that is listened to is heard."""
        return bool(self._lines) and all(line.connected for line in self._lines.values())

    @property
    def queued(self) -> int:
        """How many messages wait to leave for Redis."""
        return sum(len(line.queue) for line in self._lines.values())

    @property
    def dropped(self) -> int:
        """How many were dropped, because too many waited."""
        return self._gone + sum(line.dropped for line in self._lines.values())

    async def start(self) -> None:
        """Begin; returns at once, whether Redis is there or not."""
        if cluster.is_cluster(self._url):
            self._watching = asyncio.create_task(self._watch())
        for line in self._lines.values():
            line.start()

    async def stop(self) -> None:
        """End; what is queued is given a second to leave."""
        await end(self._watching)
        await asyncio.gather(*(line.stop() for line in self._lines.values()))

    def listen(self, topic: str) -> None:
        """Want the messages of a topic; takes effect in the background."""
        self._wanted.add(topic)
        if line := self._line(topic):
            line.want(topic)

    def unlisten(self, topic: str) -> None:
        """Want them no more."""
        self._wanted.discard(topic)
        if line := self._line(topic):
            line.forgo(topic)

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell everybody who listens: this process now, the others as soon as may be, or never."""
        if topic in self._wanted:
            self.receiver(topic, payload)
        self.tell(topic, payload)

    def tell(self, topic: str, payload: bytes) -> None:
        """Tell the other processes alone."""
        self.published += 1
        if line := self._line(topic):
            line.send(topic, self._origin + payload)

    def _line(self, topic: str) -> Line | None:
        """The line a topic goes over; None where no node is known that has it."""
        if not self._owners:
            return self._lines.get(None)
        return self._lines.get(self._owners.get(cluster.slot(topic)))

    def _make(self, at: Node | None, client: redis.Redis) -> Line:
        line = self._lines[at] = Line(client, f"warmline:{self._origin.hex()}", self._ears, sharded=at is not None)
        return line

    def _is_moved(self) -> None:
        self._moved.set()

    def _received(self, channel: bytes, data: bytes) -> None:
        if data.startswith(self._origin):  # our own come back as well
            return
        topic = channel.decode()
        if topic in self._wanted:
            self.received += 1
            self.receiver(topic, data[8:])

    # ---- a cluster: who has what

    async def _watch(self) -> None:
        while True:
            self._moved.clear()
            try:
                known = [at for at in self._lines if at is not None]
                await self._arrange(await cluster.owners(self._url, known))
            except LOST as lost:
                log.warning("the cluster is away: %s", type(lost).__name__)
            except Exception:
                log.exception("the cluster cannot be read; it is asked again")
            await asyncio.sleep(_PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                    await self._moved.wait()

    async def _arrange(self, owners: dict[int, Node]) -> None:
        """Have a line to each node, and each topic on the line of the node that has it."""
        before = {topic: self._line(topic) for topic in self._wanted}
        self._owners = owners
        nodes = set(owners.values())
        for at in nodes - self._lines.keys():
            self._make(at, cluster.node(self._url, at, **_OPTIONS)).start()
        for topic in self._wanted:
            old, new = before.get(topic), self._line(topic)
            if old is not new and old is not None:
                old.forgo(topic)
            if new is not None:
                new.want(topic, missed=old is not new)
        surplus = [self._lines.pop(at) for at in self._lines.keys() - nodes]
        self._gone += sum(line.dropped for line in surplus)
        await asyncio.gather(*(line.stop() for line in surplus))

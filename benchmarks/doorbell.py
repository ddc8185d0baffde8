"""The doorbell past one Redis: a cluster of three nodes beside a single Valkey, two processes' buses each (server/bus.py).

Both buses live in this process, so the processor time is that of telling and of hearing together. The nodes are on this
machine as well: what a cluster gains, more processors for pub/sub, cannot show here; what it costs us does.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from benchmarks.rounds import Size
from benchmarks.table import Figure, Table
from server.bus import Bus
from tests.support.redis_cluster import Alone, three_nodes

BODY = b"x" * 350
AHEAD = 500
ONE_AT_A_TIME = 200


class Pair:
    """Who tells and who hears, over so many topics."""

    def __init__(self, url: str, topics: int) -> None:
        self.topics = [f"warmline:bench:{number}" for number in range(topics)]
        self.teller, self.hearer = Bus(url), Bus(url)
        self.hearer.receiver = self._heard
        self.rates: list[float] = []
        self.costs: list[float] = []
        self.waits: list[float] = []
        self._count = 0
        self._woken = asyncio.Event()

    async def start(self) -> None:
        """Until every topic is heard."""
        for topic in self.topics:
            self.hearer.listen(topic)
        await self.teller.start()
        await self.hearer.start()
        async with asyncio.timeout(30):
            while self._count < len(self.topics):
                self._count = 0
                for topic in self.topics:
                    self.teller.publish(topic, BODY)
                await asyncio.sleep(0.5)

    async def stop(self) -> None:
        """End both."""
        await asyncio.gather(self.teller.stop(), self.hearer.stop())

    async def turn(self, seconds: float) -> None:
        """As fast as it goes with so many on their way; then one at a time."""
        began, used, told, self._count = time.monotonic(), time.process_time(), 0, 0
        while time.monotonic() - began < seconds:
            while told - self._count < AHEAD:
                self.teller.publish(self.topics[told % len(self.topics)], BODY)
                told += 1
            await self._hears(told - AHEAD + 1)
        await self._hears(told)
        self.rates.append(told / (time.monotonic() - began))
        self.costs.append(told / (time.process_time() - used))
        waits = []
        for number in range(ONE_AT_A_TIME):
            self._count, one = 0, time.monotonic()
            self.teller.publish(self.topics[number % len(self.topics)], BODY)
            await self._hears(1)
            waits.append((time.monotonic() - one) * 1e3)
        self.waits.append(median(waits))

    async def _hears(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self._count < count:
                self._woken.clear()
                await self._woken.wait()

    def _heard(self, _topic: str, _payload: bytes) -> None:
        self._count += 1
        self._woken.set()


@asynccontextmanager
async def _servers() -> AsyncIterator[tuple[str, str]]:
    async with three_nodes() as cluster:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            alone = Alone(Path(folder) / "alone")
            await alone.start()
            yield alone.url(), cluster.url
            await alone.stop()


async def run(size: Size) -> Table:
    """The single one and the cluster in turns."""
    async with _servers() as (alone, cluster):
        pairs = [Pair(alone, size.channels), Pair(cluster, size.channels)]
        for pair in pairs:
            await pair.start()
            await pair.turn(size.warm_up)
            pair.rates.clear(), pair.costs.clear(), pair.waits.clear()
        for number in range(size.rounds):
            for pair in pairs if number % 2 == 0 else pairs[::-1]:
                await pair.turn(size.seconds)
        for pair in pairs:
            await pair.stop()
    one, three = pairs
    table = Table("The doorbell past one Redis")
    for name, pair in (("a single Valkey", one), ("a cluster of three nodes", three)):
        against = [] if pair is one else [a / b for a, b in zip(pair.costs, one.costs, strict=True)]
        beside = f"{median(pair.rates):,.0f} messages/s; one at a time {median(pair.waits):.2f} ms"
        table.rows.append(Figure(name, "messages per busy core and second", pair.costs, against, None, beside))
    table.remarks.append(
        f"{size.channels} topics, {len(BODY)} bytes, {AHEAD} on their way. Telling and hearing in one process, whose processor "
        "time counts; the servers' own does not. The nodes share this machine's processors with it."
    )
    return table

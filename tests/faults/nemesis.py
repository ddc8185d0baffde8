"""What breaks things, on a schedule that a seed decides: every fault is written down, and so is one that did not take hold."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import redis.asyncio as redis

from tests.faults.standby import caught_up
from tests.faults.ward import Node, Ward

PROMOTED = "standby promoted without the tail"
RESTORED = "restored from a backup to a moment before"

Fault = Callable[["Nemesis"], Awaitable[None]]


@dataclass
class Nemesis:
    """Breaks parts of one ward. `luck` is seeded: the same seed breaks the same things in the same order."""

    ward: Ward
    luck: random.Random
    _mending: list[asyncio.Task[object]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def broken(self, name: str) -> AsyncIterator[None]:
        """Something is broken as long as the block lasts."""
        self.ward.recorder.say("fault.start", fault=name)
        try:
            yield
        finally:
            self.ward.recorder.say("fault.stop", fault=name)

    def missed(self, name: str, why: str) -> None:
        """A fault did not take hold."""
        self.ward.recorder.say("fault.missed", fault=name, why=why)

    async def storm(self, faults: Sequence[Fault], seconds: float, calm: tuple[float, float]) -> None:
        """One fault after the other, chosen by luck, with a calm between them; each at least once."""
        loop = asyncio.get_running_loop()
        until, todo = loop.time() + seconds, list(faults)
        self.luck.shuffle(todo)
        while todo or loop.time() < until:
            await asyncio.sleep(self.luck.uniform(*calm))
            await (todo.pop() if todo else self.luck.choice(list(faults)))(self)
        await self.settled()

    async def settled(self) -> None:
        """Wait until everything that was killed is back."""
        await asyncio.gather(*self._mending)
        self._mending.clear()

    async def victim(self) -> Node:
        """A gateway that is up, while others are up, too."""
        await self.settled()
        return self.luck.choice(self.ward.nodes)

    # Processes

    async def kill_gateway(self) -> None:
        """kill -9; it starts again at once, the others go on meanwhile."""
        node = await self.victim()
        async with self.broken("kill -9 of a gateway"):
            if node.gateway.process.poll() is not None:
                self.missed("kill -9 of a gateway", "it did not run")
            node.gateway.kill()
        node.gateway.spawn()
        self._mending.append(asyncio.create_task(node.gateway.healthy(60)))

    async def roll(self) -> None:
        """SIGTERM, wait for the end, start again: as a rolling restart does with one after the other."""
        for node in self.ward.nodes:
            await self.settled()
            async with self.broken("rolling restart of a gateway"):
                status = await node.gateway.stop()
                if status != 0:
                    self.missed("rolling restart of a gateway", f"it ended with {status}")
            node.gateway.spawn()
            await node.gateway.healthy(60)

    async def stand_still(self, seconds: float = 3.0) -> None:
        """SIGSTOP, and later SIGCONT."""
        node = await self.victim()
        pid = node.gateway.process.pid
        async with self.broken("SIGSTOP of a gateway"):
            node.gateway.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                self.missed("SIGSTOP of a gateway", "it did not stand still")
            node.gateway.process.send_signal(signal.SIGCONT)

    # Redis

    async def redis_restart(self, seconds: float = 1.0) -> None:
        """Redis dies and comes back empty."""
        async with self.broken("Redis killed, back empty"):
            await self.ward.redis.kill()
            await asyncio.sleep(seconds)
            await self.ward.redis.start()

    async def redis_pause(self, seconds: float = 3.0) -> None:
        """Redis answers nobody."""
        async with self.broken("Redis paused"), self._redis() as doorbell:
            await doorbell.client_pause(int(seconds * 1000), all=True)
            await asyncio.sleep(seconds)

    async def pubsub_kill(self) -> None:
        """Redis drops its subscribers, once they are there."""
        async with self.broken("CLIENT KILL TYPE pubsub"), self._redis() as doorbell:
            async with asyncio.timeout(20):
                while not await doorbell.client_list(_type="pubsub"):
                    await asyncio.sleep(0.1)  # those that it dropped before wait a little before they come back
            if not await doorbell.execute_command("CLIENT", "KILL", "TYPE", "pubsub"):
                self.missed("CLIENT KILL TYPE pubsub", "there was no subscriber")

    async def part_from_redis(self, seconds: float = 5.0) -> None:
        """One gateway and Redis do not hear each other, the others do."""
        node = await self.victim()
        async with self.broken("a gateway parted from Redis"):
            node.to_redis.part()
            await asyncio.sleep(seconds)
            if not node.to_redis.open:
                self.missed("a gateway parted from Redis", "it had no connection")
            node.to_redis.mend()

    @contextlib.asynccontextmanager
    async def _redis(self) -> AsyncIterator[redis.Redis]:
        doorbell = redis.Redis.from_url(self.ward.redis.url())
        try:
            yield doorbell
        finally:
            await doorbell.aclose()

    # Postgres

    async def postgres_crash(self, seconds: float = 1.0) -> None:
        """Postgres dies as in a power cut, and starts again."""
        async with self.broken("Postgres killed"):
            await self.ward.postgres.kill()
            await asyncio.sleep(seconds)
            await self.ward.postgres.start()

    async def terminate_backends(self, rounds: int = 5) -> None:
        """Every connection of the gateways to Postgres is ended, again and again."""
        async with self.broken("database connections ended"), self.ward.sql() as owner:
            ended = 0
            for _ in range(rounds):
                ended += len(
                    await owner.fetch(
                        """select pg_terminate_backend(pid) from pg_stat_activity
                            where application_name = 'warmline' and datname = current_database()"""
                    )
                )
                await asyncio.sleep(0.2)
            if not ended:
                self.missed("database connections ended", "there were none")

    async def cut_database_lines(self) -> None:
        """One gateway's connections to Postgres are reset, answers to commits among them."""
        node = await self.victim()
        async with self.broken("database lines cut"):
            for _ in range(5):
                node.to_postgres.cut_after(self.luck.randrange(2000))
                await asyncio.sleep(0.1)

    async def set_back(self, channels: Sequence[str], seconds: float = 1.0, *, told: bool = True) -> None:
        """The database loses what was written in this time, as a restored one has; `told`: and its log has a new epoch."""
        async with self.broken("database set back"), self.ward.sql() as owner:
            rows = await owner.fetch("select id, top_offset from channels where id = any ($1) order by id", channels)
            await asyncio.sleep(seconds)
            async with owner.transaction():
                for row in rows:
                    there = row["id"], row["top_offset"]
                    await owner.execute("select from channels where id = $1 for update", row["id"])
                    await owner.execute(
                        """delete from message_revisions r using messages m
                            where m.id = r.message_id and m.channel_id = $1 and m.log_offset > $2""",
                        *there,
                    )
                    await owner.execute("delete from events where channel_id = $1 and log_offset > $2", *there)
                    await owner.execute("delete from messages where channel_id = $1 and log_offset > $2", *there)
                    await owner.execute("update channels set top_offset = $2 where id = $1", *there)
                if told:
                    await owner.execute("update log_generation set generation = generation + 1")

    async def promote_without_the_tail(self, seconds: float = 1.0) -> None:
        """The standby hears nothing for so long; then the primary dies, and the standby is the database."""
        ward = self.ward
        assert ward.standby is not None
        assert ward.replication is not None
        await caught_up(ward.postgres, ward.standby)
        async with self.broken(PROMOTED):
            ward.replication.part()
            answered = len(ward.recorder.events)
            await asyncio.sleep(seconds)
            await ward.postgres.kill()
            if not any(event.kind == "send.ok" for event in ward.recorder.events[answered:]):
                self.missed(PROMOTED, "nothing was answered that it lacks")
            await ward.standby.promote()
            ward.moved_to(ward.standby)

    async def restore(self, seconds: float = 2.0) -> None:
        """What was written in this time is lost: another server takes over, restored to the moment before it."""
        ward = self.ward
        assert ward.backup is not None
        async with self.broken(RESTORED):
            moment, answered = await ward.backup.moment(), len(ward.recorder.events)
            await asyncio.sleep(seconds)
            await ward.backup.archived()
            if not any(event.kind == "send.ok" for event in ward.recorder.events[answered:]):
                self.missed(RESTORED, "nothing was answered that it lacks")
            await ward.postgres.kill()
            ward.moved_to(await ward.backup.restore(moment))

    async def hold_channel(self, channel: str, seconds: float = 4.0) -> None:
        """Somebody holds the row that a channel's offsets come from."""
        async with self.broken("a channel's row held"), self.ward.sql() as owner:
            with contextlib.suppress(asyncpg.PostgresError):
                async with owner.transaction():
                    await owner.execute("select from channels where id = $1 for no key update", channel)
                    await asyncio.sleep(seconds)

    # The lines of those who listen and write

    async def cut_lines(self) -> None:
        """Everybody's connection is reset."""
        async with self.broken("all lines cut"):
            if not self.ward.front.open:
                self.missed("all lines cut", "there was none")
            self.ward.front.cut()

    async def cut_within_answers(self) -> None:
        """After so many bytes more, wherever that is, everybody's connection is reset."""
        async with self.broken("lines cut within an answer"):
            for _ in range(5):
                self.ward.front.cut_after(self.luck.randrange(5000))
                await asyncio.sleep(0.15)

    async def silence_lines(self, seconds: float = 2.0) -> None:
        """Nothing passes between the clients and the gateways, and nobody is told."""
        async with self.broken("lines gone silent"):
            self.ward.front.part()
            await asyncio.sleep(seconds)
            if not self.ward.front.open:
                self.missed("lines gone silent", "there was none")
            self.ward.front.mend()

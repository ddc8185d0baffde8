"""Where runs with faults take place: gateways as processes, each behind lines of its own to Redis and Postgres, and one front.

Everything between the processes passes through a proxy of ours, so every line can be cut, silenced or slowed down.
"""

import asyncio
import base64
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import asyncpg

from server.chat.batcher import Batcher
from server.crypto import MasterKey
from server.db import Database
from server.dev.embedded import Postgres, Redis, free_port
from tests.faults.recorder import Recorder
from tests.faults.restoring import Backup, backed_up
from tests.faults.standby import Standby, following
from tests.faults.statements import Statements
from tests.support.cast import Clinic, found
from tests.support.cluster import Databases, running
from tests.support.proxy import Filter, Proxy, proxy
from tests.support.site import Gateway, Site

ROOMY = {
    "WARMLINE_SENDS_PER_SECOND": "1000", "WARMLINE_SENDS_BURST": "1000", "WARMLINE_OPERATIONS_PER_SECOND": "1000",
    "WARMLINE_OPERATIONS_BURST": "1000", "WARMLINE_CONNECTIONS_PER_PERSON": "1000", "WARMLINE_CONNECTS_PER_SECOND": "1000",
    "WARMLINE_UNAUTHENTICATED_PER_ADDRESS": "1000",
}  # fmt: skip
"""Limits that a few people who stand for many would meet at once."""

PRODUCT = ("server", "serve")
MASTER_RAW, NEW_MASTER = bytes(range(32)), secrets.token_bytes(32)

Shared = tuple[Databases, Postgres, Redis]


@dataclass
class Node:
    """One gateway, and its lines."""

    name: str
    gateway: Gateway
    to_postgres: Proxy
    to_redis: Proxy
    sql: Statements


@dataclass
class Ward:
    """One run's processes, the clinic in its database, and the record."""

    postgres: Postgres
    redis: Redis
    database_url: str
    site: Site
    front: Proxy
    folder: Path
    clinic: Clinic
    elsewhere: Clinic
    owner_url: str
    recorder: Recorder = field(default_factory=Recorder)
    nodes: list[Node] = field(default_factory=list)
    worker: subprocess.Popen[bytes] | None = None
    standby: Standby | None = None
    replication: Proxy | None = None
    """The line by which the standby follows."""
    backup: Backup | None = None
    early: bool = False
    """Whether tokens are issued as if two hours ago, so that a clock that is behind takes them as well."""
    homes: dict[str, Clinic] = field(default_factory=dict)

    def token(self, person: str) -> str:
        """For whoever takes part."""
        when = time.time() - 7200 * self.early
        with mock.patch("time.time", return_value=when):
            return self.site.token(self.homes[person].identity(person), 3600 * 6)

    def resident(self, person: str, clinic: Clinic | None = None) -> str:
        """Somebody takes part; whose they are is part of the history."""
        home = clinic or self.clinic
        self.homes[person] = home
        self.recorder.say("person", person=person, organization=home.organization_id)
        return person

    async def channel(self, *staff: str, clinic: Clinic | None = None) -> str:
        """A care-team channel of a new patient, with the clinician and these people in it."""
        home = clinic or self.clinic
        patient = await home.patient()
        self.resident(patient, home)
        made = await home.care_team(patient, home.clinician, *staff)
        self.recorder.say("channel", channel=made, organization=home.organization_id)
        return str(made)

    async def patient_of(self, channel: str) -> str:
        """The patient whom a channel is about."""
        async with self.sql() as connection:
            return str(await connection.fetchval("select patient_id from channels where id = $1", channel))

    @contextlib.asynccontextmanager
    async def sql(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the owner's, past every line."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            yield connection
        finally:
            await connection.close()

    def moved_to(self, other: Postgres) -> None:
        """From here on, this server is the database: the lines lead there."""
        self.owner_url = self.owner_url.replace(f":{self.postgres.port}/", f":{other.port}/")
        self.postgres = other
        for one in self.nodes:
            one.to_postgres.targets[:] = [other.port]

    def start_worker(self, folder: Path) -> None:
        """One worker, beside the gateways."""
        with (folder / "worker.log").open("ab") as log:
            env = os.environ | self.site.environment
            self.worker = subprocess.Popen([sys.executable, "-m", "workers"], env=env, stdout=log, stderr=log)

    def logs(self) -> str:
        """What the gateways said, all of it."""
        return "\n".join(node.gateway.log.read_text(errors="replace") for node in self.nodes)


@contextlib.asynccontextmanager
async def ward(
    folder: Path,
    gateways: int = 2,
    *,
    shared: Shared | None = None,
    program: Sequence[str] = PRODUCT,
    doorbell: Filter | None = None,
    worker: bool = False,
    standby: bool = False,
    backup: bool = False,
    early: bool = False,
    new_master: bool = False,
    counted: bool = False,
    **settings: str,
) -> AsyncIterator[Ward]:
    """Everything started; at the end everything ended.

    Args:
        gateways: how many.
        shared: servers that others use as well, so that nothing may be done to them.
        program: what each runs.
        doorbell: makes a filter for each connection to Redis (tests/support/doorbell.py).
        worker: whether a worker runs beside them.
        standby: whether another Postgres follows the first.
        backup: whether Postgres archives its log, so that it can be restored to a moment in the past.
        early: see Ward.
        new_master: whether the gateways know a second master key.
        counted: whether the statements of every gateway are counted.
        settings: of the gateways, beside those that give them room.
    """
    async with contextlib.AsyncExitStack() as ends:
        postgres, redis = shared[1:] if shared else await own(ends)
        follower, replication = (
            await ends.enter_async_context(following(postgres, folder / "standby")) if standby else (None, None)
        )
        kept = await ends.enter_async_context(backed_up(postgres, folder / "backup")) if backup else None
        databases = shared[0] if shared else Databases(postgres.url())
        if not shared:
            await databases.make_template()
        url = await databases.create()
        if shared:
            ends.push_async_callback(databases.drop, url)
        database = Database(url, MasterKey(MASTER_RAW, NEW_MASTER), lambda topic, payload: None)
        await database.start()
        ends.push_async_callback(database.stop)
        batcher = Batcher(database, lambda topic, payload: None)
        await batcher.start()
        ends.push_async_callback(batcher.stop)
        site = Site(folder, url, redis.url(), MASTER_RAW)
        if new_master:
            (folder / "new-master").write_text(base64.b64encode(NEW_MASTER).decode())
            site.environment["WARMLINE_MASTER_KEY_FILE"] += f",{folder / 'new-master'}"
        front = await ends.enter_async_context(proxy())
        front.in_turn = True
        made = Ward(
            postgres,
            redis,
            url,
            site,
            front,
            folder,
            await found(database, batcher),
            await found(database, batcher),
            url,
            early=early,
        )
        made.standby, made.replication, made.backup = follower, replication, kept
        for home in (made.clinic, made.elsewhere):
            made.resident(home.clinician, home)
        ends.callback(end, made)
        for number in range(gateways):
            settings |= {"FAULT_NUMBER": str(number)}
            made.nodes.append(await node(made, ends, f"gateway {number}", program, doorbell, ROOMY | settings, counted))
        front.targets[:] = [one.gateway.port for one in made.nodes]
        await asyncio.gather(*(one.gateway.healthy(60) for one in made.nodes))
        if worker:
            made.start_worker(folder)
        yield made


async def own(ends: contextlib.AsyncExitStack) -> tuple[Postgres, Redis]:
    """A Postgres and a Redis for this ward alone."""
    return await ends.enter_async_context(running(Postgres)), await ends.enter_async_context(running(Redis))


async def node(
    made: Ward,
    ends: contextlib.AsyncExitStack,
    name: str,
    program: Sequence[str],
    doorbell: object,
    settings: dict[str, str],
    counted: bool,
) -> Node:
    """One gateway with lines of its own, starting."""
    sql = Statements()
    to_postgres = await ends.enter_async_context(
        proxy(made.postgres.port, new_filter=sql.connection if counted else None)
    )
    to_redis = await ends.enter_async_context(proxy(made.redis.port, new_filter=doorbell))  # type: ignore[arg-type]
    environment = os.environ | made.site.environment | settings
    environment["DATABASE_URL"] = through(to_postgres, made.database_url)
    environment["REDIS_URL"] = through(to_redis, made.redis.url())
    log = made.folder / f"{name.replace(' ', '-')}-{secrets.token_hex(3)}.log"
    return Node(name, Gateway(environment, free_port(), log, program), to_postgres, to_redis, sql)


def through(line: Proxy, url: str) -> str:
    """The same address, at the other end of a line."""
    return url.replace(f":{urlsplit(url).port}/", f":{line.port}/")


def end(made: Ward) -> None:
    """End what still runs; whatever state it is in."""
    processes = [one.gateway.process for one in made.nodes] + ([made.worker] if made.worker else [])
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()

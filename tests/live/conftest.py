"""Real gateways for whole modules: two that stay, two over a Redis that tests stop, and whatever one test starts for itself.

All share one database; every test has a clinic of its own in it. Whoever connects is recorded, and at the end of the test
every record must be without fault: no gap, nothing twice, nothing after the end.
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser

from server.chat.batcher import Batcher
from server.db import Database
from server.dev.embedded import Redis
from server.ids import PersonId
from server.people import demo, patients, team
from server.people.actors import Identity
from server.people.patients import CreatePatient
from server.people.team import CreateTeamMember
from tests.support import browser
from tests.support.cast import MASTER, Clinic, found
from tests.support.cluster import Databases, running
from tests.support.proxy import Proxy
from tests.support.site import Gateway, Site
from tests.support.wire import Wire

Connect = Callable[..., Awaitable[Wire]]
Start = Callable[..., Awaitable[Gateway]]
DemoPerson = Callable[[str, str], Awaitable[tuple[PersonId, str]]]


@dataclass
class Pair:
    """Two gateways over one Redis."""

    a: Gateway
    b: Gateway
    redis: Redis | None = None

    def __iter__(self):
        return iter((self.a, self.b))


@asynccontextmanager
async def clinic_in(url: str) -> AsyncIterator[Clinic]:
    """A clinic in a database that is a test's own, to be set up before the test begins to harm it."""
    database = Database(url, MASTER, lambda topic, payload: None)
    await database.start()
    batcher = Batcher(database, lambda topic, payload: None)
    await batcher.start()
    yield await found(database, batcher)
    await batcher.stop()
    await database.stop()


@pytest.fixture(scope="session")
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """The database of all the tests here."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture(scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"), database_url, redis_url, bytes(range(32)))
    yield made
    await made.close()


@pytest.fixture(scope="session")
async def pair(site: Site) -> Pair:
    """Two gateways that no test harms."""
    return Pair(await site.gateway(), await site.gateway())


@pytest.fixture(scope="session")
async def frail_pair(site: Site) -> AsyncIterator[Pair]:
    """Two gateways over a Redis of their own, which a test may stop, and starts again."""
    async with running(Redis) as redis:
        made = Pair(await site.gateway(REDIS_URL=redis.url()), await site.gateway(REDIS_URL=redis.url()), redis)
        yield made
        for gateway in made:
            assert await gateway.stop() == 0


@pytest.fixture
async def start(site: Site) -> AsyncIterator[Start]:
    """start(**environment) → a gateway for this test alone."""
    started: list[Gateway] = []

    async def start(**environment: str) -> Gateway:
        started.append(await site.gateway(**environment))
        return started[-1]

    yield start
    for gateway in started:
        if gateway.process.poll() is None:
            assert await gateway.stop() == 0, gateway.log.read_text()[-2000:]


@pytest.fixture
async def connect(site: Site, clinic: Clinic) -> AsyncIterator[Connect]:
    """connect(where, who) → a connection of a person of the clinic, or of any identity."""
    wires: list[Wire] = []

    async def connect(where: Gateway | Proxy, who: str | Identity | None = None) -> Wire:
        identity = clinic.identity(who) if isinstance(who, str) else who
        wires.append(await Wire.open(where.socket_url, site.token(identity) if identity else None))
        return wires[-1]

    yield connect
    for wire in wires:
        await wire.close()
    for wire in wires:
        assert [stream.faults for stream in wire.streams.values() if stream.faults] == []


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    executable = browser.program()
    if executable is None:
        pytest.skip(browser.MISSING)
    async with browser.running(executable) as running_browser:
        yield running_browser


@pytest.fixture
async def pages(chromium: Browser) -> AsyncIterator[browser.Pages]:
    """Pages for this test; at the end none of them may have had an error."""
    made = browser.Pages(chromium)
    yield made
    await made.close()
    assert made.errors == []


@pytest.fixture
def demo_person(clinic: Clinic) -> DemoPerson:
    """demo_person(kind, name) → (person id, key): somebody whom the development sign-in finds under that key."""
    serial = itertools.count(1)

    async def make(kind: str, name: str) -> tuple[PersonId, str]:
        key = f"{name.lower().replace(' ', '-')}-{clinic.organization_id[-6:]}-{next(serial)}"
        email = key + demo.DOMAIN
        async with clinic.database.transaction() as tx:
            if kind == "patient":
                patient = CreatePatient(legal_name=name, email=email, allocation_clinician_id=clinic.clinician)
                return PersonId(await patients.insert(tx, clinic.organization_id, patient)), key
            member = CreateTeamMember(name=name, email=email, role="DOCTOR")
            return PersonId(await team.insert(tx, clinic.organization_id, member)), key

    return make

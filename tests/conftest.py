"""The real parts that tests run against: a Postgres with a fresh database per test, and a Redis.

DATABASE_URL and REDIS_URL name servers to use instead of the embedded ones; the first must allow CREATE DATABASE.
"""

import asyncio
import functools
import inspect
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvloop

from server.chat.batcher import Batcher
from server.db import Database
from server.dev.embedded import Postgres, Redis
from tests.support.cast import MASTER, Clinic, found
from tests.support.cluster import Databases, running
from tests.support.front import Front
from tests.support.issuer import Issuer
from tests.support.site import Site

TESTS = Path(__file__).parent
TWICE = {"web", "benchmarks"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for a browser, or for another program's clock, may fail once: the summary tells of each that was run again.

    Everything else shows a rule, a guarantee or a history; there, one failure in a thousand runs is a find.

    And what waits for ever fails where it waits: the signal that pytest-timeout sends by itself, uvloop does not pass on. What
    hangs elsewhere, such as in a fixture, ends its process a little later (timeout_method).
    """
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _within(_limit(item), item.obj)
        if item.path.relative_to(TESTS).parts[0] in TWICE:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop that the product runs on: it differs from asyncio's own in more than speed."""
    return {"uvloop": uvloop.new_event_loop}


def _limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    option = item.config.getoption("timeout")
    return float(marker.args[0] if marker else item.config.getini("timeout") if option is None else option)


def _within(limit: float, test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*args: Any, **given: Any) -> None:
        __tracebackhide__ = True
        async with asyncio.timeout(0.9 * limit or None):
            await test(*args, **given)

    return run


@pytest.fixture(scope="session")
async def shared_postgres() -> AsyncIterator[Postgres | None]:
    """The Postgres that all tests share; None where DATABASE_URL names one."""
    if os.environ.get("DATABASE_URL"):
        yield None
    else:
        async with running(Postgres) as server:
            yield server


@pytest.fixture(scope="session")
async def shared_redis() -> AsyncIterator[Redis | None]:
    """The Redis that all tests share; None where REDIS_URL names one."""
    if os.environ.get("REDIS_URL"):
        yield None
    else:
        async with running(Redis) as server:
            yield server


@pytest.fixture(scope="session")
async def databases(shared_postgres: Postgres | None) -> AsyncIterator[Databases]:
    """Makes more databases than the one that `database_url` gives."""
    made = Databases(shared_postgres.url() if shared_postgres else os.environ["DATABASE_URL"])
    await made.make_template()
    yield made
    await made.drop_template()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A database of this test's own, with the schema applied and nothing in it."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture
async def empty_database_url(databases: Databases) -> AsyncIterator[str]:
    """A database of this test's own with nothing in it, not even the schema."""
    url = await databases.create_empty()
    yield url
    await databases.drop(url)


@pytest.fixture
def roomy_path() -> Iterator[Path]:
    """Like tmp_path, but the embedded servers can get there when root runs the tests: theirs is another user."""
    with tempfile.TemporaryDirectory(prefix="warmline-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_url(shared_redis: Redis | None) -> str:
    """The Redis of this run. Topics carry random ids, so tests do not hear each other."""
    return shared_redis.url() if shared_redis else os.environ["REDIS_URL"]


@pytest.fixture
def postgres(shared_postgres: Postgres | None) -> Postgres:
    """The shared Postgres as a process. To stop or kill one, take `own_postgres`."""
    return shared_postgres or pytest.skip("DATABASE_URL is set: the server is not ours to handle")


@pytest.fixture
def redis_server(shared_redis: Redis | None) -> Redis:
    """The shared Redis as a process. To stop or kill one, take `own_redis`."""
    return shared_redis or pytest.skip("REDIS_URL is set: the server is not ours to handle")


@pytest.fixture
async def own_postgres() -> AsyncIterator[Postgres]:
    """A private Postgres, for tests that stop, restart or kill it."""
    async with running(Postgres) as server:
        yield server


@pytest.fixture
async def own_database_url(own_postgres: Postgres) -> str:
    """A database with the schema applied, on `own_postgres`."""
    databases = Databases(own_postgres.url())
    await databases.make_template()
    return await databases.create()


@pytest.fixture
async def own_redis() -> AsyncIterator[Redis]:
    """A private Redis, for tests that stop, restart or kill it."""
    async with running(Redis) as server:
        yield server


@pytest.fixture
async def published() -> list[tuple[str, bytes]]:
    """What `clinic` announced after its commits, in order: (topic, payload)."""
    return []


@pytest.fixture
async def database(database_url: str, published: list[tuple[str, bytes]]) -> AsyncIterator[Database]:
    """The product's connections to this test's database."""
    made = Database(database_url, MASTER, lambda topic, payload: published.append((topic, payload)))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def batcher(database: Database, published: list[tuple[str, bytes]]) -> AsyncIterator[Batcher]:
    """The hot path over this test's database."""
    made = Batcher(database, lambda topic, payload: published.append((topic, payload)))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def other_batcher(database: Database) -> AsyncIterator[Batcher]:
    """The hot path of a second process over the same database."""
    made = Batcher(database, lambda topic, payload: None)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the one who owns the tables: may look at everything, and break it."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Who signs the tokens of this run."""
    with tempfile.TemporaryDirectory(prefix="warmline-test-") as folder:
        yield Issuer(Path(folder))


@pytest.fixture
async def front(clinic: Clinic, issuer: Issuer, database_url: str) -> AsyncIterator[Front]:
    """The HTTP surface of `clinic`."""
    made = Front(clinic, issuer, database_url)
    yield made
    await made.http.aclose()


@pytest.fixture
async def elsewhere(clinic: Clinic) -> Clinic:
    """Another organisation in the same database."""
    return await found(clinic.database, clinic.batcher, clinic.published)


@pytest.fixture
async def clinic(database: Database, batcher: Batcher, published: list[tuple[str, bytes]]) -> Clinic:
    """An organisation with one clinician."""
    return await found(database, batcher, published)


@pytest.fixture
async def site(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Site]:
    """Gateways as processes, over this test's database; `clinic` fills it."""
    made = Site(tmp_path, database_url, redis_url, bytes(range(32)))
    yield made
    await made.close()

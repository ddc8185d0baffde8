"""The tests of HTTP share one clinic per file: they ask much and change little."""

from collections.abc import AsyncIterator

import pytest

from server.chat.batcher import Batcher
from server.db import Database
from tests.support.cast import MASTER, Clinic, found
from tests.support.cluster import Databases
from tests.support.front import Front
from tests.support.issuer import Issuer


@pytest.fixture(scope="module")
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A database of this file's own."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture(scope="module")
async def clinic(database_url: str) -> AsyncIterator[Clinic]:
    """An organisation with one clinician."""
    published: list[tuple[str, bytes]] = []
    database = Database(database_url, MASTER, lambda topic, payload: published.append((topic, payload)))
    await database.start()
    batcher = Batcher(database, lambda topic, payload: published.append((topic, payload)))
    await batcher.start()
    yield await found(database, batcher, published)
    await batcher.stop()
    await database.stop()


@pytest.fixture(scope="module")
async def elsewhere(clinic: Clinic) -> Clinic:
    """Another organisation in the same database."""
    return await found(clinic.database, clinic.batcher, clinic.published)


@pytest.fixture(scope="module")
async def front(clinic: Clinic, issuer: Issuer, database_url: str) -> AsyncIterator[Front]:
    """The HTTP surface of `clinic`."""
    made = Front(clinic, issuer, database_url)
    yield made
    await made.http.aclose()

"""These tests share one database per file; each has organisations of its own in it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.cluster import Databases


@pytest.fixture(scope="module")
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A database of this file's own."""
    url = await databases.create()
    yield url
    await databases.drop(url)

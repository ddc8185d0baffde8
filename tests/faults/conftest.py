"""Servers that the runs with faults share where they do nothing to them."""

import pytest

from server.dev.embedded import Postgres, Redis
from tests.faults.ward import Shared
from tests.support.cluster import Databases


@pytest.fixture
def shared(databases: Databases, postgres: Postgres, redis_server: Redis) -> Shared:
    """Those of all tests."""
    return databases, postgres, redis_server

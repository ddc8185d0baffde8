"""No oracle: what is another's takes the same statements as what does not exist, so that not even the time tells."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import NotFound
from server.people.tokens import KeyedVerifier
from tests.support.cast import Clinic
from tests.support.front import Front
from tests.support.world import World, around, nowhere
from tests.test_isolation import NAMING, attempts

pytestmark = pytest.mark.catalogue("S08")


class Statements:
    """What is asked of the database, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextmanager
    def of(self, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Listen to everything that goes through this clinic's connections."""

        def operation(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            self.said.append(" ".join(statement.split()))

        fetch = asyncpg.Pool.fetch

        async def plain(pool: asyncpg.Pool, query: str, *args: Any, **more: Any) -> Any:
            self.said.append(" ".join(query.split()))
            return await fetch(pool, query, *args, **more)

        engine = clinic.database._engine.sync_engine
        event.listen(engine, "before_cursor_execute", operation)
        monkeypatch.setattr(asyncpg.Pool, "fetch", plain)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", operation)
            monkeypatch.undo()

    def take(self) -> list[str]:
        """What was said since."""
        said, self.said = self.said, []
        return said


@pytest.fixture(params=["care_team", "group"])
async def world(request: pytest.FixtureRequest, clinic: Clinic, elsewhere: Clinic) -> World:
    return await around(clinic, elsewhere, clinic.clinician, request.param)


@pytest.fixture
async def statements(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Statements]:
    made = Statements()
    with made.of(world.clinic, monkeypatch):
        yield made


async def test_an_operation_asks_the_same_of_the_database(world: World, front: Front, statements: Statements) -> None:
    differ, asked = [], 0
    for operation in NAMING:
        for what, another, nothing in attempts(operation, world):
            for _attempt in range(2):  # what comes with the clock may fall between: a difference must be there again
                said = []
                for params in (another, nothing):
                    front.forget_refusals()
                    await front.operate(front.token(world.caller), operation.name, params)
                    said.append(statements.take())
                if said[0] == said[1]:
                    break
            asked += len(said[0])
            if said[0] != said[1]:
                differ.append((what, *said))
    assert differ == []
    assert asked > 100


async def test_a_subscription_asks_the_same_of_the_database(world: World, front: Front, statements: Statements) -> None:
    verifier = KeyedVerifier.read(front.issuer.settings("postgresql://nowhere"))
    policy = ChatPolicy(world.clinic.database, Dispatcher(world.clinic.database, world.clinic.batcher), verifier)
    said = []
    others = [ids["channel"] for ids in world.others.values() if "channel" in ids]
    assert len(others) == 3, "another organisation's, one where they never were, one that they left"
    for name in [*others, *(nowhere(other) for other in others)]:
        [answer] = await policy.subscribe(world.clinic.identity(world.caller), "connection", [(name, "")])
        assert isinstance(answer, NotFound)
        said.append(statements.take())
    assert all(one == said[0] for one in said)
    assert len(said[0]) == 2, "one to look, one to record"

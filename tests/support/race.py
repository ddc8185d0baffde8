"""Two transactions at once, each on a connection of its own as the application: who commits, and who is refused."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import asyncpg

Act = tuple[Any, ...]
"""A statement and its arguments."""

PATIENCE = 0.05
"""How long a commit is given before the other one begins; one that waits for the other goes on waiting."""


class Outcome(StrEnum):
    """What became of a transaction."""

    COMMITTED = "committed"
    REFUSED = "refused"


async def race(
    url: str, ours: Sequence[Act], theirs: Sequence[Act], *, reverse: bool, overlapping: bool
) -> tuple[Outcome, Outcome]:
    """Both make their changes, ours first; then both commit: ours first, or with `reverse` theirs.

    Args:
        overlapping: the deferred checks of the first are done before those of the second begin, but its commit only then.

    Returns:
        What became of ours and of theirs.
    """
    one, two = await _begin(url), await _begin(url)
    try:
        for connection, acts in ((one, ours), (two, theirs)):
            for act in acts:
                await asyncio.wait_for(connection.execute(*act), 5)
        first, second = (two, one) if reverse else (one, two)
        earlier = asyncio.create_task(_settled(first, "set constraints all immediate" if overlapping else "commit"))
        await asyncio.wait({earlier}, timeout=PATIENCE)
        later = asyncio.create_task(_settled(second, "commit"))
        await asyncio.wait({later}, timeout=PATIENCE)
        outcomes = await asyncio.wait_for(_end(first, earlier), 10), await asyncio.wait_for(later, 10)
        return (outcomes[1], outcomes[0]) if reverse else outcomes
    finally:
        await one.close()
        await two.close()


async def _begin(url: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(url)
    await connection.execute("set role warmline_app")
    await connection.execute("begin")
    return connection


async def _end(connection: asyncpg.Connection, checked: asyncio.Task[Outcome]) -> Outcome:
    """Commit what has passed its checks; where it is committed already, that says nothing."""
    if await checked is Outcome.REFUSED:
        return Outcome.REFUSED
    return await _settled(connection, "commit") if connection.is_in_transaction() else Outcome.COMMITTED


async def _settled(connection: asyncpg.Connection, how: str) -> Outcome:
    try:
        await connection.execute(how)
    except asyncpg.CheckViolationError as refused:
        if refused.constraint_name != "patient_channel_has_staff":
            raise
        return Outcome.REFUSED
    return Outcome.COMMITTED

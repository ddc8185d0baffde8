"""A channel that somebody holds: its sends wait in order, everybody else's go on; and what a stop or a cut does to a send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from server import db
from server.chat import batcher as module
from server.chat.batcher import Batcher
from server.db import Database
from server.dev.embedded import Postgres
from server.errors import Conflict, TooMany, Unavailable
from server.people.actors import Identity
from tests.support.cast import MASTER, Clinic, found


@asynccontextmanager
async def held(owner: asyncpg.Connection, channel: str) -> AsyncIterator[None]:
    """Somebody else holds the channel, for as long as the block lasts."""
    async with owner.transaction():
        await owner.execute("select from channels where id = $1 for update", channel)
        yield


async def test_a_held_channel_stalls_nobody_and_keeps_its_order(clinic: Clinic, owner: asyncpg.Connection) -> None:
    slow, quick = await clinic.care_team(await clinic.patient()), await clinic.care_team(await clinic.patient())
    me = clinic.clinician
    async with held(owner, slow):
        until = asyncio.get_running_loop().time() + 3
        waiting = [asyncio.create_task(clinic.send(me, slow, f"Text {number}")) for number in range(20)]
        sent = 0
        while asyncio.get_running_loop().time() < until:
            await clinic.send(me, quick, "Meanwhile")
            sent += 1
        assert sent > 50  # each would have taken the three seconds
        assert not any(one.done() for one in waiting)
        assert await clinic.sql("select from messages where channel_id = $1", slow) == []
    answers = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert [answer["offset"] for answer in answers] == list(range(2, 22))


async def test_whoever_waits_too_long_is_told_and_may_try_again(
    clinic: Clinic, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.PATIENCE_SECONDS == 10
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.3)
    channel = await clinic.care_team(await clinic.patient())
    async with held(owner, channel):
        for _ in range(2):
            with pytest.raises(TooMany, match="Try again") as told:
                await clinic.send(clinic.clinician, channel, "Text", "again")
            assert told.value.temporary
    assert (await clinic.send(clinic.clinician, channel, "Text", "again"))["offset"] == 2


async def test_a_change_that_waits_too_long_for_a_channel_is_told(
    clinic: Clinic, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    newcomer = await clinic.team_member()
    assert db._SESSION["lock_timeout"] == "5s"
    monkeypatch.setitem(db._SESSION, "lock_timeout", "300ms")
    await clinic.database._engine.dispose()  # what connects from now on waits less
    async with held(owner, channel):
        with pytest.raises(TooMany, match="Try again"):
            await clinic.add(channel, newcomer)
    await clinic.add(channel, newcomer)


async def test_what_a_stop_leaves_unsent_is_told_so(
    clinic: Clinic, database: Database, owner: asyncpg.Connection
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    stopping = Batcher(database, lambda topic, payload: None)
    await stopping.start()
    async with held(owner, channel):
        who = Identity(clinic.organization_id, clinic.identity(clinic.clinician).person_id)
        waiting = asyncio.create_task(stopping.send(who, channel, "one", "Text", None))
        await asyncio.sleep(0.01)
        await asyncio.wait_for(stopping.stop(), 5)
        with pytest.raises(Unavailable, match="stopping"):
            await asyncio.wait_for(waiting, 1)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(stopping.send(who, channel, "two", "Text", None), 1)
    assert await clinic.sql("select from messages where channel_id = $1", channel) == []


async def test_a_sender_who_hangs_up_spoils_nothing_for_the_others(clinic: Clinic, owner: asyncpg.Connection) -> None:
    channel = await clinic.care_team(await clinic.patient())
    async with held(owner, channel):
        tasks = [asyncio.create_task(clinic.send(clinic.clinician, channel, f"{n}", f"{n}")) for n in range(10)]
        await asyncio.sleep(0.02)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0.02)
    answers = await asyncio.gather(*tasks[1::2])
    offsets = [answer["offset"] for answer in answers]
    assert offsets == sorted(offsets)
    top = await clinic.top(channel)
    assert await clinic.offsets(channel) == list(range(1, top + 1))


async def test_with_the_database_away_a_send_is_told_and_its_retry_is_safe(
    own_postgres: Postgres, own_database_url: str
) -> None:
    database = Database(own_database_url, MASTER, lambda topic, payload: None)
    await database.start()
    batcher = Batcher(database, lambda topic, payload: None)
    await batcher.start()
    clinic = await found(database, batcher)
    channel = await clinic.care_team(await clinic.patient())
    await clinic.send(clinic.clinician, channel, "Before")
    under_way = [asyncio.create_task(clinic.send(clinic.clinician, channel, f"{n}", f"{n}")) for n in range(50)]
    await asyncio.sleep(0)
    await own_postgres.kill()
    told = await asyncio.gather(*under_way, return_exceptions=True)
    told += await asyncio.gather(
        clinic.send(clinic.clinician, channel, "Away", "away"),
        clinic.call(clinic.clinician, "channel.list"),
        clinic.call(clinic.clinician, "member.add", channel_id=channel, person_id=clinic.clinician),
        return_exceptions=True,
    )
    database.keys._current.clear()  # as in a process that has not yet sent anything for this organisation
    told += await asyncio.gather(clinic.send(clinic.clinician, channel, "Away", "away"), return_exceptions=True)
    lost = [one for one in told if not isinstance(one, dict)]
    assert {type(one) for one in lost} == {Unavailable}
    await own_postgres.start()
    again = [await clinic.send(clinic.clinician, channel, f"{n}", f"{n}") for n in range(50)]
    assert [old for old in told[:50] if isinstance(old, dict) and old not in again] == []
    with pytest.raises(Conflict):
        await clinic.send(clinic.clinician, channel, "Other", "0")
    assert sorted(answer["offset"] for answer in again) == list(range(3, 53))
    await batcher.stop()
    await database.stop()

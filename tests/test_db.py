"""Transactions: what a lost, full or locked database means for the caller, and that nothing is announced before its time."""

import asyncio
import contextlib
import traceback
from urllib.parse import urlsplit

import asyncpg
import pytest

from server.db import Database
from server.dev.embedded import Postgres
from server.errors import Conflict, TooMany, Unavailable
from server.people import patients
from server.people.patients import CreatePatient
from tests.support.cast import MASTER, Clinic


async def test_everything_runs_as_the_application(clinic: Clinic) -> None:
    async with clinic.database.transaction() as tx:
        assert (await tx.rows("select current_user as me"))[0]["me"] == "warmline_app"
    for pool in (clinic.database.reads, clinic.database.writes):
        assert await pool.fetchval("select current_user") == "warmline_app"


async def test_announcements_leave_after_the_commit_in_order_and_never_without(clinic: Clinic) -> None:
    clinic.published.clear()
    async with clinic.database.transaction() as tx:
        tx.announce("topic", b"one")
        tx.announce("topic", b"two")
        assert clinic.published == []
    assert clinic.published == [("topic", b"one"), ("topic", b"two")]
    with contextlib.suppress(Conflict):
        async with clinic.database.transaction() as tx:
            tx.announce("topic", b"three")
            raise Conflict("no")
    assert len(clinic.published) == 2


async def test_a_commit_that_is_refused_announces_nothing(clinic: Clinic) -> None:
    channel = await clinic.care_team(await clinic.patient())
    clinic.published.clear()
    with pytest.raises(Conflict, match="Add a colleague first"):
        await clinic.remove(channel, clinic.clinician)
    assert clinic.published == []
    assert await clinic.top(channel) == 1


async def test_a_refusal_is_a_new_error_each_time(clinic: Clinic) -> None:
    """One that is kept and raised again would gather the traceback, and so the parameters, of everybody who met it."""
    wanted = CreatePatient(legal_name="Patient 1", email="one@clinic.invalid", allocation_clinician_id=clinic.clinician)
    met = []
    for _ in range(4):
        try:
            async with clinic.database.transaction() as tx:
                await patients.insert(tx, clinic.organization_id, wanted)
        except Conflict as error:
            met.append((error, len(traceback.extract_tb(error.__traceback__))))
    assert len(met) == 3
    assert len({id(error) for error, _ in met}) == 3
    assert len({depth for _, depth in met}) == 1


async def test_with_all_connections_taken_one_is_told_to_try_again(database_url: str) -> None:
    database = Database(database_url, MASTER, lambda topic, payload: None, pool_size=1)
    await database.start()
    database._engine.pool._timeout = 0.2  # type: ignore[attr-defined]
    async with database.transaction() as tx:
        await tx.rows("select")
        with pytest.raises(Unavailable, match="Try again"):
            async with database.transaction() as other:
                await other.rows("select")
    async with database.transaction() as tx:
        await tx.rows("select")
    await database.stop()


async def test_a_database_that_takes_no_connections_is_unavailable(database_url: str, postgres: Postgres) -> None:
    database = Database(database_url, MASTER, lambda topic, payload: None)
    await database.start()
    name = urlsplit(database_url).path.lstrip("/")
    admin = await asyncpg.connect(postgres.url())
    await admin.execute(f"alter database {name} allow_connections false")
    await admin.execute("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1", name)
    with pytest.raises(Unavailable, match="Try again"):
        async with database.transaction() as tx:
            await tx.rows("select")
    with pytest.raises(Unavailable, match="Try again"):
        await database.fetch("select")
    await admin.execute(f"alter database {name} allow_connections true")
    await admin.close()
    async with database.transaction() as tx:
        await tx.rows("select")
    await database.fetch("select")
    await database.stop()


async def test_who_waits_for_each_other_is_told_to_try_again(clinic: Clinic, owner: asyncpg.Connection) -> None:
    """A deadlock, which the lock helper's order rules out, is a temporary refusal and not a fault."""
    one, two = await clinic.patient(), await clinic.patient()
    touch = "update people set created_at = now() where id = $1"

    async def application() -> None:
        async with clinic.database.transaction() as tx:
            await tx.rows(touch, two)
            await tx.rows(touch, one)

    await owner.execute("begin")
    await owner.execute("set local deadlock_timeout = '60s'")  # so that the other one notices
    await owner.execute(touch, one)
    waiting = asyncio.create_task(application())
    while not await owner.fetchval("select exists (select from pg_locks where not granted)"):
        await asyncio.sleep(0.01)
    await owner.execute(touch, two)
    with pytest.raises(TooMany, match="Try again"):
        await waiting
    await owner.execute("rollback")


async def test_postgres_writes_no_parameters_into_its_log_whatever_it_is_set_to(
    database_url: str, owner: asyncpg.Connection
) -> None:
    name = await owner.fetchval("select current_database()")
    await owner.execute(f"alter database {name} set log_parameter_max_length_on_error = -1")
    database = Database(database_url, MASTER, lambda topic, payload: None)
    await database.start()
    question = "show log_parameter_max_length_on_error"
    async with database.transaction() as tx:
        assert await tx.rows(question) == [{"log_parameter_max_length_on_error": "0"}]
    assert [await pool.fetchval(question) for pool in (database.reads, database.writes)] == ["0", "0"]
    await database.stop()


async def test_a_line_that_ends_in_mid_commit_is_a_database_that_is_away(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.transaction():
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

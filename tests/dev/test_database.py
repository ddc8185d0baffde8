"""The demo's database is made, kept, and put aside when it is of an older schema; a user's own never is."""

import asyncpg
import pytest

from server import schema
from server.dev.database import NAME, prepare
from server.dev.embedded import Postgres
from server.errors import Misconfigured
from tests.support.cluster import Databases


async def test_made_kept_and_put_aside(own_postgres: Postgres, capsys: pytest.CaptureFixture[str]) -> None:
    url = own_postgres.url(NAME)
    await prepare(url, own_postgres)
    assert await schema.matches(url)

    await execute(url, "comment on database warmline is 'the first'")
    await prepare(url, own_postgres)
    assert await names(own_postgres) == [NAME]
    assert capsys.readouterr().out == ""

    await execute(url, "create table of_an_older_schema (n int)")
    await prepare(url, own_postgres)
    assert await schema.matches(url)
    [aside] = set(await names(own_postgres)) - {NAME}
    assert aside.startswith("warmline_until_")
    assert f"It is kept as {aside}" in capsys.readouterr().out


async def test_a_users_own_database_is_left_as_it_is(databases: Databases) -> None:
    url = await databases.create_empty()
    await execute(url, "create table of_somebody_else (n int)")
    with pytest.raises(Misconfigured):
        await prepare(url, None)
    await databases.drop(url)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def names(postgres: Postgres) -> list[str]:
    connection = await asyncpg.connect(postgres.url())
    rows = await connection.fetch("select datname from pg_database where datname like 'warmline%' order by 1")
    await connection.close()
    return [row["datname"] for row in rows]

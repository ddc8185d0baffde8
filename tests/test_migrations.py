"""From the first version's schema by every migration to today's: what comes out is what schema.sql makes."""

import hashlib

import asyncpg
import pytest

from server import migrations, schema
from server.errors import Misconfigured
from tests.support.cluster import Databases

FIRST = (migrations.FOLDER / "0000-live-chat.sql").read_text()


async def catalog(url: str) -> set[str]:
    """What Postgres says of the schema."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "public"})
    try:
        return {row[0] for row in await connection.fetch(schema.CATALOG)}
    finally:
        await connection.close()


async def make_first(url: str) -> None:
    """The first version, as its `schema apply` left it."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "public"})
    try:
        await connection.execute(FIRST)
        fingerprint = f"{hashlib.sha256(FIRST.encode()).hexdigest()[:16]}:whatever its catalogs said"
        await connection.execute("insert into schema_state (fingerprint) values ($1)", fingerprint)
    finally:
        await connection.close()


async def test_the_whole_way_leads_to_what_schema_sql_makes(empty_database_url: str, database_url: str) -> None:
    await make_first(empty_database_url)
    before = await catalog(empty_database_url)
    with pytest.raises(Misconfigured, match="warmline schema upgrade"):
        await schema.check(empty_database_url)

    told = await migrations.upgrade(empty_database_url, dry_run=True)
    assert await catalog(empty_database_url) == before, "a dry run changes nothing"
    assert await migrations.upgrade(empty_database_url, dry_run=False) == told != []
    after, wanted = await catalog(empty_database_url), await catalog(database_url)
    assert (after - wanted, wanted - after) == (set(), set())
    await schema.check(empty_database_url)
    assert await migrations.upgrade(empty_database_url, dry_run=False) == []


async def test_where_no_way_leads_nothing_is_done(empty_database_url: str, databases: Databases) -> None:
    with pytest.raises(Misconfigured, match="warmline schema apply"):
        await migrations.upgrade(empty_database_url, dry_run=False)
    await make_first(empty_database_url)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("update schema_state set fingerprint = 'ffffffffffffffff:of nobody'")
    await connection.close()
    before = await catalog(empty_database_url)
    with pytest.raises(Misconfigured, match="No migration leads"):
        await migrations.upgrade(empty_database_url, dry_run=False)
    assert await catalog(empty_database_url) == before

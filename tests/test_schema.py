"""The table classes mirror schema.sql: both are made in databases of their own, and Postgres's catalog compares them."""

import asyncpg
import pytest
from sqlalchemy import ForeignKeyConstraint, MetaData, UniqueConstraint
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from server.chat import models as _chat
from server.people import models as _people
from server.roster import models as _roster

MODULES = (_people, _chat, _roster)

WITHOUT_A_CLASS = {"log_generation", "schema_state"} | {
    *("audit_entries", "audit_seals", "audit_heads", "audit_signing_keys", "audit_mark"),
    *("notice_preferences", "devices", "notice_marks", "mails", "notices", "notice_deliveries", "unattended"),
}
"""Read and written by SQL text, in one place each."""

COLUMNS = """
select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required
  from pg_attribute a join pg_class c on c.oid = a.attrelid
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped"""
KEYS = """
select k.contype::text as what, c.relname as table, f.relname as into_table,
       array(select concat_ws(' -> ', a.attname, b.attname) from unnest(k.conkey, k.confkey) as o (n, into_n)
               join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n
               left join pg_attribute b on b.attrelid = k.confrelid and b.attnum = into_n order by 1) as columns
  from pg_constraint k join pg_class c on c.oid = k.conrelid left join pg_class f on f.oid = k.confrelid
 where k.connamespace = 'public'::regnamespace and k.contype in ('p', 'f')"""
"""In which order a key's columns stand is the index's business, and so schema.sql's alone."""


async def made_from_classes(url: str) -> None:
    """Create every class's table. What their references point at must be unique, and schema.sql alone says that it is."""
    copied = MetaData()
    for table in SQLModel.metadata.sorted_tables:
        table.to_metadata(copied)
    targets = set()
    for table in copied.tables.values():
        for reference in table.constraints:
            if isinstance(reference, ForeignKeyConstraint):
                targets.add((reference.referred_table, tuple(e.column.name for e in reference.elements)))
    for table, columns in targets:
        if set(columns) != {column.name for column in table.primary_key}:
            table.append_constraint(UniqueConstraint(*columns))
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.begin() as connection:
        await connection.run_sync(copied.create_all)
    await engine.dispose()


async def described(url: str, query: str) -> set[str]:
    """What the catalog says of the tables that have a class, a line for each fact."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(query)
    finally:
        await connection.close()
    return {str(dict(row)) for row in rows if row["table"] not in WITHOUT_A_CLASS}


@pytest.mark.parametrize("query", [COLUMNS, KEYS], ids=["columns, types and nullability", "keys and references"])
async def test_the_classes_say_what_the_schema_says(database_url: str, empty_database_url: str, query: str) -> None:
    await made_from_classes(empty_database_url)
    by_schema, by_classes = await described(database_url, query), await described(empty_database_url, query)
    assert by_classes - by_schema == set()
    assert by_schema - by_classes == set()
    assert len(by_schema) > 20


async def test_every_table_has_a_class_or_is_listed_as_having_none(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    )
    assert {row["relname"] for row in rows} == set(SQLModel.metadata.tables) | WITHOUT_A_CLASS
    assert not set(SQLModel.metadata.tables) & WITHOUT_A_CLASS


async def test_every_table_says_what_it_is_for(owner: asyncpg.Connection) -> None:
    silent = await owner.fetch(
        """select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
              and obj_description(oid, 'pg_class') is null"""
    )
    assert silent == []

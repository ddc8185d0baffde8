"""The schema of the database: apply schema.sql, and refuse to run on anything else.

A fingerprint of what Postgres's own catalogs say is stored when the schema is applied and computed again at every check,
so that an older schema, a forgotten step and a change by hand are all seen.
"""

import hashlib
from pathlib import Path

import asyncpg

from server.errors import Misconfigured

SCHEMA = Path(__file__).resolve().parent.parent / "schema.sql"

CATALOG = """
select concat_ws(' ', 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                 a.attgenerated, a.attidentity, pg_get_expr(d.adbin, d.adrelid))
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
union all select 'index ' || pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid
 where c.relnamespace = 'public'::regnamespace
union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
 where connamespace = 'public'::regnamespace and contype <> 'n'
union all select 'function ' || pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all select 'grant ' || table_name || ' ' || privilege_type from information_schema.role_table_grants
 where table_schema = 'public' and grantee = 'warmline_app'
order by 1
"""
_TABLES = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"


async def apply(url: str) -> None:
    """Make the schema in an empty database; in one that has it already, do nothing.

    Args:
        url: a login that owns the database.

    Raises:
        Misconfigured: the database holds something else.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval(_TABLES):
            await _require_match(connection)
            return
        async with connection.transaction():
            await connection.execute(SCHEMA.read_text())
            await connection.execute(
                "insert into schema_state (fingerprint) values ($1)", await _fingerprint(connection)
            )
    finally:
        await connection.close()


async def check(url: str) -> None:
    """Refuse a database that this code must not run on.

    Raises:
        Misconfigured: another schema, unsafe durability, a standby, or a login that cannot take the application's role.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await _require_durable(connection)
        await _require_match(connection)
        if not await connection.fetchval("select pg_has_role(current_user, 'warmline_app', 'set')"):
            raise Misconfigured(
                "DATABASE_URL: this login may not act as warmline_app. Run: grant warmline_app to <login>"
            )
    finally:
        await connection.close()


async def matches(url: str) -> bool:
    """Whether the database holds exactly this code's schema."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await _require_match(connection)
    except Misconfigured:
        return False
    finally:
        await connection.close()
    return True


async def is_empty(url: str) -> bool:
    """Whether the database holds no table yet."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return not await connection.fetchval(_TABLES)
    finally:
        await connection.close()


async def _require_durable(connection: asyncpg.Connection) -> None:
    if int(await connection.fetchval("show server_version_num")) < 170000:
        raise Misconfigured("DATABASE_URL: Postgres 17 or newer is needed (transaction_timeout)")
    if await connection.fetchval("select pg_is_in_recovery()"):
        raise Misconfigured("DATABASE_URL: this server is a standby; point it at the primary")
    for name, least in (("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")):
        value = await connection.fetchval("select current_setting($1)", name)
        if value == "off" or (name == "synchronous_commit" and value == "local"):
            raise Misconfigured(
                f"{name} is {value}: an acknowledged message could be lost. Set {name} = {least} and restart Postgres"
            )


async def _require_match(connection: asyncpg.Connection) -> None:
    stored = None
    if await connection.fetchval("select to_regclass('public.schema_state')"):
        stored = await connection.fetchval("select fingerprint from schema_state")
    if stored is None:
        raise Misconfigured("The database has no Warmline schema. Run: warmline schema apply")
    wanted = _source()
    if not stored.startswith(wanted):
        raise Misconfigured(
            "The database was made by another version's schema.sql. Use the version that made it, or a new database"
        )
    if stored != await _fingerprint(connection):
        raise Misconfigured(
            "The database was changed by hand since `warmline schema apply`. Undo the change, or use a new database"
        )


def _source() -> str:
    return hashlib.sha256(SCHEMA.read_bytes()).hexdigest()[:16]


async def _fingerprint(connection: asyncpg.Connection) -> str:
    rows = await connection.fetch(CATALOG)
    return _source() + ":" + hashlib.sha256("\n".join(row[0] for row in rows).encode()).hexdigest()

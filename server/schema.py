"""The schema of the database: apply jobs.sql (the queue, as its library prints it) and schema.sql, and run on nothing else.

A fingerprint of what Postgres's own catalogs say is stored when the schema is applied and computed again at every check,
so that an older schema, a forgotten step and a change by hand are all seen.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg

from server.errors import Away, Misconfigured

log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent
SCHEMA = _ROOT / "schema.sql"
JOBS = _ROOT / "jobs.sql"
"""What `pgq --schema jobs sql install` prints: the tables of pgqueuer, in a Postgres schema of their own."""

START_PATIENCE = 60.0
"""Seconds that a process which starts waits for its database: as long as one that was killed may take to recover. Who starts
everything at once, or anything while something else is starting again, need not mind the order."""
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is starting, or stopping
    asyncpg.TooManyConnectionsError,
)

_OURS = "any (array[to_regnamespace('public'), to_regnamespace('jobs')])"

CATALOG = f"""
with relations as (select * from pg_class where relnamespace = {_OURS} and relkind in ('r', 'p', 'v', 'm', 'f'))
select concat_ws(' ', 'relation', c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
                 (select string_agg(r || ' ' || p, ',' order by r, p)
                    from unnest(array['warmline_app', 'warmline_sealer', 'warmline_auditor']) r,
                         unnest(array['DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
                   where has_table_privilege(r, c.oid, p))) from relations c
union all select concat_ws(' ', 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                 a.attgenerated, a.attidentity, pg_get_expr(d.adbin, d.adrelid),
                 (select string_agg(r || ' ' || p, ',' order by r, p)
                    from unnest(array['warmline_app', 'warmline_sealer', 'warmline_auditor']) r,
                         unnest(array['SELECT', 'INSERT', 'UPDATE']) p
                   where has_column_privilege(r, c.oid, a.attnum, p)))
  from pg_attribute a join relations c on c.oid = a.attrelid
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where a.attnum > 0 and not a.attisdropped
union all select 'index ' || pg_get_indexdef(i.indexrelid) from pg_index i join relations c on c.oid = i.indrelid
union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
 where connamespace = {_OURS} and contype <> 'n'
union all select 'function ' || pg_get_functiondef(oid) from pg_proc
 where pronamespace = {_OURS} and prokind in ('f', 'p')
union all select concat_ws(' ', 'trigger', c.relname, t.tgenabled,
                 case when t.tgisinternal then k.conname || ' ' || t.tgfoid::regproc else pg_get_triggerdef(t.oid) end)
  from pg_trigger t join relations c on c.oid = t.tgrelid left join pg_constraint k on k.oid = t.tgconstraint
union all select 'enum ' || string_agg(concat_ws(' ', t.typname, e.enumlabel), ',' order by e.enumsortorder)
  from pg_enum e join pg_type t on t.oid = e.enumtypid where t.typnamespace = to_regnamespace('jobs') group by t.oid
union all select 'rule ' || pg_get_ruledef(r.oid) from pg_rewrite r join relations c on c.oid = r.ev_class
order by 1
"""
_MAY_ACT = "select pg_has_role(current_user, oid, 'set') from pg_roles where rolname = $1"
_ROLES = "select rolname from pg_roles"
_MADE = f"""select kind || ' ' || name from (
  select 1 as place, 'table' as kind, relname::text as name from pg_class
   where relnamespace = {_OURS} and relkind = 'r'
  union all select 2, 'index', relname from pg_class where relnamespace = {_OURS} and relkind = 'i'
  union all select 3, 'function', proname from pg_proc where pronamespace = {_OURS}
  union all select 4, 'trigger', tgname || ' on ' || tgrelid::regclass from pg_trigger where not tgisinternal) made
  order by place, name"""
_TABLES = f"select count(*) from pg_class where relnamespace = {_OURS} and relkind = 'r'"


async def apply(url: str) -> None:
    """Make the schema in an empty database; in one that has it already, do nothing.

    Args:
        url: a login that owns the database.

    Raises:
        Misconfigured: the database holds something else.
    """
    async with connected(url) as connection:
        if await connection.fetchval(_TABLES):
            await require_match(connection)
            return
        async with connection.transaction():
            await connection.execute(JOBS.read_text() + SCHEMA.read_text())
            await store(connection)


async def planned(url: str) -> list[str]:
    """What `apply` would make, found out by making it in a transaction that is rolled back; empty when all is there.

    Raises:
        Misconfigured: the database holds something else.
    """
    async with connected(url) as connection:
        if await connection.fetchval(_TABLES):
            await require_match(connection)
            return []
        roles = {row[0] for row in await connection.fetch(_ROLES)}
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(JOBS.read_text() + SCHEMA.read_text())
            made = [row[0] for row in await connection.fetch(_MADE)]
            new_roles = sorted({row[0] for row in await connection.fetch(_ROLES)} - roles)
        finally:
            await transaction.rollback()
        return [*(f"role {name}" for name in new_roles), *made]


async def raise_generation(url: str, dry_run: bool) -> int:
    """Give all logs a new epoch; the generation that stood before. Needs the owner of the tables.

    Raises:
        Misconfigured: not this version's schema.
        asyncpg.PostgresError: the login may not.
    """
    async with connected(url) as connection:
        await require_match(connection)
        async with connection.transaction():
            generation = await connection.fetchval("select generation from log_generation for update")
            if not dry_run:
                await connection.execute("update log_generation set generation = generation + 1")
        return int(generation)


async def check(url: str, patience: float = 0.0) -> None:
    """Refuse a database that this code must not run on. `patience`: seconds that one which is away is waited for.

    Raises:
        Misconfigured: another schema, unsafe durability, a standby, or a login that cannot take the application's role.
        Away: it cannot be reached.
    """
    loop = asyncio.get_running_loop()
    until, told = loop.time() + patience, False
    while True:
        try:
            return await _check(url)
        except (Away, *_AWAY) as wrong:
            away = wrong if isinstance(wrong, Away) else _unusable(wrong)
            if loop.time() >= until:
                raise away from None
            if not told:
                log.warning("waiting up to %d s for it: %s", patience, str(away))
            told = True
        await asyncio.sleep(0.5)


async def _check(url: str) -> None:
    async with connected(url) as connection:
        if wrong := await unsafe(connection):
            raise Misconfigured("\n".join(wrong))
        # First the role, without which the rest cannot be read; before any `schema apply` there is none.
        await _require_role(connection, "warmline_app")
        await require_match(connection)


async def require_role(url: str, role: str) -> None:
    """Refuse a login that may not act as this role. Raises Misconfigured with the fix."""
    async with connected(url) as connection:
        await _require_role(connection, role)


async def matches(url: str) -> bool:
    """Whether the database holds exactly this code's schema."""
    async with connected(url) as connection:
        try:
            await require_match(connection)
        except Misconfigured:
            return False
        return True


async def is_empty(url: str) -> bool:
    """Whether the database holds no table yet."""
    async with connected(url) as connection:
        return not await connection.fetchval(_TABLES)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to what a setting names: that there is none, or that it does not let us in, is a wrong setting."""
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings={"search_path": "public"})
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as wrong:
        raise _unusable(wrong) from None
    try:
        yield connection
    finally:
        await connection.close()


def _unusable(wrong: Exception) -> Misconfigured:
    if isinstance(wrong, ValueError):
        return Misconfigured("DATABASE_URL: this names no database. It takes postgresql://USER:PASSWORD@HOST/DATABASE")
    why = str(wrong) if isinstance(wrong, asyncpg.PostgresError) else type(wrong).__name__
    kind = Away if isinstance(wrong, _AWAY) else Misconfigured
    return kind(f"DATABASE_URL: the database cannot be used: {why}")


async def unsafe(connection: asyncpg.Connection) -> list[str]:
    """What about the server may lose a message that was acknowledged, each with the fix; empty when nothing does."""
    found = []
    if int(await connection.fetchval("show server_version_num")) < 170000:
        found.append("DATABASE_URL: Postgres 17 or newer is needed (transaction_timeout)")
    if await connection.fetchval("select pg_is_in_recovery()"):
        found.append("DATABASE_URL: this server is a standby; point it at the primary")
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        value = await connection.fetchval("select current_setting($1)", name)
        if value == "off" or (name == "synchronous_commit" and value == "local"):
            found.append(
                f"{name} is {value}: an acknowledged message could be lost. Set {name} = on and restart Postgres"
            )
    return found


async def may_act(connection: asyncpg.Connection, role: str) -> bool | None:
    """Whether this login may act as a role; None when there is no such role, before any `schema apply`."""
    found = await connection.fetchval(_MAY_ACT, role)
    return None if found is None else bool(found)


async def _require_role(connection: asyncpg.Connection, role: str) -> None:
    if await may_act(connection, role) is False:
        raise Misconfigured(f"DATABASE_URL: this login may not act as {role}. Run: grant {role} to <login>")


async def require_match(connection: asyncpg.Connection) -> None:
    """Refuse a database without exactly this code's schema. Raises Misconfigured."""
    made = await stored(connection)
    if made is None:
        raise Misconfigured("The database has no Warmline schema. Run: warmline schema apply")
    if not made_by_us(made):
        raise Misconfigured(
            "The database has another version's schema. Run: warmline schema upgrade, or use the version that made it"
        )
    if made != await _fingerprint(connection):
        raise Misconfigured(
            "The database was changed by hand since `warmline schema apply`. Undo the change, or use a new database"
        )


async def stored(connection: asyncpg.Connection) -> str | None:
    """The fingerprint of what made this database; None where there is no Warmline schema."""
    if not await connection.fetchval("select to_regclass('public.schema_state')"):
        return None
    found = await connection.fetchval("select fingerprint from schema_state")
    return None if found is None else str(found)


async def store(connection: asyncpg.Connection) -> None:
    """Say that what is there now is this version's schema."""
    await connection.execute("delete from schema_state")
    await connection.execute("insert into schema_state (fingerprint) values ($1)", await _fingerprint(connection))


def made_by_us(fingerprint: str) -> bool:
    """Whether this code's schema.sql made it. Unlike `matches`, it says nothing about changes by hand, and costs nothing."""
    return fingerprint.startswith(source())


@cache
def source() -> str:
    """The fingerprint of this version's schema as it is written."""
    return hashlib.sha256(JOBS.read_bytes() + SCHEMA.read_bytes()).hexdigest()[:16]


async def _fingerprint(connection: asyncpg.Connection) -> str:
    rows = await connection.fetch(CATALOG)
    return source() + ":" + hashlib.sha256("\n".join(row[0] for row in rows).encode()).hexdigest()

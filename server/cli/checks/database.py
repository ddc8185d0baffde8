"""Postgres: there, new enough, safe, with the right roles and the right schema, and with room for our connections."""

from urllib.parse import urlsplit

import asyncpg

from server import schema
from server.cli.checks.findings import Finding, error, ok, warning
from server.config_checks import LOOPBACK
from server.errors import Misconfigured

PART = "database"
PLAIN_CONNECTIONS = 7
"""What a process holds beside its pool: server/db.py."""


async def check(connection: asyncpg.Connection, production: bool, pool_size: int) -> list[Finding]:
    """All about the database that a connection of our login tells."""
    found = [ok(PART, f"reachable: Postgres {await connection.fetchval('show server_version')}")]
    unsafe = await schema.unsafe(connection)
    found += [error(PART, line, "Until then no gateway and no worker starts.") for line in unsafe]
    if not unsafe:
        found.append(ok(PART, "keeps what it acknowledged: fsync, full_page_writes, synchronous_commit; no standby"))
    found += await _roles(connection, production)
    try:
        await schema.require_match(connection)
        found.append(ok(PART, "the schema and the application's rights are this version's"))
    except (Misconfigured, asyncpg.InsufficientPrivilegeError) as wrong:
        found.append(error(PART, str(wrong), "See `warmline schema --help`."))
    return [*found, *await _room(connection, pool_size), *await _habits(connection)]


async def _roles(connection: asyncpg.Connection, production: bool) -> list[Finding]:
    login = await connection.fetchrow(
        """select rolname as name, rolsuper as super, exists (select from pg_class
             where relnamespace = 'public'::regnamespace and relowner = r.oid) as owner
             from pg_roles r where rolname = session_user"""
    )
    assert login is not None
    name = login["name"]
    found = []
    app, sealer = [await schema.may_act(connection, role) for role in ("warmline_app", "warmline_sealer")]
    if app:
        found.append(ok(PART, f"the login {name} may act as warmline_app"))
    elif app is None:
        found.append(
            error(PART, "there is no role warmline_app", "As the database's owner, run: warmline schema apply")
        )
    else:
        do = f"Run: grant warmline_app to {name}"
        found.append(error(PART, f"the login {name} may not act as warmline_app", do))
    if sealer is False:
        found.append(ok(PART, f"the login {name} may not act as warmline_sealer: right for a gateway; a worker's must"))
    if login["super"] or login["owner"]:
        what = f"the login {name} {'is a superuser' if login['super'] else 'owns the tables'}"
        do = "Give gateways and workers a login of their own: create role … login; grant warmline_app to …"
        found.append(warning(PART, what, do) if production else ok(PART, f"{what}: good enough for development"))
    return found


async def _room(connection: asyncpg.Connection, pool_size: int) -> list[Finding]:
    row = await connection.fetchrow(
        """select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                - current_setting('reserved_connections')::int as room, r.rolconnlimit as login, d.datconnlimit as database
             from pg_roles r, pg_database d where r.rolname = session_user and d.datname = current_database()"""
    )
    assert row is not None
    room = min(limit for limit in (row["room"], row["login"], row["database"]) if limit >= 0)
    each = pool_size + PLAIN_CONNECTIONS
    says = f"room for {room} connections: {room // each} processes (gateways and workers) of {each}"
    if room // each < 2:
        return [
            warning(
                PART, says, "Raise max_connections (or the login's or database's limit), or lower WARMLINE_POOL_SIZE."
            )
        ]
    return [ok(PART, says)]


async def _habits(connection: asyncpg.Connection) -> list[Finding]:
    """What is not wrong by itself, and ends badly."""
    rows = await connection.fetch("select name, setting from pg_settings")
    values: dict[str, str] = {row["name"]: row["setting"] for row in rows}
    found = []
    if values["server_encoding"] != "UTF8":
        found.append(error(PART, f"the database is encoded in {values['server_encoding']}", "Make it anew in UTF8."))
    if values.get("data_checksums") == "off":
        do = "Stop Postgres and run: pg_checksums --enable (a restart later, damage on disk is noticed when it is read)"
        found.append(warning(PART, "data checksums are off: a failing disk would go unnoticed", do))
    if values["autovacuum"] == "off":
        found.append(warning(PART, "autovacuum is off: the tables grow and the plans age", "Set autovacuum = on"))
    said = values["log_statement"] != "none" or values["log_min_duration_statement"] != "-1"
    if values["log_parameter_max_length_on_error"] != "0" or (said and values["log_parameter_max_length"] != "0"):
        do = "Set log_parameter_max_length = 0 and log_parameter_max_length_on_error = 0"
        found.append(warning(PART, "Postgres writes the parameters of statements into its log: names, addresses", do))
    if values["log_error_verbosity"] != "terse":
        do = "Set log_error_verbosity = terse"
        found.append(warning(PART, "Postgres writes the rows that it refuses into its log: names, addresses", do))
    return found


async def line(connection: asyncpg.Connection, url: str, production: bool) -> list[Finding]:
    """Whether what travels to the database is encrypted, where it leaves this machine."""
    away = (urlsplit(url).hostname or "localhost") not in LOOPBACK
    if (
        not await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        and away
        and production
    ):
        do = "Add ?sslmode=verify-full to DATABASE_URL, and the server's certificate."
        return [warning(PART, "the line to the database is not encrypted, and leaves this machine", do)]
    return []

"""All checks, in order; a part that is away takes only its own checks with it."""

import os

import asyncpg

from server import config
from server.cli.checks import clock, database, disk, doorbell, keys, mail, settings, signin
from server.cli.checks.findings import Finding, error
from server.config import Settings
from server.errors import Misconfigured


async def everything() -> list[Finding]:
    """Look at everything there is."""
    chosen: Settings | None = None
    try:
        chosen = config.load()
        found = [*settings.check(chosen), *await signin.check(chosen)]
        found += [*keys.signing(chosen.audit_key_file), *keys.pushing(chosen.vapid_key_file)]
    except Misconfigured as wrong:
        found = [*settings.wrong(str(wrong)), *settings.unknown()]
    production = (os.environ.get("WARMLINE_PROFILE") or "production") == "production"
    if url := os.environ.get("DATABASE_URL"):
        found += await _database(url, chosen, production)
    if url := os.environ.get("REDIS_URL"):
        try:
            seen, skew = await doorbell.check(url, production)
        except ValueError:  # not the form of a URL at all
            return found
        found += seen if skew is None else [*seen, clock.judged("Redis's", skew)]
    return found + (await mail.check(chosen) if chosen else [])


async def _database(url: str, chosen: Settings | None, production: bool) -> list[Finding]:
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings={"search_path": "public"})
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as wrong:
        why = type(wrong).__name__
        do = "See that it runs, and that host, database, login and password in DATABASE_URL are right."
        return [error(database.PART, f"DATABASE_URL: the database cannot be reached ({why})", do)]
    found: list[Finding] = []
    try:
        pool_size = chosen.pool_size if chosen else Settings.model_fields["pool_size"].default
        found += await database.check(connection, production, pool_size)
        found += [
            *await database.line(connection, url, production),
            clock.judged("the database's", await clock.behind(connection)),
        ]
        found += await disk.check(connection, url)
        if chosen is not None and not any(
            finding.level == "error" for finding in found if finding.part == database.PART
        ):
            await connection.execute("set role warmline_app")
            found += await keys.check(connection, chosen.master_key_files, production)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as wrong:
        says = f"the database went away, or refuses what doctor asks ({type(wrong).__name__})"
        found.append(error(database.PART, says, "Run doctor again; as a login that may act as warmline_app."))
    finally:
        await connection.close()
    return found

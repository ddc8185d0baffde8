"""The database of the demo: made the first time, put aside when its schema is not today's."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import asyncpg

from server import schema
from server.dev.embedded import Postgres
from server.dev.progress import say
from server.errors import Misconfigured

NAME = "warmline"


async def prepare(url: str, embedded: Postgres | None) -> None:
    """Bring the schema into the database at `url`.

    Only the embedded server's database is ever put aside: a server of the user's own is not ours to rearrange.

    Raises:
        Misconfigured: the user's own database holds something else.
    """
    with explained():
        if embedded is not None:
            await make_room(embedded.url(), url)
        await schema.apply(url)


@contextmanager
def explained() -> Iterator[None]:
    """Around what needs the database: that it cannot be reached, or does not let us in, is a wrong setting."""
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as wrong:
        why = str(wrong) or type(wrong).__name__
        raise Misconfigured(f"DATABASE_URL: the database cannot be used: {why}") from None


async def make_room(admin_url: str, url: str) -> None:
    """Have a database under our name that is empty or of today's schema; an older one gets another name."""
    admin = await asyncpg.connect(admin_url)
    try:
        if await admin.fetchval("select true from pg_database where datname = $1", NAME):
            if await schema.is_empty(url) or await schema.matches(url):
                return
            aside = f"{NAME}_until_{datetime.now(UTC):%Y%m%d_%H%M%S}"
            await admin.execute(f"alter database {NAME} rename to {aside}")
            say(f"The demo database has an older schema. It is kept as {aside}; a new one is made.")
        await admin.execute(f"create database {NAME}")
    finally:
        await admin.close()

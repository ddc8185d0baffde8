"""Bringing the database of an earlier version up to this one: the files of migrations/ in their order, in one transaction.

0000 is the first version's schema, whole; each file after it leads from the version that its first line names, by the
fingerprint of that version's schema, to the next. A test goes the whole way and compares what Postgres then says of itself
with what it says of schema.sql.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from server import schema
from server.errors import Misconfigured

FOLDER = Path(__file__).resolve().parent.parent / "migrations"
_FROM = re.compile(r"-- from ([0-9a-f]{16})\n")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the version it starts from, and its SQL."""

    name: str
    origin: str
    sql: str


def steps(origin: str) -> list[Migration] | None:
    """The steps from a version to this one, in order; None where no way leads. Empty for this version itself."""
    found = []
    for path in sorted(FOLDER.glob("[0-9]*.sql"))[1:]:
        sql = path.read_text()
        begins = _FROM.match(sql)
        if begins is None:
            raise Misconfigured(f"migrations/{path.name}: its first line must be `-- from` and a fingerprint")
        found.append(Migration(path.stem, begins[1], sql))
    if origin == schema.source():
        return []
    place = next((place for place, step in enumerate(found) if step.origin == origin), None)
    return None if place is None else found[place:]


async def upgrade(url: str, dry_run: bool) -> list[str]:
    """Go all the steps there are to this version; their names.

    Args:
        url: a login that owns the tables, and may create roles.
        dry_run: do it, and roll it back.

    Raises:
        Misconfigured: no Warmline schema is there, or one that no migration starts from.
        asyncpg.PostgresError: a step fails; nothing was changed.
    """
    async with schema.connected(url) as connection:
        stored = await schema.stored(connection)
        if stored is None:
            raise Misconfigured("The database has no Warmline schema. Run: warmline schema apply")
        way = steps(stored.partition(":")[0])
        if way is None:
            raise Misconfigured("No migration leads from the version that made this database to this one")
        transaction = connection.transaction()
        await transaction.start()
        try:
            for step in way:
                await connection.execute(step.sql)
            if way:
                await schema.store(connection)
        except BaseException:
            await transaction.rollback()
            raise
        await (transaction.rollback() if dry_run else transaction.commit())
        return [step.name for step in way]

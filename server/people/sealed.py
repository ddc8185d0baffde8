"""Texts of the roster's rows that are encrypted as messages are: closed for the one place they stand in, opened, closed anew."""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from server.crypto import DataKey, KeyRing, associated, seal, unseal
from server.errors import Unavailable
from server.ids import OrganizationId

TABLES: Final[dict[str, tuple[str, str, str]]] = {
    "encounter_notes": ("content", "encounter_id", "author_id"),
    "encounters": ("chief_complaint", "", "created_by_user"),
    "group_members": ("notes", "group_id", ""),
    "guests": ("notes", "", "created_by_user"),
}
"""By table: the column that is closed, and those that name what the row belongs to and who made it, where there are such."""

Row = Mapping[str, Any]


def _place(table: str, organization_id: str, row: Row, key_id: str) -> bytes:
    column, parent, author = TABLES[table]
    return associated(
        organization_id, table, column, row["id"], row[parent] if parent else "", row[author] if author else "", key_id
    )


async def close(
    keys: KeyRing, table: str, organization_id: OrganizationId, row: Row, text: str | None
) -> tuple[str | None, bytes | None]:
    """Close a text under the organisation's current key.

    Args:
        row: its id, and the columns that TABLES names.

    Returns:
        The key's id and the record; twice None where there is no text.
    """
    if not text:
        return None, None
    key = await keys.current(organization_id)
    return key.id, _closed(key, table, organization_id, row, text)


async def open_(keys: KeyRing, table: str, organization_id: OrganizationId, row: Row) -> str | None:
    """The text of a row that carries its key_id and its record; None where it has none. Raises Unavailable if damaged."""
    record = row[TABLES[table][0]]
    if record is None:
        return None
    return _opened(await keys.get(organization_id, row["key_id"]), table, organization_id, row, record)


async def close_anew(
    connection: asyncpg.Connection, keys: KeyRing, table: str, after: str, limit: int, dry_run: bool
) -> tuple[list[str], list[str]]:
    """Close texts under retired keys anew under the current one, in id order; their ids, and of those that do not open.

    Args:
        connection: of the login that owns the tables, in a transaction.
        after: the last id of the batch before.
    """
    column = TABLES[table][0]
    rows = await connection.fetch(
        f"""select r.* from {table} r join organization_keys k on (k.organization_id, k.id) = (r.organization_id, r.key_id)
             where k.retired_at is not null and r.id > $1 order by r.id limit $2 for no key update of r""",
        after,
        limit,
    )
    unopened = []
    for row in map(dict, rows) if not dry_run else ():
        organization_id = row["organization_id"]
        try:
            old, new = await keys.get(organization_id, row["key_id"]), await keys.current(organization_id)
            record = _closed(new, table, organization_id, row, _opened(old, table, organization_id, row, row[column]))
        except Unavailable:
            unopened.append(row["id"])
            continue
        await connection.execute(
            f"update {table} set key_id = $3, {column} = $4 where (organization_id, id) = ($1, $2)",
            *(organization_id, row["id"], new.id, record),
        )
    return [row["id"] for row in rows], unopened


def _closed(key: DataKey, table: str, organization_id: str, row: Row, text: str) -> bytes:
    return seal(key.cipher, text.encode(), _place(table, organization_id, row, key.id))


def _opened(key: DataKey, table: str, organization_id: str, row: Row, record: bytes) -> str:
    return unseal(key.cipher, record, _place(table, organization_id, row, row["key_id"])).decode()

"""Pictures at rest: encrypted with the organisation's key, bound to their row and the person they are of."""

from typing import Literal

import asyncpg

from server.crypto import DataKey, KeyRing, associated, seal, unseal
from server.db import Transaction
from server.errors import Unavailable
from server.ids import OrganizationId, PictureId

Size = Literal["large", "small"]
SIZES: tuple[Size, ...] = ("large", "small")

_RETIRED = """
select p.* from pictures p join organization_keys k on (k.organization_id, k.id) = (p.organization_id, p.key_id)
 where k.retired_at is not null and p.id > $1 order by p.id limit $2 for update of p"""


def _place(organization_id: str, picture_id: str, person_id: str, size: str, key_id: str) -> bytes:
    return associated(organization_id, "pictures", size, picture_id, person_id, key_id)


def close(key: DataKey, organization_id: str, picture_id: str, person_id: str, size: Size, picture: bytes) -> bytes:
    """Encrypt one size of a picture for its place."""
    return seal(key.cipher, picture, _place(organization_id, picture_id, person_id, size, key.id))


def open_with(key: DataKey, organization_id: str, picture_id: str, person_id: str, size: Size, record: bytes) -> bytes:
    """One size of a picture. Raises Unavailable when it does not open where it stands."""
    return unseal(key.cipher, record, _place(organization_id, picture_id, person_id, size, key.id))


async def keep(
    tx: Transaction, organization_id: OrganizationId, person_id: str, large: bytes, small: bytes
) -> PictureId:
    """Write a picture; who shows it where is written elsewhere."""
    key, picture_id = await tx.keys.current(organization_id), PictureId.new()
    closed = [
        close(key, organization_id, picture_id, person_id, size, picture)
        for size, picture in zip(SIZES, (large, small), strict=True)
    ]
    await tx.rows(
        "insert into pictures (organization_id, id, person_id, key_id, large, small) values ($1, $2, $3, $4, $5, $6)",
        *(organization_id, picture_id, person_id, key.id, *closed),
    )
    return picture_id


async def read(tx: Transaction, organization_id: OrganizationId, picture_id: str, size: Size) -> bytes:
    """One size of a picture that is known to be there. Raises Unavailable when it does not open."""
    [row] = await tx.rows(
        f"select person_id, key_id, {size} as record from pictures where (organization_id, id) = ($1, $2)",
        *(organization_id, picture_id),
    )
    key = await tx.keys.get(organization_id, row["key_id"])
    return open_with(key, organization_id, picture_id, row["person_id"], size, row["record"])


async def close_anew(
    connection: asyncpg.Connection, keys: KeyRing, after: str, limit: int, dry_run: bool
) -> tuple[list[str], list[str]]:
    """Close pictures under retired keys anew under the current one, in id order; their ids, and of those that do not open.

    Args:
        connection: of the login that owns the tables, in a transaction.
        after: the last id of the batch before.
    """
    rows = await connection.fetch(_RETIRED, after, limit)
    unopened = []
    for row in rows if not dry_run else ():
        place = (row["organization_id"], row["id"], row["person_id"])
        try:
            old, new = await keys.get(place[0], row["key_id"]), await keys.current(place[0])
            closed = [close(new, *place, size, open_with(old, *place, size, row[size])) for size in SIZES]
        except Unavailable:
            unopened.append(row["id"])
            continue
        await connection.execute(
            "update pictures set key_id = $3, large = $4, small = $5 where (organization_id, id) = ($1, $2)",
            *(*place[:2], new.id, *closed),
        )
    return [row["id"] for row in rows], unopened

"""What `warmline keys` reads and does in the database past the application's rights: counting, closing anew, dropping."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from server.chat.reencryption import Progress, next_batch
from server.config import Settings
from server.crypto import RETIRED_SECONDS, KeyRing, MasterKey
from server.errors import Misconfigured, Unavailable

REFERRING = """
select c.conrelid::regclass::text as name from pg_constraint c
 where c.contype = 'f' and c.confrelid = 'organization_keys'::regclass order by 1"""
"""The tables with records under data keys, as the schema's references say."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A data key, as it is listed."""

    organization_id: str
    key_id: str
    created_at: datetime
    retired_at: datetime | None
    records: int
    wrapped_by: str | None

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        retired = self.retired_at.isoformat() if self.retired_at else None
        return {
            "organization_id": self.organization_id,
            "id": self.key_id,
            "created_at": self.created_at.isoformat(),
            "retired_at": retired,
            "records": self.records,
            "wrapped_by": self.wrapped_by,
        }

    def line(self) -> str:
        """For people."""
        state = f"retired {self.retired_at:%Y-%m-%d}" if self.retired_at else "current"
        by = f"wrapped by {self.wrapped_by}" if self.wrapped_by else "OPENS UNDER NO MASTER KEY"
        return f"{self.organization_id}  {self.key_id}  made {self.created_at:%Y-%m-%d}  {state}  {self.records} records  {by}"


async def entries(url: str, settings: Settings) -> list[Entry]:
    """All data keys."""
    master = MasterKey.read(*settings.master_key_files)
    connection = await asyncpg.connect(url, timeout=10, server_settings={"role": "warmline_app"})
    try:
        used = await records(connection)
        rows = await connection.fetch("select * from organization_keys order by organization_id, created_at, id")
    finally:
        await connection.close()
    found = []
    for row in rows:
        ids = row["organization_id"], row["id"]
        try:
            by: str | None = str(settings.master_key_files[master.wrapper(*ids, row["wrapped"])])
        except Unavailable:
            by = None
        found.append(Entry(*ids, row["created_at"], row["retired_at"], used.get(ids, 0), by))
    return found


async def records(connection: asyncpg.Connection) -> dict[tuple[str, str], int]:
    """How many records each data key has closed and still has, by (organisation, key)."""
    found: dict[tuple[str, str], int] = {}
    for table in await connection.fetch(REFERRING):
        counted = f"select organization_id, key_id, count(*) from {table['name']} group by 1, 2"
        for organization_id, key_id, count in await connection.fetch(counted):
            found[organization_id, key_id] = found.get((organization_id, key_id), 0) + count
    return found


async def reencrypt(url: str, settings: Settings, pause: float, dry_run: bool) -> Progress:
    """Close everything under retired keys anew, batch by batch."""
    connection = await _owner(url)
    progress = Progress()
    try:
        keys = KeyRing(MasterKey.read(*settings.master_key_files), connection)
        while await next_batch(connection, keys, progress, dry_run):
            await asyncio.sleep(pause)
    finally:
        await connection.close()
    return progress


async def drop(url: str, dry_run: bool) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """Remove retired keys without records: (organisation, key) of these; and with the reason, of those that are kept."""
    connection = await _owner(url)
    dropped: list[tuple[str, str]] = []
    kept: list[tuple[str, str, str]] = []
    try:
        used = await records(connection)
        for row in await connection.fetch(
            "select organization_id, id, extract(epoch from now() - retired_at)::float8 as seconds from organization_keys"
            " where retired_at is not null order by organization_id, created_at, id"
        ):
            ids = row["organization_id"], row["id"]
            if used.get(ids):
                kept.append((*ids, f"it opens {used[ids]} records; `warmline keys re-encrypt` first"))
            elif row["seconds"] < RETIRED_SECONDS:
                kept.append(
                    (*ids, f"it was retired less than {RETIRED_SECONDS // 60} minutes ago and may still be in use")
                )
            elif dry_run or await _deleted(connection, *ids):
                dropped.append(ids)
            else:
                kept.append((*ids, "a record under it was written just now; `warmline keys re-encrypt` first"))
    finally:
        await connection.close()
    return dropped, kept


async def _owner(url: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(url, timeout=10)
    if await connection.fetchval("select has_table_privilege('organization_keys', 'DELETE')"):
        return connection
    await connection.close()
    raise Misconfigured(
        "DATABASE_URL: this takes the login that owns the tables; the application may not change records"
    )


async def _deleted(connection: asyncpg.Connection, organization_id: str, key_id: str) -> bool:
    """The references are what decides: as long as one record names the key, Postgres keeps it."""
    try:
        await connection.execute(
            "delete from organization_keys where (organization_id, id) = ($1, $2)", organization_id, key_id
        )
    except asyncpg.ForeignKeyViolationError:
        return False
    return True

"""Closes old revisions anew under the current data key, in bounded batches, so that a retired key is needed no more.

Runs as the owner of the tables, from the command line: the application itself can never change a revision. It may be
stopped at any time and begun again; readers notice nothing, because a row changes its key and its words together.
"""

from dataclasses import dataclass, field

import asyncpg

from server.chat import bodies
from server.crypto import KeyRing
from server.errors import Unavailable
from server.events import Words
from server.people import pictures, sealed

TABLES = {
    "message_revisions": ("ciphertext", "reason"),
    "pictures": pictures.SIZES,
    **{table: (column,) for table, (column, *_) in sealed.TABLES.items()},
}
"""The tables and columns with records under data keys that are closed anew here. A test compares this with the schema."""

BATCH = 500
"""Revisions looked at in one transaction."""
_PICTURES = 20
"""Pictures closed anew in one transaction."""

_PAGE = """
select r.organization_id, r.channel_id, r.message_id, r.revision, r.author_person_id as reviser_person_id,
       m.author_person_id, m.created_at, r.key_id, r.ciphertext, r.reason, k.retired_at is not null as retired
  from (select * from message_revisions where (message_id, revision) > ($1, $2)
         order by message_id, revision limit $3) r
  join messages m on (m.id, m.channel_id, m.organization_id) = (r.message_id, r.channel_id, r.organization_id)
  join organization_keys k on (k.organization_id, k.id) = (r.organization_id, r.key_id)
 order by r.message_id, r.revision"""
_CHANGE = """
update message_revisions r set key_id = n.key_id, ciphertext = n.ciphertext, reason = n.reason
  from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::bytea[], $8::bytea[])
    as n (organization_id, channel_id, message_id, revision, old_key_id, key_id, ciphertext, reason)
 where (r.message_id, r.revision, r.channel_id, r.organization_id, r.key_id)
     = (n.message_id, n.revision, n.channel_id, n.organization_id, n.old_key_id)"""


@dataclass
class Progress:
    """How far it is: the last revision, picture and text looked at, how many were closed anew, and which do not open."""

    message_id: str = ""
    revision: int = 0
    picture_id: str = ""
    text_ids: dict[str, str] = field(default_factory=dict)
    """By table of people/sealed.py."""
    changed: int = 0
    unopened: list[str] = field(default_factory=list)


async def next_batch(connection: asyncpg.Connection, keys: KeyRing, progress: Progress, dry_run: bool = False) -> bool:
    """Go on with the next BATCH revisions, then with pictures, in a transaction of their own; whether there may be more.

    Args:
        connection: of the login that owns the tables.
        keys: all data keys.
        progress: where to go on; brought up to date.
        dry_run: only count.
    """
    async with connection.transaction():
        rows = await connection.fetch(_PAGE, progress.message_id, progress.revision, BATCH)
        retired = [row for row in rows if row["retired"]]
        changes = []
        for row in retired:
            try:
                changes.append(await _anew(keys, row))
            except Unavailable:
                progress.unopened.append(row["message_id"])
        if changes and not dry_run:
            await connection.execute(_CHANGE, *(list(column) for column in zip(*changes, strict=True)))
    progress.changed += len(changes)
    if rows:
        progress.message_id, progress.revision = rows[-1]["message_id"], rows[-1]["revision"]
    return (
        len(rows) == BATCH
        or await _next_pictures(connection, keys, progress, dry_run)
        or await _next_texts(connection, keys, progress, dry_run)
    )


async def _next_pictures(connection: asyncpg.Connection, keys: KeyRing, progress: Progress, dry_run: bool) -> bool:
    async with connection.transaction():
        done, unopened = await pictures.close_anew(connection, keys, progress.picture_id, _PICTURES, dry_run)
    progress.changed += len(done) - len(unopened)
    progress.unopened += unopened
    progress.picture_id = done[-1] if done else progress.picture_id
    return len(done) == _PICTURES


async def _next_texts(connection: asyncpg.Connection, keys: KeyRing, progress: Progress, dry_run: bool) -> bool:
    for table in sealed.TABLES:
        after = progress.text_ids.get(table, "")
        async with connection.transaction():
            done, unopened = await sealed.close_anew(connection, keys, table, after, BATCH, dry_run)
        progress.changed += len(done) - len(unopened)
        progress.unopened += unopened
        progress.text_ids[table] = done[-1] if done else after
        if len(done) == BATCH:
            return True
    return False


async def _anew(keys: KeyRing, row: asyncpg.Record) -> tuple[str | int | bytes | None, ...]:
    """The revision's place, and its records under the current key."""
    organization_id, channel_id, message_id = row["organization_id"], row["channel_id"], row["message_id"]
    old, new = await keys.get(organization_id, row["key_id"]), await keys.current(organization_id)
    author, reviser, revision = row["author_person_id"], row["reviser_person_id"], row["revision"]
    closed: list[bytes | None] = []
    for column in TABLES["message_revisions"]:
        record = row[column]
        if record is None:
            closed.append(None)
            continue
        words = Words(
            message_id, 0, row["created_at"], "", None, None, revision, False, author, reviser, row["key_id"], record
        )
        text = bodies.open_with(old, organization_id, channel_id, words, column)
        closed.append(
            bodies.close(new, organization_id, channel_id, message_id, author, text, revision, reviser, column)
        )
    return organization_id, channel_id, message_id, revision, row["key_id"], new.id, *closed

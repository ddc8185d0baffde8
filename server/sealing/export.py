"""Reading the log out, as one that may read it and nothing else: an export line by line, heads, public keys."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from server.errors import Misconfigured, NotFound
from server.sealing.chain import NOTHING
from server.sealing.heads import Head
from server.sealing.lines import line
from server.sealing.sealer import ENTRY, TIME, entry

_SESSION = {
    "role": "warmline_auditor",
    "application_name": "warmline audit",
    "timezone": "UTC",
    "search_path": "public",
    "lock_timeout": "5s",
}
_PORTION = 500
_HEAD = f"h.organization_id, h.sequence, h.hash, {TIME.format('h.signed_at')} as signed_at, h.key_id, h.signature"
_SEALS = f"""select s.sequence, s.hash, {TIME.format("s.sealed_at")} as sealed_at, s.more, e.id is not null as there,
         {ENTRY}, (select jsonb_agg(to_jsonb(x) order by x.key_id) from (select {_HEAD} from audit_heads h
           where (h.organization_id, h.sequence) = (s.organization_id, s.sequence)) x)::text as heads
  from audit_seals s left join audit_entries e on (e.id, e.organization_id) = (s.entry_id, s.organization_id)
 where s.organization_id = $1 and s.sequence between $2 and $3 order by s.sequence"""
_OTHER_HEADS = f"""select {_HEAD} from audit_heads h where h.organization_id = $1 and not exists (
    select from audit_seals s where (s.organization_id, s.sequence) = (h.organization_id, h.sequence)) order by h.sequence"""
_WAITING = f"""select {ENTRY} from audit_entries e where e.organization_id = $1 and not exists (
    select from audit_seals s where (s.entry_id, s.organization_id) = (e.id, e.organization_id)) order by e.id"""
_SPAN = """select min(sequence) filter (where sealed_at >= coalesce($2::text::timestamptz, '-infinity')) as first,
         max(sequence) filter (where sealed_at < coalesce($3::text::timestamptz, 'infinity')) as last,
         max(sequence) as top from audit_seals where organization_id = $1"""


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that reads the log in one snapshot.

    Raises:
        Misconfigured: the login may not.
    """
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings=_SESSION)
    except asyncpg.InsufficientPrivilegeError:
        raise Misconfigured(
            "DATABASE_URL: this login may not read the access log. Run: grant warmline_auditor to <login>"
        ) from None
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


async def export(
    connection: asyncpg.Connection, organization_id: str, since: str | None = None, until: str | None = None
) -> AsyncIterator[str]:
    """One organisation's log, line by line (see `lines`).

    Args:
        connection: see `reading`.
        organization_id: whose.
        since: only what was sealed from then on (a time as Postgres reads it).
        until: only what was sealed before; then what waits for its seal is left out.

    Raises:
        NotFound: there is no such organisation.
    """
    if not await connection.fetchval("select true from organizations where id = $1", organization_id):
        raise NotFound("There is no such organization.")
    [span] = await connection.fetch(_SPAN, organization_id, since, until)
    top = span["top"] or 0
    first, last = span["first"] or top + 1, span["last"] or 0
    if since is None:
        first = 1  # also where the first seals are gone
    previous = await connection.fetchval(
        "select hash from audit_seals where (organization_id, sequence) = ($1, $2)", organization_id, first - 1
    )
    [now] = await connection.fetch(
        f"select {TIME.format('clock_timestamp()')} as now, (select entry_id from audit_mark) as mark"
    )
    yield line(
        "log",
        organization_id=organization_id,
        first=first,
        previous=previous or NOTHING,
        mark=now["mark"],
        as_of=now["now"],
        complete=until is None,
    )
    sealed = waiting = 0
    async for row in connection.cursor(_SEALS, organization_id, first, last, prefetch=_PORTION):
        sealed += 1
        for text in _sealed(dict(row)):
            yield text
    if until is None:
        for row in await connection.fetch(_OTHER_HEADS, organization_id):
            yield Head(**row).line()
        async for row in connection.cursor(_WAITING, organization_id, prefetch=_PORTION):
            waiting += 1
            yield line("waiting", entry=entry(dict(row)))
    yield line("end", sealed=sealed, waiting=waiting)


def _sealed(row: dict[str, Any]) -> list[str]:
    """A seal with its entry, after the heads that speak of it."""
    kept, there = row.pop("heads"), row.pop("there")
    seal = {name: row.pop(name) for name in ("sequence", "hash", "sealed_at", "more")}
    heads = [Head.read(head).line() for head in json.loads(kept or "[]")]
    return [*heads, line("sealed", **seal, entry=entry(row) if there else None)]


async def heads(connection: asyncpg.Connection, organization_id: str | None, *, all: bool = False) -> list[Head]:
    """The newest head of every organisation, or of one; or all there are."""
    newest = "" if all else "distinct on (h.organization_id)"
    order = "h.organization_id, h.sequence" + (", h.key_id" if all else " desc, h.signed_at desc")
    rows = await connection.fetch(
        f"select {newest} {_HEAD} from audit_heads h where $1::text is null or h.organization_id = $1 order by {order}",
        organization_id,
    )
    return [Head(**row) for row in rows]


async def public_keys(connection: asyncpg.Connection) -> dict[str, str]:
    """The public keys that heads in this database were signed with, by name; whether they are to be trusted is another matter."""
    rows = await connection.fetch("select key_id, public_key from audit_signing_keys order by since")
    return {row["key_id"]: row["public_key"] for row in rows}

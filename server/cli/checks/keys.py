"""The keys: the master key is one, it opens every organisation's current and retired keys, and none is used up."""

from pathlib import Path

import asyncpg

from server.cli.checks.findings import Finding, error, ok, warning
from server.cli.keylist import REFERRING, records
from server.crypto import MasterKey, made_up, raw_key
from server.errors import Misconfigured, Unavailable
from server.notices import vapid
from server.sealing.keys import read

PART = "keys"
USED_UP = 2**31
"""Records under one data key, half of the bound of random nonces: time for another one."""


async def check(connection: asyncpg.Connection, files: tuple[Path, ...], production: bool) -> list[Finding]:
    """The master keys, and what they open. The connection may act as warmline_app."""
    try:
        raw = [raw_key(path) for path in files]
    except Misconfigured as wrong:
        return [error(PART, str(wrong), "Bring the file back from its backup: without it no message can be read.")]
    found = []
    if any(map(made_up, raw)):
        do = "Make a random one (`warmline keys make`) and change to it (`warmline keys rewrap --help`)."
        says = "a master key was made up by somebody, not at random"
        found.append(error(PART, says, do) if production else warning(PART, says, do))
    if len(raw) > 1:
        do = "Once no process needs the others, name the first alone in WARMLINE_MASTER_KEY_FILE."
        found.append(warning(PART, f"{len(raw)} master keys are in use: the master key is being changed", do))
    master = MasterKey(*raw)
    rows = await connection.fetch(
        "select organization_id, id, wrapped, retired_at from organization_keys order by 1, 2"
    )
    return [*found, *_opened(master, rows), *await _current(connection), *await _bound(connection)]


def signing(path: Path | None) -> list[Finding]:
    """The key that the ends of the access log are signed with, where this process has one."""
    if path is None:
        return []
    try:
        read(path)
    except Misconfigured as wrong:
        return [
            error(PART, str(wrong), "Bring it back from its backup; with a new one, tell whoever checks the heads.")
        ]
    return [ok(PART, "the key that signs the access log can be used")]


def pushing(path: Path | None) -> list[Finding]:
    """The key that pushes are signed with."""
    if path is None:
        do = "Make a key (`warmline keys vapid FILE`) and name it there; or leave it, if nobody shall get pushes."
        return [warning(PART, "WARMLINE_VAPID_KEY_FILE: not set, so push is off", do)]
    try:
        vapid.read(path)
    except Misconfigured as wrong:
        return [error(PART, str(wrong), "Bring it back from its copy; for a new one every browser registers again.")]
    return [ok(PART, "the key that signs pushes can be used")]


def _opened(master: MasterKey, rows: list[asyncpg.Record]) -> list[Finding]:
    found, others = [], 0
    for row in rows:
        try:
            others += master.wrapper(row["organization_id"], row["id"], row["wrapped"]) != 0
        except Unavailable:
            state = "retired" if row["retired_at"] else "current"
            do = "Add the master key that wraps it to WARMLINE_MASTER_KEY_FILE, or bring the row back from a backup."
            says = f"the {state} data key {row['id']} of {row['organization_id']} opens under no master key"
            found.append(error(PART, says, do))
    if others:
        do = "Run `warmline keys rewrap` with the new master key first."
        found.append(
            warning(PART, f"{others} of {len(rows)} data keys are wrapped by a master key that is not the first", do)
        )
    return found or [ok(PART, f"the master key opens all {len(rows)} data keys")]


async def _current(connection: asyncpg.Connection) -> list[Finding]:
    rows = await connection.fetch(
        """select id from organizations o where not exists (select from organization_keys k
            where k.organization_id = o.id and k.retired_at is null)"""
    )
    do = "Run: warmline keys rotate"
    return [
        error(PART, f"{row['id']} has no current data key: nobody can write there", f"{do} {row['id']}") for row in rows
    ]


async def _bound(connection: asyncpg.Connection) -> list[Finding]:
    """Counting takes long where there is much, so it is done only where there may be too much."""
    tables = [row["name"] for row in await connection.fetch(REFERRING)]
    estimate = await connection.fetchval(
        "select coalesce(sum(greatest(reltuples, 0)), 0)::bigint from pg_class where oid = any ($1::regclass[])", tables
    )
    if estimate < USED_UP:
        return [ok(PART, "no data key has closed half as many records as it may (2^32)")]
    return [
        warning(PART, f"data key {key_id} has closed {count} records", f"Run: warmline keys rotate {organization_id}")
        for (organization_id, key_id), count in (await records(connection)).items()
        if count >= USED_UP
    ]

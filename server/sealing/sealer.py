"""The sealer: chains what was committed to the access log, exactly once and without passing anything over.

Ids are drawn before the commit, so a lower one may turn up later than a higher one. Therefore nothing is remembered as "sealed
up to here"; what is not sealed is asked for, beyond a mark below which nothing can turn up any more. The mark follows from
transaction ids: an entry draws its id after its transaction has got one (a trigger sees to it). So a transaction that first
sees the entry with id N and then gets its own id is younger than every one that drew a lower N. Once no transaction older than
it runs any more, all of those have ended, and what they committed is there to be seen.
"""

import logging
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.db import Transaction
from server.sealing import heads
from server.sealing.chain import NOTHING, Entry, link, parsed

log = logging.getLogger(__name__)

SEAL_SECONDS, HEAD_SECONDS = 1.0, 30.0
PORTION = 8000
"""Entries per round, at most: what is left comes with the next one."""

TIME = "coalesce(to_char({0} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), {0}::text)"
"""A time as it is sealed and signed; one that is none (infinity) as it stands."""
ENTRY = f"""e.organization_id, e.id, {TIME.format("e.at")} as at, e.actor_id, e.operation, e.outcome, e.patient_id,
  e.channel_id, e.facts::text as facts, e.request_id"""
"""The columns that an entry is made of."""

_ACT = "set local role warmline_sealer"
# In this order: first the highest id that is there, then a transaction id of one's own.
_TOP = "select coalesce(max(id), 0) as top, pg_current_xact_id_if_assigned() is null as fresh from audit_entries"
_OWN = "select pg_current_xact_id()::text as own"
_ROUND = f"""select m.entry_id as mark, pg_snapshot_xmin(pg_current_snapshot())::text as oldest_running,
  {TIME.format("clock_timestamp()")} as now from audit_mark m"""
# Lateral with a limit: one look-up per entry by its key, whatever the planner believes of a log that grows for years.
_UNSEALED = f"""select {ENTRY} from audit_entries e
  left join lateral (select s.sequence from audit_seals s
    where (s.entry_id, s.organization_id) = (e.id, e.organization_id) limit 1) s on true
  where e.id > $1 and s.sequence is null order by e.id limit $2"""
_ENDS = """select o.id, s.sequence, s.hash from unnest($1::text[]) o (id) cross join lateral (
  select sequence, hash from audit_seals a where a.organization_id = o.id order by sequence desc limit 1) s"""
_SEAL = """insert into audit_seals (organization_id, sequence, entry_id, hash, sealed_at, more)
  select organization_id, sequence, entry_id, hash, $5::text::timestamptz, $6
    from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) as s (organization_id, sequence, entry_id, hash)"""


def entry(row: dict[str, Any]) -> Entry:
    """An entry as it is sealed, from a row of ENTRY's columns."""
    return {**row, "facts": parsed(row["facts"])}


class Sealer:
    """Seals in rounds; what it remembers between them only makes them cheaper."""

    def __init__(self, key: Ed25519PrivateKey | None) -> None:
        self._key = key
        self._seen: list[tuple[int, int]] = []

    async def seal(self, tx: Transaction) -> int:
        """Seal what is committed and has no seal, oldest id first, PORTION at most; how many that were."""
        await tx.rows(_ACT)
        await self._look(tx)
        [now] = await tx.rows(_ROUND)
        found = [entry(row) for row in await tx.rows(_UNSEALED, now["mark"], PORTION + 1)]
        more = len(found) > PORTION
        del found[PORTION:]
        if found:
            await self._chain(tx, found, now["now"], more)
        final = [top for top, younger in self._seen if younger <= int(now["oldest_running"])]
        if final and not more:
            self._seen = self._seen[len(final) :]
            await tx.rows("update audit_mark set entry_id = $1 where entry_id < $1", final[-1])
        return len(found)

    async def sign(self, tx: Transaction) -> list[heads.Head]:
        """Sign the end of every chain that has grown since its last head, and log the heads."""
        if self._key is None:
            return []
        await tx.rows(_ACT)
        public = self._key.public_key()
        await tx.rows(
            "insert into audit_signing_keys (key_id, public_key) values ($1, $2) on conflict do nothing",
            heads.key_id(public),
            heads.public_text(public),
        )
        rows = await tx.rows(
            f"""select o.id, s.sequence, s.hash, {TIME.format("clock_timestamp()")} as now from organizations o
                cross join lateral (select sequence, hash from audit_seals a where a.organization_id = o.id
                                    order by sequence desc limit 1) s
                where not exists (select from audit_heads h
                                   where (h.organization_id, h.sequence, h.key_id) = (o.id, s.sequence, $1))""",
            heads.key_id(public),
        )
        signed = [heads.sign(self._key, row["id"], row["sequence"], row["hash"], row["now"]) for row in rows]
        for head in signed:
            await tx.rows(
                """insert into audit_heads (organization_id, sequence, hash, signed_at, key_id, signature)
                   values ($1, $2, $3, $4::text::timestamptz, $5, $6)""",
                *(head.organization_id, head.sequence, head.hash, head.signed_at, head.key_id, head.signature),
            )
            log.info("audit head: %s", head.line())
        return signed

    async def _chain(self, tx: Transaction, found: list[Entry], now: str, more: bool) -> None:
        places = sorted({one["organization_id"] for one in found})
        ends = {row["id"]: (row["sequence"], row["hash"]) for row in await tx.rows(_ENDS, places)}
        links = list(_links(found, ends, now, more))
        columns = [list(column) for column in zip(*links, strict=True)]
        await tx.rows(_SEAL, *columns, now, more)

    async def _look(self, tx: Transaction) -> None:
        """See how far ids have got, and then get a transaction id: that of whoever drew a lower one is lower."""
        [seen] = await tx.rows(_TOP)
        [begun] = await tx.rows(_OWN)
        if seen["fresh"] and (not self._seen or self._seen[-1][0] != seen["top"]):
            self._seen.append((seen["top"], int(begun["own"])))
        if len(self._seen) > 100:  # something has been running for long; the marks between may be left out
            del self._seen[1:-1:2]


def _links(
    found: Iterable[Entry], ends: dict[str, tuple[int, str]], now: str, more: bool
) -> Iterable[tuple[str, int, int, str]]:
    """Each entry's place in its organisation's chain: organisation, number, entry id, hash."""
    for one in found:
        organization_id = one["organization_id"]
        sequence, previous = ends.get(organization_id, (0, NOTHING))
        hash = link(previous, sequence + 1, now, more, one)
        ends[organization_id] = sequence + 1, hash
        yield organization_id, sequence + 1, one["id"], hash

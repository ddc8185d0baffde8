"""The channel log: read it since a position, in pages, and see what was written lately. Postgres has the truth of it.

Offsets are given by append_batch() in schema.sql alone; what calls it is server/chat/append.py. An Event carries the whole
current state of the message it is about, so that whoever gets it needs nothing else, and the words only as ciphertext.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from server.db import TRANSACTION_SECONDS, Transaction

LOOK_BACK_SECONDS = TRANSACTION_SECONDS + 5
"""What is written becomes visible at its commit, at the latest this much after the time that it carries."""


class Words(msgspec.Struct, array_like=True, frozen=True):
    """A message as it stands: where it belongs, who wrote it, and its current revision, encrypted."""

    message_id: str
    offset: int
    at: datetime
    author_id: str
    reply_to: str | None
    root_offset: int | None
    revision: int
    deleted: bool
    author_person_id: str
    reviser_person_id: str
    key_id: str
    ciphertext: bytes


class Event(msgspec.Struct, array_like=True, frozen=True):
    """One row of a channel's log; with offset 0, a passing signal that is not in the log.

    `facts` names memberships only: opens and ends (those that start and end here), by (whose act it was). A signal's
    facts also say what has been seen (offset) and at which top it was made (after).
    """

    epoch: str
    organization_id: str
    channel_id: str
    offset: int
    kind: str
    at: datetime
    audience: str = "all"
    target_offset: int | None = None
    facts: dict[str, Any] = {}
    words: Words | None = None


_encoder = msgspec.msgpack.Encoder(enc_hook=str)  # typed ids are strings
_decoder = msgspec.msgpack.Decoder(Event)

_SELECT = """e.organization_id, e.channel_id, e.log_offset, e.kind, e.audience, e.target_offset, e.facts, e.created_at,
  m.id as message_id, m.log_offset as message_offset, m.created_at as written_at, m.author_id, m.reply_to,
  root.log_offset as root_offset, m.revision, m.deleted_at is not null as deleted, m.author_person_id,
  r.author_person_id as reviser_person_id, r.key_id, r.ciphertext"""
_JOINS = """
  left join messages m on (m.organization_id, m.channel_id, m.id) = (e.organization_id, e.channel_id, e.message_id)
  left join messages root on (root.organization_id, root.channel_id, root.id) = (m.organization_id, m.channel_id, m.reply_to)
  left join message_revisions r
    on (r.organization_id, r.channel_id, r.message_id, r.revision) = (m.organization_id, m.channel_id, m.id, m.revision)"""
_SINCE = f"""select w.place, (select log_epoch()) as epoch, {_SELECT}
  from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) with ordinality as w (org, channel, after, most, place)
  cross join lateral (select * from events x where (x.organization_id, x.channel_id) = (w.org, w.channel)
                       and x.log_offset > w.after order by x.log_offset limit w.most) e {_JOINS}
 order by w.place, e.log_offset"""
# The page first, then what belongs to it: on plans of an empty table, all of a channel was looked through for each message.
_PAGE = f"""select {_SELECT}
  from (select * from events x where (x.organization_id, x.channel_id) = ($1, $2) and x.log_offset between $3 and $4
           and x.kind <> 'revised' and x.audience = any ($5) order by x.log_offset desc limit $6) e {_JOINS}
 order by e.log_offset desc"""

_ONE = f"""select {_SELECT} from events e {_JOINS}
 where (e.organization_id, e.channel_id, e.log_offset) = ($1, $2, $3)"""


def topic(organization_id: str, channel_id: str) -> str:
    """The Redis topic of a channel's events."""
    return f"warmline:c:{organization_id}:{channel_id}"


def person_topic(organization_id: str, person_id: str) -> str:
    """The Redis topic of a person: channels of theirs to look at again."""
    return f"warmline:p:{organization_id}:{person_id}"


def encode(event: Event) -> bytes:
    """An event as it travels through Redis."""
    return _encoder.encode(event)


def decode(payload: bytes) -> Event:
    """An event off Redis. Raises ValueError."""
    return _decoder.decode(payload)


def from_row(row: Any, epoch: str) -> Event:
    """An event from a row of the queries here."""
    words = None
    if row["message_id"] is not None:
        words = Words(
            row["message_id"], row["message_offset"], row["written_at"], row["author_id"], row["reply_to"], row["root_offset"],
            row["revision"], row["deleted"], row["author_person_id"], row["reviser_person_id"], row["key_id"],
            row["ciphertext"],
        )  # fmt: skip
    facts = row["facts"] or {}
    facts = json.loads(facts) if isinstance(facts, str) else facts
    return Event(
        epoch, row["organization_id"], row["channel_id"], row["log_offset"], row["kind"], row["created_at"], row["audience"],
        row["target_offset"], facts, words,
    )  # fmt: skip


async def since(pool: asyncpg.Pool, wanted: Sequence[tuple[str, str, int, int]]) -> list[list[Event]]:
    """For each (organisation, channel, after, limit), its events with a greater offset, ascending; one statement for all,
    that reads their epoch as well."""
    rows = await pool.fetch(_SINCE, *(list(column) for column in zip(*wanted, strict=True)))
    found: list[list[Event]] = [[] for _ in wanted]
    for row in rows:
        found[row["place"] - 1].append(from_row(row, row["epoch"]))
    return found


async def page(
    tx: Transaction,
    epoch: str,
    organization_id: str,
    channel_id: str,
    first: int,
    last: int,
    audiences: list[str],
    limit: int,
) -> list[Event]:
    """What a reader of the history sees between two offsets, newest first; changes show in what they changed."""
    rows = await tx.rows(_PAGE, organization_id, channel_id, first, last, audiences, limit)
    return [from_row(row, epoch) for row in rows]


async def one(tx: Transaction, epoch: str, organization_id: str, channel_id: str, offset: int) -> Event:
    """The event at an offset that is known to be there."""
    [row] = await tx.rows(_ONE, organization_id, channel_id, offset)
    return from_row(row, epoch)


async def epoch(reader: asyncpg.Pool | Transaction) -> str:
    """The identity of this incarnation of all logs."""
    if isinstance(reader, Transaction):
        return str((await reader.rows("select log_epoch() as epoch"))[0]["epoch"])
    return str(await reader.fetchval("select log_epoch()"))


async def written_lately(
    pool: asyncpg.Pool, seconds: float
) -> tuple[str, list[tuple[str, str, int]], list[tuple[str, str, str]]]:
    """The epoch; (organisation, channel, top) of what was written; (organisation, person, channel) of who came in."""
    async with pool.acquire() as connection:
        current = await connection.fetchval("select log_epoch()")
        tops = await connection.fetch(
            """select organization_id, channel_id, max(log_offset) from events
                where created_at > now() - $1 * interval '1 s' group by 1, 2""",
            seconds,
        )
        joined = await connection.fetch(
            """select organization_id, person_id, channel_id from memberships
                where joined_at > now() - $1 * interval '1 s' and left_at is null""",
            seconds,
        )
    return current, [tuple(row) for row in tops], [tuple(row) for row in joined]

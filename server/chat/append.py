"""The one writer of the log, for verbs: an event appended in their own transaction, announced after its commit.

The other caller of append_batch() is the batcher, for sends. Whoever appends here holds the channel's lock (server/locks.py).
"""

import json
from collections.abc import Sequence
from typing import Any

from server import events
from server.db import Transaction
from server.events import Event
from server.ids import ChannelId, MessageId, OrganizationId

CALL = """select *, (select log_epoch()) as epoch
  from append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""


async def append(
    tx: Transaction,
    organization_id: OrganizationId,
    channel_id: ChannelId,
    kind: str,
    facts: dict[str, Any] | None = None,
    *,
    audience: str = "all",
    message_id: MessageId | None = None,
    target_offset: int | None = None,
) -> Event:
    """Append one event that is not a send.

    Args:
        kind: joined, left, opened, archived, unarchived, renamed, asked, or revised (then with the message and its offset,
            whose new revision the caller has written in this transaction).
        facts: ids: opens, ends, by, replaces (memberships), person (a team member without one).
        audience: all or staff.

    Returns:
        The event, with its offset.

    Raises:
        LookupError: no such channel, or its lock is not held: a mistake in the calling verb.
    """
    none = [None]
    columns: tuple[list[Any], ...] = (
        [organization_id], [channel_id], [kind], none, [message_id], none, none, none, none, [audience], [target_offset],
        [json.dumps(facts) if facts else None],
    )  # fmt: skip
    [row] = await tx.rows(CALL, *columns)
    if row["outcome"] != "ok":
        raise LookupError(f"append: {row['outcome']}")
    event = await events.one(tx, row["epoch"], organization_id, channel_id, row["log_offset"])
    tx.announce(events.topic(organization_id, channel_id), events.encode(event))
    return event


async def append_many(
    tx: Transaction, organization_id: OrganizationId, items: Sequence[tuple[str, str, dict[str, Any]]]
) -> list[Event]:
    """Append any number of events that are about no message, in one statement, in the order given.

    Args:
        items: (channel, kind, facts), as of `append`.

    Raises:
        LookupError: no such channel, or its lock is not held: a mistake in the calling verb.
    """
    if not items:
        return []
    none = [None] * len(items)
    columns: tuple[list[Any], ...] = (
        [organization_id] * len(items), [channel for channel, _, _ in items], [kind for _, kind, _ in items], none, none, none,
        none, none, none, ["all"] * len(items), none, [json.dumps(facts) if facts else None for _, _, facts in items],
    )  # fmt: skip
    rows = sorted(await tx.rows(CALL, *columns), key=lambda row: row["item"])
    if wrong := {row["outcome"] for row in rows} - {"ok"}:
        raise LookupError(f"append_many: {sorted(wrong)}")
    made = [
        Event(row["epoch"], organization_id, channel, row["log_offset"], kind, row["created_at"], facts=facts)
        for row, (channel, kind, facts) in zip(rows, items, strict=True)
    ]
    for event in made:
        tx.announce(events.topic(organization_id, event.channel_id), events.encode(event))
    return made

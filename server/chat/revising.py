"""Editing and deleting messages, and reading what they said before (domain.md §3). Nothing is purged: deletion hides."""

from typing import Any

from pydantic import BaseModel, Field

from server.chat import bodies
from server.chat.append import append
from server.chat.channels import mine, standing
from server.chat.policy import may_revise
from server.chat.shapes import when
from server.db import Transaction
from server.errors import Conflict, NotFound, Unavailable
from server.events import Words
from server.ids import ChannelId, MessageId, PersonId, now
from server.locks import lock
from server.people.actors import Actor


class DeleteMessage(BaseModel):
    """Delete a message: a tombstone stands in its place. Staff can still read what it said."""

    channel_id: ChannelId
    message_id: MessageId
    expected_revision: int = Field(
        ge=1, le=2**31 - 2, description="The revision you have seen; refused if another stands"
    )
    reason: str | None = Field(None, description="1–500 characters; required for others' messages. For staff's eyes.")


class EditMessage(DeleteMessage):
    """Change the words of a message."""

    text: str = Field(description="1–8,000 code points after trimming")


class Revised(BaseModel):
    """The message as it stands now. Doing the same again answers the same."""

    message_id: MessageId
    revision: int
    deleted: bool


class ReadRevisions(BaseModel):
    """What a message has said, from the first wording on."""

    channel_id: ChannelId
    message_id: MessageId


class RevisionShape(BaseModel):
    """One revision. `text` is None for a deletion, and where it cannot be read; `reason` is of who changed another's words."""

    revision: int
    at: str
    person_id: PersonId
    text: str | None
    reason: str | None
    deletes: bool


class Revisions(BaseModel):
    """All revisions of a message, the first one first."""

    message_id: MessageId
    revisions: list[RevisionShape]


async def edit(tx: Transaction, actor: Actor, params: EditMessage) -> Revised:
    """Change the words of one's own message, or with messaging.manage and a reason of anyone's in a channel one is in.

    Raises:
        NotFound: not the actor's channel, or no such message in what they see of it. Forbidden: see policy.may_revise.
        Invalid: the text is none, or a reason is missing.
        Conflict: another revision stands by now, the message is deleted, or the channel is read-only.
    """
    return await _revise(tx, actor, params, bodies.trimmed(params.text))


async def delete(tx: Transaction, actor: Actor, params: DeleteMessage) -> Revised:
    """Delete one's own message, or another's; raises what edit raises."""
    return await _revise(tx, actor, params, None)


async def revisions(tx: Transaction, actor: Actor, params: ReadRevisions) -> Revisions:
    """What a message in one of the actor's channels has said, by whom and why it was changed. Raises NotFound."""
    channel = await mine(tx, actor, params.channel_id)
    message = await _message(tx, actor, channel, params.message_id)
    rows = await tx.rows(
        """select revision, author_person_id as person_id, key_id, ciphertext, created_at, deletes, reason
             from message_revisions where (organization_id, channel_id, message_id) = ($1, $2, $3) order by revision""",
        *(actor.organization_id, params.channel_id, params.message_id),
    )
    found = []
    for row in rows:
        text = None if row["deletes"] else await _opened(tx, actor, channel, message, row, "ciphertext")
        reason = await _opened(tx, actor, channel, message, row, "reason") if row["reason"] else None
        at, by = when(row["created_at"]), PersonId(row["person_id"])
        found.append(
            RevisionShape(
                revision=row["revision"], at=at, person_id=by, text=text, reason=reason, deletes=row["deletes"]
            )
        )
    return Revisions(message_id=params.message_id, revisions=found)


async def _message(tx: Transaction, actor: Actor, channel: dict[str, Any], message_id: MessageId) -> dict[str, Any]:
    """A message of a channel, at or above the actor's floor."""
    rows = await tx.rows(
        """select m.id, m.log_offset, m.author_person_id, m.revision, m.deleted_at is not null as deleted, m.created_at,
                  m.author_id, r.author_person_id as reviser_id, r.key_id, r.ciphertext, r.deletes
             from messages m join message_revisions r on (r.organization_id, r.channel_id, r.message_id, r.revision)
                  = (m.organization_id, m.channel_id, m.id, m.revision)
            where (m.organization_id, m.channel_id, m.id) = ($1, $2, $3) and m.log_offset >= $4""",
        *(actor.organization_id, channel["id"], message_id, channel["visible_from"]),
    )
    if not rows:
        raise NotFound("There is no such message.")
    return rows[0]


async def _revise(tx: Transaction, actor: Actor, params: DeleteMessage, text: str | None) -> Revised:
    """Write the next revision, and the event that says so; without a text, the revision that deletes."""
    reason = None if params.reason is None else bodies.trimmed(params.reason, "reason", bodies.MAX_REASON)
    await lock(tx, actor.organization_id, channels=[params.channel_id])
    channel = await mine(tx, actor, params.channel_id)
    message = await _message(tx, actor, channel, params.message_id)
    own = message["author_person_id"] == actor.person_id
    if refused := may_revise(standing(channel, actor), own, reason is not None):
        raise refused
    await _require_open(tx, actor, channel)
    if message["revision"] != params.expected_revision:
        if not await _repeats(tx, actor, channel, message, params.expected_revision, text):
            raise Conflict(
                f"expected_revision: somebody has changed this message; it is at revision {message['revision']}."
            )
        return Revised(message_id=params.message_id, revision=message["revision"], deleted=message["deleted"])
    if message["deleted"]:
        raise Conflict("This message is deleted.")
    await _write(tx, actor, message, channel["id"], text, reason)
    await append(
        tx, actor.organization_id, params.channel_id, "revised",
        message_id=params.message_id, target_offset=message["log_offset"],
    )  # fmt: skip
    return Revised(message_id=params.message_id, revision=message["revision"] + 1, deleted=text is None)


async def _require_open(tx: Transaction, actor: Actor, channel: dict[str, Any]) -> None:
    """Refuse where the channel is read-only, as a send would be."""
    if channel["status"] != "active":
        raise Conflict("This channel is archived and read-only. The message was not changed.")
    if channel["kind"] == "direct":
        others = await tx.rows(
            """select m.id from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
                where (m.organization_id, m.channel_id) = ($1, $2) and m.left_at is null and m.person_id <> $3
                  and p.status = 'active' limit 1""",
            *(actor.organization_id, channel["id"], actor.person_id),
        )
        if not others:
            raise Conflict("Nobody else is left in this channel. The message was not changed.")


async def _repeats(
    tx: Transaction, actor: Actor, channel: dict[str, Any], message: dict[str, Any], expected: int, text: str | None
) -> bool:
    """Whether this was done already: somebody whose reply was lost tries again."""
    if message["revision"] != expected + 1 or message["reviser_id"] != actor.person_id:
        return False
    if message["deleted"] or text is None:
        return bool(message["deleted"]) and text is None
    row = message | {"person_id": message["reviser_id"]}
    return await _opened(tx, actor, channel, message, row, "ciphertext") == text


async def _write(
    tx: Transaction, actor: Actor, message: dict[str, Any], channel_id: str, text: str | None, reason: str | None
) -> None:
    key = await tx.keys.current(actor.organization_id)
    revision = message["revision"] + 1
    place = (key, actor.organization_id, channel_id, message["id"], message["author_person_id"])
    sealed = bodies.close(*place, text or "", revision, actor.person_id)
    why = None if reason is None else bodies.close(*place, reason, revision, actor.person_id, "reason")
    at = now()
    await tx.rows(
        """insert into message_revisions (organization_id, channel_id, message_id, revision, author_person_id, key_id,
             ciphertext, created_at, deletes, reason) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        *(actor.organization_id, channel_id, message["id"], revision, actor.person_id, key.id, sealed, at),
        *(text is None, why),
    )
    await tx.rows(
        "update messages set revision = $4, deleted_at = $5 where (organization_id, channel_id, id) = ($1, $2, $3)",
        *(actor.organization_id, channel_id, message["id"], revision, at if text is None else None),
    )


async def _opened(
    tx: Transaction, actor: Actor, channel: dict[str, Any], message: dict[str, Any], row: dict[str, Any], column: str
) -> str | None:
    """A text of one revision; None where it does not open where it stands: the others can still be read."""
    words = Words(
        message["id"], message["log_offset"], message["created_at"], message["author_id"], None, None, row["revision"], False,
        message["author_person_id"], row["person_id"], row["key_id"], row[column],
    )  # fmt: skip
    try:
        key = await tx.keys.get(actor.organization_id, row["key_id"])
        return bodies.open_with(key, actor.organization_id, channel["id"], words, column)
    except Unavailable:
        return None

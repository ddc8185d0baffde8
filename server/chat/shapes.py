"""What goes over the wire about events and messages: always the complete current shape (design.md, life of a message).

A message names its author's membership, an id that exists in this one channel only; names come from the directory, which
has a shape per audience. So no publication holds a name, and one frame serves everybody of an audience.
"""

import logging
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from server import metrics
from server.chat import bodies
from server.crypto import KeyRing
from server.errors import Unavailable
from server.events import Event, Words

VOID = b'{"type":"void"}'
"""Stands at the offset of an event that a viewer may not see, so that offsets stay without a gap."""

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder(enc_hook=str).encode  # typed ids are strings


@lru_cache(1_000)  # all messages of a batch were written at the same moment, and each tells it twice
def when(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def item(event: Event, audience: str, keys: KeyRing, text: str | None = None) -> dict[str, Any]:
    """An event as its readers get it: the message it is about, whole, or who came, went, asked, closed, opened, renamed.

    `replaces` is whose place somebody takes; `person` a team member who is not in the channel: for staff alone.
    The keys must be loaded (bodies.load_keys); `text` is the message's, if it is known already. A message that does not open
    where it stands is said to be unreadable.
    """
    if event.words is not None:
        return _message(event, audience, keys, text)
    shape: dict[str, Any] = {"type": event.kind, "offset": event.offset, "at": when(event.at)}
    shape["members"] = [*event.facts.get("opens", ()), *event.facts.get("ends", ())]
    told = ("by", "replaces", "person") if audience == "staff" else ("by", "replaces")
    return shape | {name: event.facts[name] for name in told if event.facts.get(name)}


def _message(event: Event, audience: str, keys: KeyRing, text: str | None) -> dict[str, Any]:
    words = event.words
    assert words is not None
    shape: dict[str, Any] = {
        "type": "message",
        "id": words.message_id,
        "offset": words.offset,
        "revision": words.revision,
        "author": words.author_id,
        "at": when(words.at),
    }
    if words.reply_to is not None:
        shape["reply_to"] = {"id": words.reply_to, "offset": words.root_offset}
    changed = _changed(words, audience)
    if words.deleted:
        return shape | {"deleted": True} | changed
    try:
        if text is None:
            key = keys.at_hand(event.organization_id, words.key_id)
            text = bodies.open_with(key, event.organization_id, event.channel_id, words)
    except Unavailable:
        # Somebody has changed the database. The others of the page can be read, and an operator must hear of this one.
        metrics.UNREADABLE.labels("message").inc()
        log.error("message %s of channel %s does not open where it stands", words.message_id, event.channel_id)
        return shape | {"unreadable": True}
    shape["text"] = text
    return shape | {"edited": True} | changed if words.revision > 1 else shape


def _changed(words: Words, audience: str) -> dict[str, str]:
    """Who made a message what it is now: its author, or a team member, and to staff, which one (domain.md §3)."""
    if words.reviser_person_id == words.author_person_id:
        return {"changed_by": "author"}
    return {"changed_by": "team_member"} | ({"person": words.reviser_person_id} if audience == "staff" else {})


def publication(event: Event, audience: str, keys: KeyRing, text: str | None = None) -> bytes:
    """An event as JSON for one audience ("staff" or "patient"); see `item`."""
    if event.kind == "profile":
        return _encode({"type": "profile", "member": event.facts["by"]})
    if event.kind != "seen":
        return _encode(item(event, audience, keys, text))
    # Who has seen it is for staff; patients learn that the team has (domain.md §3).
    seen = {"type": "seen", "offset": event.facts["offset"]}
    return _encode(seen | ({"member": event.facts["by"]} if audience == "staff" else {}))

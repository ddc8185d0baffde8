"""The gateway's Log, over the product's own: channel keys are "organisation:channel", rows are the events."""

import time
from collections.abc import Sequence

import msgspec

from server import events
from server.chat import bodies, shapes
from server.db import Database
from server.events import Event
from server.gateway.ports import LogRow, Renewed


def key(organization_id: str, channel_id: str) -> str:
    """The key of a channel, or of a person: two organisations may use one id, never one key."""
    return f"{organization_id}:{channel_id}"


def ids(key: str) -> tuple[str, str]:
    """The organisation, and the channel or person, of a key."""
    organization_id, _, id = key.partition(":")
    return organization_id, id


class ChatLog:
    """See server.gateway.ports.Log."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checked = time.monotonic()
        self.epoch = ""

    async def since(self, wanted: Sequence[tuple[str, int, int]]) -> Sequence[Sequence[LogRow]]:
        """See Log."""
        asked = [(*ids(key), after, limit) for key, after, limit in wanted]
        found = await events.since(self._database.reads, asked)
        for (organization_id, *_), some in zip(asked, found, strict=True):
            await bodies.load_keys(self._database.keys, organization_id, [event.words for event in some if event.words])
        # After the last wait: from here to whoever asked, the known epoch stays what it is.
        if any(event.epoch != self.epoch for some in found for event in some[:1]):
            raise Renewed
        return [[_row(event) for event in some] for some in found]

    async def lately(self) -> tuple[Sequence[tuple[str, int]], Sequence[tuple[str, str]]]:
        """See Log. After a time without an answer it looks back further by as much."""
        started = time.monotonic()
        seconds = started - self._checked + events.LOOK_BACK_SECONDS
        self.epoch, tops, joined = await events.written_lately(self._database.reads, seconds)
        self._checked = started
        return (
            [(key(organization_id, channel_id), top) for organization_id, channel_id, top in tops],
            [
                (key(organization_id, person_id), key(organization_id, channel_id))
                for organization_id, person_id, channel_id in joined
            ],
        )

    def topic(self, key: str) -> str:
        """See Log."""
        return events.topic(*ids(key))

    def person_topic(self, person: str) -> str:
        """See Log."""
        return events.person_topic(*ids(person))

    def decode(self, key: str, payload: bytes) -> LogRow:
        """See Log. What another incarnation of the log says is none of ours; a key not yet loaded makes a row to be read."""
        try:
            event = events.decode(payload)
        except msgspec.MsgspecError as wrong:
            raise ValueError("not an event") from wrong
        if (event.organization_id, event.channel_id) != ids(key):
            raise ValueError("an event of another channel")
        if event.offset and event.epoch != self.epoch:
            raise ValueError("an event of another epoch")
        if event.words and self._database.keys.known(event.organization_id, event.words.key_id) is None:
            raise ValueError("an event under a key that is not loaded")
        return _row(event)

    def told(self, event: Event, text: str) -> LogRow | None:
        """The row of a message that was written in this process, whose text is still at hand; None: of another epoch."""
        return _row(event, text) if event.epoch == self.epoch else None

    def publication(self, row: LogRow, audience: str) -> bytes:
        """See Log."""
        event, text = row.content
        return shapes.publication(event, audience, self._database.keys, text)

    def void(self) -> bytes:
        """See Log."""
        return shapes.VOID


def _row(event: Event, text: str | None = None) -> LogRow:
    """`text`: of its message, where it need not be decrypted."""
    return LogRow(
        key(event.organization_id, event.channel_id),
        event.offset,
        None if event.audience == "all" else event.audience,
        event.target_offset,
        tuple(event.facts.get("opens", ())),
        tuple(event.facts.get("ends", ())),
        (event, text),
        after=event.facts.get("after", 0),
        written=event.at.timestamp(),
    )

"""Clients that write down all they do and get: what the history checker judges."""

import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.history import Event
from tests.support.stream import Json, Stream
from tests.support.wire import Wire

RESET = 2500
"""The server ended a subscription that is to be begun anew (protocol.md §7)."""


class Recorder:
    """The events of a run, on one monotonic clock."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def say(self, kind: str, **facts: Any) -> None:
        """Write one event down, now."""
        self.events.append(Event(time.monotonic(), kind, **facts))


def named(item: Json) -> dict[str, str]:
    """What stands at an offset: the key and the id of a message (its words are its key), or the kind of anything else."""
    if item["type"] != "message":
        return {"key": "~" + item["type"]}
    return {"key": item.get("text", "~unreadable"), "message": item["id"]}


@dataclass
class Heard(Stream):
    """What one listener got of one channel, written down as it comes."""

    recorder: Recorder = field(kw_only=True)
    client: str = field(kw_only=True)
    person: str = field(kw_only=True)
    asked: tuple[str, int] | None = field(default=None, kw_only=True)
    _via: str = "live"

    def wish(self) -> Json:
        """See Stream."""
        self.asked = (self.epoch, self.position)
        return super().wish()

    def answered(self, result: Json) -> None:
        """See Stream."""
        self.recorder.say(
            "sub.ok", **self._who(), epoch=result["epoch"], offset=result.get("offset", 0), asked=self.asked,
            was=bool(result.get("was_recovering")), recovered=bool(result.get("recovered")),
        )  # fmt: skip
        self._via = "recovered"
        super().answered(result)
        self._via = "live"

    def take(self, publication: Json) -> None:
        """See Stream."""
        if publication.get("offset"):
            told = named(publication["data"])
            self.recorder.say(
                "deliver", **self._who(), epoch=self.epoch, offset=publication["offset"], via=self._via, **told
            )
        super().take(publication)

    def over(self, code: int) -> None:
        """The server ended it."""
        self.recorder.say("reset" if code == RESET else "ended", **self._who())

    def _who(self) -> dict[str, str]:
        return {"channel": self.channel, "client": self.client, "person": self.person}


class RecordedWire(Wire):
    """A raw connection whose subscriptions are Heard; a push that belongs to none is written down, too."""

    recorder: Recorder
    client = person = ""
    given_up = False

    def _pushed(self, push: Json) -> None:
        if self.given_up:
            return
        channel = push["channel"]
        stream = self.streams.get(channel)
        if stream is None and "pub" in push and not channel.startswith("#"):
            self.recorder.say(
                "deliver", channel=channel, client=self.client, person=self.person, offset=push["pub"].get("offset", 0),
                via="live", **named(push["pub"]["data"]),
            )  # fmt: skip
            return
        if stream is None and not channel.startswith("#"):
            return
        super()._pushed(push)
        if "unsubscribe" in push and isinstance(stream, Heard):
            stream.over(push["unsubscribe"]["code"])

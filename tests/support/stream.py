"""What one listener was given of one channel, over all its connections: a run of offsets, each one more than the last."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Stream:
    """A listener's record of a channel, and the position to go on from. Whatever breaks the rules is kept in `faults`."""

    channel: str
    epoch: str = ""
    position: int = 0
    items: list[tuple[int, Json]] = field(default_factory=list)
    signals: list[Json] = field(default_factory=list)
    ended: Json | None = None
    """The unsubscribe push, while no newer subscription stands."""
    recovered: int = 0
    """Publications that came with replies."""
    resets: int = 0
    """How often the position could not be continued from."""
    faults: list[str] = field(default_factory=list)

    def answered(self, result: Json) -> None:
        """A subscription stands: where it begins, and what it missed."""
        missed = result.get("publications", [])
        if self.epoch and result.get("recovered") and result.get("offset", 0) != self.position:
            self.faults.append(f"recovered from {result.get('offset', 0)}, not from {self.position}")
        if missed and not result.get("recovered"):
            self.faults.append("publications that were not recovered")
        self.resets += bool(result.get("was_recovering") and not result.get("recovered"))
        self.epoch, self.position, self.ended = result["epoch"], result.get("offset", 0), None
        self.recovered += len(missed)
        for publication in missed:
            self.take(publication)

    def take(self, publication: Json) -> None:
        """One publication, live or recovered."""
        offset, data = publication.get("offset", 0), publication["data"]
        if self.ended is not None:
            self.faults.append(f"offset {offset} after the end")
        if not offset:
            self.signals.append(data)
            return
        if offset != self.position + 1:
            self.faults.append(f"offset {offset} after {self.position}")
        self.position = offset
        self.items.append((offset, data))

    def wish(self) -> Json:
        """What a subscribe command says to go on from here."""
        return {"recover": True, "epoch": self.epoch, "offset": self.position}

    @property
    def offsets(self) -> list[int]:
        """The offsets given, in order."""
        return [offset for offset, _ in self.items]

    @property
    def texts(self) -> list[str]:
        """The messages' words, in order."""
        return [data["text"] for _, data in self.items if data["type"] == "message" and "text" in data]

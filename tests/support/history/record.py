"""What happened in a run with faults, as lines of JSON: one event each, on one monotonic clock.

| kind | says |
|---|---|
| plan | what the run must at least contain (`plan`), so that it is not vacuous |
| person, channel | which organisation a person or a channel belongs to |
| send.invoke, .ok, .fail, .info | one attempt to send `key`; ok: `message`, `offset`; fail: surely not done; info: who knows |
| sub.ok | a subscription stands: `epoch`, `offset`, `was` (recovering), `recovered`, and the position `asked` for |
| deliver | one event reached `client`, `via` live, recovered or history; `key` as sent, or "~kind" for what is no send |
| reset, ended, closed | the server ended the subscription (2500), or for good; the connection is gone |
| member.add, member.remove | `person`'s membership changed: asked for at `since`, answered at `at`, standing at `offset` |
| fault.start, fault.stop | something was broken on purpose, and healed |
| healed | nothing is broken any more and nobody writes: from here on everybody must arrive |
| final | one row of the log, read afterwards; `via` sql, or history with the `gateway` that was asked |
| fault.missed | a fault that was planned did not take hold |
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Which fields are set depends on `kind`; see above."""

    at: float
    kind: str
    channel: str = ""
    client: str = ""
    person: str = ""
    organization: str = ""
    key: str = ""
    message: str = ""
    epoch: str = ""
    offset: int = 0
    via: str = ""
    was: bool = False
    recovered: bool = False
    asked: tuple[str, int] | None = None
    since: float = 0.0
    fault: str = ""
    gateway: str = ""
    why: str = ""
    plan: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """As a line of JSON, without what is not set."""
        told = {name: value for name, value in asdict(self).items() if value or name in ("at", "kind", "asked")}
        return json.dumps({name: value for name, value in told.items() if value is not None})

    @classmethod
    def read(cls, line: str) -> "Event":
        """The event of a line. Raises ValueError for what is none."""
        told = json.loads(line)
        if not isinstance(told, dict) or not {"at", "kind"} <= told.keys() <= {one.name for one in fields(cls)}:
            raise ValueError(f"not an event of a history: {line[:200]}")
        asked = told.get("asked")
        return cls(**{**told, "asked": (asked[0], asked[1]) if asked else None})


@dataclass
class Send:
    """Everything known of the attempts under one key."""

    key: str
    channel: str
    invoked: float
    oks: list[Event] = field(default_factory=list)
    fails: list[Event] = field(default_factory=list)
    attempts: int = 0

    @property
    def surely_not(self) -> bool:
        """Whether every attempt was refused for good."""
        return not self.oks and self.attempts == len(self.fails)


@dataclass(frozen=True)
class Plan:
    """What a run must contain to mean anything, and how soon sends must be answered again after a fault.

    `faults`: how often each must have happened. `loses`: the faults in whose time acknowledged sends may be lost, because
    the database itself lost its tail (R12, R13). `reaches`: seconds after `healed` until every listener is at the top.
    """

    sends: int = 1000
    recoveries: int = 50
    resets: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    loses: tuple[str, ...] = ()
    ok_within: float = 10.0
    reaches: float = 10.0


class History:
    """A run, in order, and the views of it that the checks need."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = sorted(events, key=lambda event: event.at)
        plans = self.of("plan")
        self.plan = Plan(**plans[-1].plan) if plans else Plan()

    @classmethod
    def read(cls, text: str) -> "History":
        """A history written down earlier."""
        return cls(Event.read(line) for line in text.splitlines() if line.strip())

    def of(self, *kinds: str) -> list[Event]:
        """The events of these kinds, in order."""
        return [event for event in self.events if event.kind in kinds]

    @cached_property
    def sends(self) -> dict[str, Send]:
        """By key."""
        found: dict[str, Send] = {}
        for event in self.of("send.invoke", "send.ok", "send.fail"):
            send = found.setdefault(event.key, Send(event.key, event.channel, event.at))
            send.attempts += event.kind == "send.invoke"
            if event.kind != "send.invoke":
                (send.oks if event.kind == "send.ok" else send.fails).append(event)
        return found

    @cached_property
    def log(self) -> dict[str, list[Event]]:
        """The rows of each channel as SQL gave them at the end, by offset."""
        rows: dict[str, list[Event]] = defaultdict(list)
        for event in self.of("final"):
            if event.via == "sql":
                rows[event.channel].append(event)
        return {channel: sorted(some, key=lambda row: row.offset) for channel, some in rows.items()}

    @cached_property
    def written(self) -> dict[str, list[Event]]:
        """The rows of the final log for each key that was sent."""
        found: dict[str, list[Event]] = defaultdict(list)
        for rows in self.log.values():
            for row in rows:
                if not row.key.startswith("~"):
                    found[row.key].append(row)
        return found

    def broken(self, names: Iterable[str] | None = None) -> list[tuple[float, float]]:
        """When faults (of these names) were on: from, until."""
        begun: dict[str, list[float]] = defaultdict(list)
        spans = []
        for event in self.of("fault.start", "fault.stop"):
            if names is not None and event.fault not in names:
                continue
            if event.kind == "fault.start":
                begun[event.fault].append(event.at)
            elif begun[event.fault]:
                spans.append((begun[event.fault].pop(0), event.at))
        last = self.events[-1].at if self.events else 0.0
        return sorted(spans + [(start, last) for starts in begun.values() for start in starts])


@dataclass(frozen=True)
class Finding:
    """Something that must not be: which check, where, and what is wrong, in words."""

    check: str
    where: str
    says: str

    def __str__(self) -> str:
        return f"{self.check} {self.where}: {self.says}"

"""A clinic held in memory, as far as the two pages can tell it from a real one: channels, their logs, and the operations.

It is there so that tests of the pages can make anything happen at will. The real server is tested elsewhere.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Listener = Callable[[str, Json], None]


class Refused(Exception):
    """An error the wire carries."""

    def __init__(self, code: int, message: str, temporary: bool = False) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message, **({"temporary": True} if temporary else {})}


@dataclass
class Person:
    key: str
    kind: str
    name: str
    role: str | None = None
    display_name: str | None = None
    permissions: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"p_{self.key}"


@dataclass
class Member:
    id: str
    person: Person
    active: bool = True
    read_offset: int = 0
    floor: int = 1


@dataclass
class Channel:
    id: str
    kind: str
    patient: Person | None = None
    name: str | None = None
    status: str = "active"
    epoch: str = "e1"
    log: list[Json] = field(default_factory=list)  # the events; an event's offset is its place, from 1
    members: dict[str, Member] = field(default_factory=dict)
    sent: dict[tuple[str, str], Json] = field(default_factory=dict)

    @property
    def top(self) -> int:
        return len(self.log)

    def member_of(self, person: Person) -> Member | None:
        return next((m for m in self.members.values() if m.person is person and m.active), None)

    def items(self) -> dict[int, Json]:
        """The present shape of every item, by its own offset."""
        return {event["offset"]: event for event in self.log if event["type"] != "void"}


class Clinic:
    """Everything there is. `listeners` hear (channel id, {"pub": …, "to"?: kind of person}) as it happens."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.listeners: list[Listener] = []
        self._ids = itertools.count(1)
        self.now = lambda: datetime.now(UTC)

    def person(self, key: str, kind: str, name: str, **more: Any) -> Person:
        self.people[key] = Person(key, kind, name, **more)
        return self.people[key]

    def channel(self, id: str, kind: str, *people: Person, **more: Any) -> Channel:
        if kind in ("care_team", "service_team"):
            more["patient"] = next(person for person in people if person.kind == "patient")
        made = self.channels[id] = Channel(id, kind, **more)
        for person in people:
            self._join(made, person)
        self.append(made, {"type": "opened", "members": list(made.members)})
        return made

    def _join(self, channel: Channel, person: Person) -> Member:
        member = Member(f"m_{channel.id}_{person.key}_{len(channel.members)}", person)
        channel.members[member.id] = member
        return member

    def append(self, channel: Channel, data: Json, *, at: datetime | None = None) -> Json:
        """One more event; an item without an offset gets the event's own."""
        moment = (at or self.now()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {"offset": channel.top + 1, "at": moment, **data}
        channel.log.append(event)
        for listener in self.listeners:
            listener(channel.id, {"pub": {"offset": channel.top, "data": event}})
        return event

    def say(self, channel: Channel, person: Person, text: str, **more: Any) -> Json:
        member = channel.member_of(person)
        assert member is not None
        at = more.pop("at", None)
        data = {"type": "message", "id": f"msg_{next(self._ids):05}", "revision": 1, "author": member.id, "text": text}
        return self.append(channel, {**data, **more}, at=at)

    def _seen(self, channel: Channel, member: Member) -> None:
        """Staff hear whose mark moved, patients only that the team has read."""
        seen = {"type": "seen", "offset": member.read_offset}
        for listener in self.listeners:
            listener(channel.id, {"pub": {"data": {**seen, "member": member.id}}, "to": "team_member"})
            if member.person.kind == "team_member":
                listener(channel.id, {"pub": {"data": seen}, "to": "patient"})

    def unread(self, channel: Channel, member: Member) -> int:
        later = [item for offset, item in channel.items().items() if offset > member.read_offset]
        return min(100, sum(item["type"] == "message" and item["author"] != member.id for item in later))

    # ---- the operations, named as on the wire with "_" for "."

    def mine(self, person: Person, params: Json) -> tuple[Channel, Member]:
        channel = self.channels.get(params.get("channel_id", ""))
        member = channel and channel.member_of(person)
        if not channel or not member:
            raise Refused(404, "There is no such channel among yours.")
        return channel, member

    def me(self, person: Person, params: Json) -> Json:
        who = {"id": person.id, "kind": person.kind, "name": person.name}
        clinic = {"id": "org_1", "name": "Demo Clinic"}
        return {"person": who, "organization": clinic, "permissions": person.permissions}

    def channel_list(self, person: Person, params: Json) -> Json:
        return {"channels": [self._shape(c, m, person) for c in self.channels.values() if (m := c.member_of(person))]}

    def _shape(self, channel: Channel, member: Member, person: Person) -> Json:
        patient = channel.patient
        about = patient and {"id": patient.id, "name": patient.name, "display_name": patient.display_name}
        messages = [i for i in channel.items().values() if i["type"] == "message"]
        return {
            "id": channel.id, "kind": channel.kind, "name": channel.name, "status": channel.status,
            "member_id": member.id, "top": channel.top, "read_offset": member.read_offset,
            "unread": self.unread(channel, member), "last_at": messages[-1]["at"] if messages else None,
            **({"patient": about} if person.kind == "team_member" else {}),
        }  # fmt: skip

    def channel_directory(self, person: Person, params: Json) -> Json:
        channel, _ = self.mine(person, params)
        staff = person.kind == "team_member"
        shape = self._staff_member if staff else self._patient_member
        team = [m.read_offset for m in channel.members.values() if m.person.kind == "team_member"]
        return {"members": [shape(m, person) for m in channel.members.values()], "seen_offset": max(team, default=0)}

    def _staff_member(self, member: Member, reader: Person) -> Json:
        who = member.person
        patient = who.kind == "patient"
        return {
            "id": member.id, "kind": who.kind, "name": who.display_name or who.name, "role": who.role,
            "real_name": who.name if patient else None, "person_id": who.id, "active": member.active,
            "me": who is reader, "read_offset": member.read_offset,
        }  # fmt: skip

    def _patient_member(self, member: Member, reader: Person) -> Json:
        who = member.person
        name = who.name if who.kind == "team_member" else who.display_name or "Group member"
        return {"id": member.id, "kind": who.kind, "name": name, "active": member.active, "me": who is reader}

    def message_history(self, person: Person, params: Json) -> Json:
        channel, member = self.mine(person, params)
        before = params.get("before", channel.top + 1)
        found = [i for o, i in sorted(channel.items().items(), reverse=True) if member.floor <= o < before]
        limit = params.get("limit", 50)
        return {"epoch": channel.epoch, "offset": channel.top, "items": found[:limit], "more": len(found) > limit}

    def message_send(self, person: Person, params: Json) -> Json:
        channel, _ = self.mine(person, params)
        key = (person.key, params["client_id"])
        if key not in channel.sent:
            if channel.status == "archived":
                raise Refused(403, "This conversation is closed.")
            said = self.say(channel, person, params["text"].strip())
            channel.sent[key] = {"message_id": said["id"], "offset": said["offset"], "at": said["at"]}
        return channel.sent[key]

    def channel_read(self, person: Person, params: Json) -> Json:
        channel, member = self.mine(person, params)
        member.read_offset = max(member.read_offset, min(params["offset"], channel.top))
        self._seen(channel, member)
        return {"read_offset": member.read_offset, "unread": self.unread(channel, member)}

    def member_add(self, person: Person, params: Json) -> Json:
        channel, _ = self.mine(person, params)
        added = self._join(channel, next(p for p in self.people.values() if p.id == params["person_id"]))
        event = self.append(channel, {"type": "joined", "members": [added.id]})
        return {"member_id": added.id, "offset": event["offset"]}

    def member_remove(self, person: Person, params: Json) -> Json:
        channel, _ = self.mine(person, params)
        team = [m for m in channel.members.values() if m.active and m.person.kind == "team_member"]
        if [m.id for m in team] == [params["member_id"]]:
            raise Refused(409, "A patient’s channel needs a team member: add another one first.")
        channel.members[params["member_id"]].active = False
        event = self.append(channel, {"type": "left", "members": [params["member_id"]]})
        return {"offset": event["offset"]}

    def channel_activate(self, person: Person, params: Json) -> Json:
        patient = next(p for p in self.people.values() if p.id == params["patient_id"])
        team = [p for p in self.people.values() if p.id in params["team_member_ids"]]
        made = self.channel(f"chn_{patient.key}", "care_team", patient, *team)
        return {"created": True, "channel_id": made.id if person in team else None}

    def team_member_list(self, person: Person, params: Json) -> Json:
        team = [p for p in self.people.values() if p.kind == "team_member"]
        shapes = [{"id": p.id, "name": p.name, "role": p.role, "email": "", "status": "active"} for p in team]
        return {"team_members": shapes, "more": False}

    def patient_list(self, person: Person, params: Json) -> Json:
        return {"patients": [self._patient(p) for p in self.people.values() if p.kind == "patient"], "more": False}

    def patient_create(self, person: Person, params: Json) -> Json:
        if "@" not in params["email"]:
            raise Refused(422, "email: this is not an email address.")
        return self._patient(self.person(f"new-{len(self.people)}", "patient", params["legal_name"]))

    def _patient(self, patient: Person) -> Json:
        theirs = [c.status for c in self.channels.values() if c.kind == "care_team" and c.patient is patient]
        care = theirs[0] if theirs else "none"
        return {
            "id": patient.id, "legal_name": patient.name, "preferred_name": None, "display_name": patient.display_name,
            "email": f"{patient.key}@example.org", "status": "active", "care_team": care,
        }  # fmt: skip

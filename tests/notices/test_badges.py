"""Badges stay right: whatever happens, the badge and the channel list equal a count made by hand, and all read is zero.

The count is a second, simple implementation: it is told what people did and what offsets came of it, and knows no SQL.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from server.errors import Conflict, Forbidden, NotFound
from server.notices import badges
from tests.support.cast import Clinic

STEPS = 150


@dataclass
class Place:
    """Somebody's place in a channel."""

    mark: int
    floor: int
    hidden_at: int = -1
    muted: bool = False
    flagged: bool = False


@dataclass
class Said:
    """A message."""

    offset: int
    author: str
    id: str
    revision: int = 1
    deleted: bool = False


@dataclass
class Channel:
    """A channel as it is remembered by hand."""

    id: str
    kind: str
    top: int
    active: bool = True
    places: dict[str, Place] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)

    def unread(self, person: str) -> int:
        """Messages of others after the mark that are not deleted, capped."""
        mark = self.places[person].mark
        return min(100, sum(1 for one in self.said if one.offset > mark and one.author != person and not one.deleted))

    def hidden(self, person: str) -> bool:
        """Hidden, and nothing was written since."""
        return self.places[person].hidden_at >= self.top


class Memory:
    """Everything that happened, and what is unread by it."""

    def __init__(self, clinic: Clinic, chance: random.Random) -> None:
        self.clinic, self.chance = clinic, chance
        self.channels: list[Channel] = []
        self.people: list[str] = []
        self.did: dict[str, int] = {}

    async def open(self) -> None:
        """Three team members, two patients, and a channel of each kind that counts."""
        clinic = self.clinic
        staff = [clinic.clinician, await clinic.team_member("ADMIN"), await clinic.team_member()]
        patients = [await clinic.patient(), await clinic.patient()]
        self.people = [*staff, *patients]
        for kind, members, about in (
            ("care_team", [patients[0], *staff[:2]], patients[0]),
            ("service_team", [patients[0], *staff], patients[0]),
            ("staff", staff, patients[1]),
            ("group", [*patients, *staff[:2]], None),
            ("direct", staff[:2], None),
        ):
            made = await clinic.channel(kind, *members, patient=about)
            channel = Channel(made, kind, await clinic.top(made))
            rows = await clinic.sql("select person_id, read_offset from memberships where channel_id = $1", made)
            channel.places = {row["person_id"]: Place(row["read_offset"], 1) for row in rows}
            assert {place.mark for place in channel.places.values()} <= {0, 1}
            self.channels.append(channel)

    def total(self, person: str) -> int:
        """The badge, by hand."""
        mine = [one for one in self.channels if person in one.places and one.active and not one.hidden(person)]
        return min(100, sum(one.unread(person) for one in mine))

    def lines(self, person: str) -> dict[str, tuple[int, bool, bool, bool, bool]]:
        """What the channel list says, by hand: unread, flagged, muted, hidden, archived."""
        return {
            one.id: (one.unread(person), place.flagged, place.muted, one.hidden(person), not one.active)
            for one in self.channels
            if (place := one.places.get(person))
        }

    async def agree_on_total(self, person: str) -> None:
        """Compare the badge of one."""
        async with self.clinic.database.transaction() as tx:
            assert await badges.total(tx, self.clinic.organization_id, person) == self.total(person), self.did

    async def agree(self) -> None:
        """Compare, for everybody."""
        for person in self.people:
            await self.agree_on_total(person)
            listed = (await self.clinic.call(person, "channel.list"))["channels"]
            told = {
                one["id"]: (
                    *(one[name] for name in ("unread", "marked_unread", "muted", "hidden")),
                    one["status"] == "archived",
                )
                for one in listed
            }
            assert told == self.lines(person), self.did

    async def step(self) -> None:
        """Somebody does something; what is refused has not happened."""
        acts = [self.send] * 6 + [self.read] * 5 + [
            self.read_elsewhere, self.edit, self.delete, self.delete, self.burst, self.leave, self.leave, self.come_back,
            self.come_back, self.come_back, self.archive, self.unarchive, self.unarchive, self.flag, self.mute, self.hide,
        ]  # fmt: skip
        act = self.chance.choice(acts)
        channel = self.chance.choice([one for one in self.channels if one.places])  # a staff channel may be left by all
        person = self.chance.choice(sorted(channel.places))
        try:
            await act(channel, person)
        except (Conflict, Forbidden, NotFound):
            self.did[f"{act.__name__}, refused"] = self.did.get(f"{act.__name__}, refused", 0) + 1
        else:
            self.did[act.__name__] = self.did.get(act.__name__, 0) + 1
        channel.top = await self.clinic.top(channel.id)
        for one in self.people[:2]:
            await self.agree_on_total(one)

    async def call(self, person: str, name: str, channel: Channel, **params: Any) -> Any:
        return await self.clinic.call(person, name, channel_id=channel.id, **params)

    async def send(self, channel: Channel, person: str) -> None:
        sent = await self.clinic.send(person, channel.id, "Text")
        channel.said.append(Said(sent["offset"], person, sent["message_id"]))

    async def burst(self, channel: Channel, person: str) -> None:
        for _ in range(self.chance.choice((5, 60))):
            await self.send(channel, person)

    async def read(self, channel: Channel, person: str) -> None:
        place = channel.places[person]
        offset = self.chance.choice(
            (channel.top, self.chance.randint(place.floor - 1, max(place.floor - 1, channel.top)))
        )
        await self.call(person, "channel.read", channel, offset=offset)
        if offset >= place.mark:
            place.mark, place.flagged = offset, False

    async def read_elsewhere(self, channel: Channel, person: str) -> None:
        """Another device reads on from where it was: its mark comes late, or again."""
        place = channel.places[person]
        for offset in (channel.top, max(place.floor - 1, place.mark - 2)):
            await self.call(person, "channel.read", channel, offset=offset)
        place.mark, place.flagged = max(place.mark, channel.top), False

    def own(self, channel: Channel, person: str) -> Said:
        """A message of theirs that stands, rather a late one."""
        stands = [one for one in channel.said if one.author == person and not one.deleted][-3:]
        if not stands:
            raise Conflict("Nothing to change.")
        return self.chance.choice(stands)

    async def edit(self, channel: Channel, person: str) -> None:
        said, text = self.own(channel, person), "Other words"
        await self.call(person, "message.edit", channel, message_id=said.id, text=text, expected_revision=said.revision)
        said.revision += 1

    async def delete(self, channel: Channel, person: str) -> None:
        said = self.own(channel, person)
        await self.call(person, "message.delete", channel, message_id=said.id, expected_revision=said.revision)
        said.deleted = True

    async def leave(self, channel: Channel, person: str) -> None:
        await self.call(person, "channel.leave", channel)
        del channel.places[person]

    async def come_back(self, channel: Channel, person: str) -> None:
        """Somebody is added who is not there: they start at their join, patients with what comes after it."""
        gone = self.chance.choice(sorted({*self.people} - {*channel.places}) or [person])
        await self.clinic.add(channel.id, gone, by=self.people[1] if self.people[1] in channel.places else person)
        if gone not in channel.places:
            top = await self.clinic.top(channel.id)
            channel.places[gone] = Place(top, top if gone.startswith("pa_") else 1)

    async def archive(self, channel: Channel, person: str) -> None:
        await self.call(person, "channel.archive", channel)
        channel.active = False

    async def unarchive(self, channel: Channel, person: str) -> None:
        await self.call(person, "channel.unarchive", channel)
        channel.active = True

    async def flag(self, channel: Channel, person: str) -> None:
        await self.call(person, "channel.mark_unread", channel)
        channel.places[person].flagged = True

    async def mute(self, channel: Channel, person: str) -> None:
        place = channel.places[person]
        await self.call(person, "channel.mute", channel, muted=not place.muted)
        place.muted = not place.muted

    async def hide(self, _channel: Channel, _person: str) -> None:
        channel = self.channels[-1]  # the direct one: no other can be
        person = self.chance.choice(sorted(channel.places))
        hidden = self.chance.random() < 0.7
        await self.call(person, "channel.hide", channel, hidden=hidden)
        channel.places[person].hidden_at = channel.top if hidden else -1


@pytest.mark.parametrize("seed", range(4))
async def test_the_badge_is_the_count_by_hand(clinic: Clinic, seed: int) -> None:
    memory = Memory(clinic, random.Random(seed))
    await memory.open()
    await memory.agree()
    for number in range(STEPS):
        await memory.step()
        if number % 5 == 0:
            await memory.agree()
    await memory.agree()
    assert {"send", "read", "delete", "leave", "come_back", "archive", "flag", "mute", "edit", "hide"} <= {
        *memory.did
    }, memory.did
    for person in memory.people:
        for channel in memory.channels:
            if person in channel.places:
                await memory.call(person, "channel.read", channel, offset=channel.top)
                channel.places[person].mark, channel.places[person].flagged = channel.top, False
        assert memory.total(person) == 0
    await memory.agree()


async def test_more_than_ninety_nine_is_a_hundred(clinic: Clinic) -> None:
    """Over one channel, and over several that have less each."""
    patient = await clinic.patient()
    one, other = (
        await clinic.care_team(patient),
        await clinic.channel("service_team", patient, clinic.clinician, patient=patient),
    )

    async def total(person: str) -> int:
        async with clinic.database.transaction() as tx:
            return await badges.total(tx, clinic.organization_id, person)

    for count in range(98):
        await clinic.send(patient, one, f"Text {count}")
    assert (await total(clinic.clinician), await total(patient)) == (98, 0)
    await clinic.send(patient, other, "Text")
    assert await total(clinic.clinician) == 99
    for _ in range(2):
        await clinic.send(patient, other, "Text")
        assert await total(clinic.clinician) == 100
    for _ in range(4):
        await clinic.send(patient, one, "Text")
    assert await total(clinic.clinician) == 100
    await clinic.call(clinic.clinician, "channel.archive", channel_id=one)
    assert await total(clinic.clinician) == 3

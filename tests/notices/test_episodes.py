"""Random lives of channels, and after every round of a worker: what was sent is what the oracle says, no more and no less.

`make episodes` plays 10,000, in PARTS side by side. A red one names its seed: EPISODES_SEED=… EPISODES=1 plays that one again.
The clock is the test's own.
"""

import itertools
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any

import pytest

from server.notices import episodes, escalation, ledger, rules, unattended
from tests.notices import oracle
from tests.notices.oracle import JOINS_NOW, Channel, Member, Message, Person, Sent
from tests.support.cast import Clinic, found
from tests.support.reaching import Reaching

EPISODES = int(os.environ.get("EPISODES", "250"))
SEED = int(os.environ.get("EPISODES_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
PARTS = 8 if EPISODES > 1000 else 1
WORLDS = 16
STEPS = 30
PAUSES = [timedelta(seconds=s) for s in (0, 1, 5, 20, 31, 45, 120, 301, 420)] + [timedelta(hours=h) for h in (1, 7, 25)]
RARE = [2, 6, 6, 6, 4, 4, 4, 4, 4, 2, 2, 1]


@dataclass
class World:
    """Two patients, three team members, and a channel for each patient; one of the team is in both."""

    reaching: Reaching
    random: random.Random
    clinician: Person
    channels: dict[str, Channel] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    crashed: dict[str, int] = field(default_factory=dict)

    @property
    def clinic(self) -> Clinic:
        return self.reaching.clinic

    async def found(self) -> None:
        """Make them; every one with settings of their own."""
        clinic = self.clinic
        staff = [await clinic.team_member() for _ in range(3)]
        for number, team in enumerate(((staff[0], staff[1]), (staff[0], staff[2]))):
            patient = await clinic.patient()
            channel = await clinic.care_team(patient, *team)
            joined = await clinic.top(channel)
            members = [Member(self._person(name), joined, joined) for name in (patient, *team)]
            self.channels[channel] = Channel(members, planned=joined, chain=[self.clinician])
            if number == 0:
                await self._quiet(self.people[patient])
        self.people[self.clinician.name] = self.clinician
        for person in self.people.values():
            if person.device and person is not self.clinician:
                await self.reaching.device(person.name)

    def _person(self, name: str) -> Person:
        return self.people.setdefault(name, Person(name, not name.startswith("pa_"), device=self.random.random() < 0.8))

    async def _quiet(self, person: Person) -> None:
        if self.random.random() < 0.5:
            return
        begins, ends = time(self.random.randrange(24)), time(self.random.randrange(24), 30)
        person.quiet = (begins, ends)
        await self.reaching.prefer(person.name, quiet_from=begins, quiet_until=ends, time_zone="UTC")

    # ---- what may happen

    async def step(self) -> None:
        """Something happens in one of the channels."""
        acts: list[tuple[int, Callable[[str, Channel], Awaitable[None]]]] = [
            (10, self.send), (7, self.read), (2, self.delete), (1, self.edit), (3, self.view), (2, self.mute), (2, self.prefer),
            (1, self.archive), (1, self.leave), (1, self.join), (1, self.device), (1, self.retire),
        ]  # fmt: skip
        [act] = self.random.choices([act for _, act in acts], [weight for weight, _ in acts])
        name = self.random.choice(list(self.channels))
        await act(name, self.channels[name])

    def _members(self, channel: Channel) -> list[Member]:
        return [member for member in channel.members if member.left is None and member.person.active]

    def _one(self, channel: Channel) -> Member:
        return self.random.choice(self._members(channel))

    async def send(self, name: str, channel: Channel) -> None:
        if not channel.active:
            return
        author = self._one(channel)
        sent = await self.clinic.send(author.person.name, name, "words")
        await self.clinic.sql("update messages set created_at = $2 where id = $1", sent["message_id"], self.reaching.at)
        channel.messages.append(Message(sent["message_id"], sent["offset"], author.person, self.reaching.at))

    async def read(self, name: str, channel: Channel) -> None:
        member, top = self._one(channel), await self.clinic.top(name)
        offset = top if self.random.random() < 0.6 else self.random.randrange(member.joined, top + 1)
        await self.clinic.call(member.person.name, "channel.read", channel_id=name, offset=offset)
        member.mark = max(member.mark, offset)

    async def delete(self, name: str, channel: Channel) -> None:
        there = {member.person for member in self._members(channel)}
        mine = [m for m in channel.messages[-6:] if not m.deleted and m.author in there]
        if mine and channel.active:
            message = self.random.choice(mine)
            [row] = await self.clinic.sql("select revision from messages where id = $1", message.id)
            await self.clinic.call(
                message.author.name,
                "message.delete",
                channel_id=name,
                message_id=message.id,
                expected_revision=row["revision"],
            )
            message.deleted = True

    async def edit(self, name: str, channel: Channel) -> None:
        there = {member.person for member in self._members(channel)}
        mine = [m for m in channel.messages[-6:] if not m.deleted and m.author in there]
        if mine and channel.active:
            message = self.random.choice(mine)
            [row] = await self.clinic.sql("select revision from messages where id = $1", message.id)
            await self.clinic.call(
                message.author.name, "message.edit", channel_id=name, message_id=message.id,
                expected_revision=row["revision"], text="other words",
            )  # fmt: skip

    async def view(self, name: str, channel: Channel) -> None:
        member = self._one(channel)
        self.reaching.reads(member.person.name, name)
        member.viewing_until = self.reaching.at + timedelta(seconds=30)

    async def mute(self, name: str, channel: Channel) -> None:
        member = self._one(channel)
        member.muted = not member.muted
        await self.clinic.sql(
            "update memberships set muted = $3 where (channel_id, person_id) = ($1, $2) and left_at is null",
            *(name, member.person.name, member.muted),
        )

    async def prefer(self, _name: str, channel: Channel) -> None:
        person = self._one(channel).person
        which = self.random.choice(("push", "email"))
        setattr(person, which, not getattr(person, which))
        await self.reaching.prefer(person.name, push=person.push, unread_email=person.email)

    async def archive(self, name: str, channel: Channel) -> None:
        act = "channel.archive" if channel.active else "channel.unarchive"
        by = next(member for member in self._members(channel) if member.person.is_staff)
        await self.clinic.call(by.person.name, act, channel_id=name)
        channel.active = not channel.active

    async def leave(self, name: str, channel: Channel) -> None:
        staff = [member for member in self._members(channel) if member.person.is_staff]
        if channel.active and len(staff) > 1:
            member = self.random.choice(staff)
            await self.clinic.call(member.person.name, "channel.leave", channel_id=name)
            member.left = await self.clinic.top(name)

    async def join(self, name: str, channel: Channel) -> None:
        there = {member.person for member in channel.members if member.left is None}
        others = [
            person for person in self.people.values() if person.is_staff and person.active and person not in there
        ]
        if channel.active and others:
            person = self.random.choice(others)
            by = next(member for member in self._members(channel) if member.person.is_staff)
            await self.clinic.add(name, person.name, by=by.person.name)
            top = await self.clinic.top(name)
            channel.members.append(Member(person, top, top))

    async def device(self, _name: str, channel: Channel) -> None:
        person = self._one(channel).person
        person.device = not person.device
        if person.device:
            await self.reaching.device(person.name)
        else:
            await self.clinic.sql(
                "update devices set removed_at = now(), removed_why = 'person' where person_id = $1 and removed_at is null",
                person.name,
            )

    async def retire(self, _name: str, channel: Channel) -> None:
        """Somebody of the team is archived, or comes back; never the last one of a channel."""
        staff = [person for person in self.people.values() if person.is_staff and person is not self.clinician]
        person = self.random.choice(staff)
        channels = [each for each in self.channels.values() if each.current(person)]
        if person.active and any(sum(m.person.is_staff for m in self._members(each)) < 2 for each in channels):
            return
        person.active = not person.active
        status = "active" if person.active else "archived"
        await self.clinic.sql("update people set status = $2 where id = $1", person.name, status)


class Run:
    """Worlds side by side on one clock, rounds of a worker, and the comparison after each."""

    def __init__(self, reaching: Reaching, seed: int) -> None:
        self.reaching, self.random = reaching, random.Random(seed)
        clinician = Person(reaching.clinic.clinician, is_staff=True, device=False)
        self.worlds = [World(reaching, random.Random(self.random.random()), clinician) for _ in range(WORLDS)]
        self.people: set[str] = set()
        self.counted: Counter[str] = Counter()

    async def play(self) -> None:
        for world in self.worlds:
            await world.found()
            self.people |= world.people.keys()
        await self.reaching.plan()
        for _ in range(STEPS):
            for world in self.worlds:
                await world.step()
            self.reaching.at += self.random.choices(PAUSES, RARE)[0]
            await self.round()
        for pause in (31, 301, 24 * 3600, 1):
            self.reaching.at += timedelta(seconds=pause)
            await self.round()
        await self.account()

    async def round(self) -> None:
        """One round of a worker, and of the oracle; then both have sent the same."""
        reaching = self.reaching
        if self.random.random() < 0.1:
            await self._crash()
        pushes, emails = len(reaching.pushes), len(reaching.emails)
        await reaching.plan()
        await self._attend()
        for _ in range(3):  # what is decided in one may be due in the next
            await reaching.round()
        expected = Sent()
        for world in self.worlds:
            for name, channel in world.channels.items():
                channel.round(reaching.at, expected)
                for member in channel.members:
                    if member.joined == JOINS_NOW:
                        member.joined = await self._joined(name, member)
        sent = Counter(push for push in reaching.pushes[pushes:] if push[0] in self.people)
        assert sent == Counter((person, message) for person, message, _ in expected.pushes)
        mailed = {person for person, _ in reaching.emails[emails:] if person in self.people}
        assert mailed == expected.emails
        self.counted["pushes"] += len(expected.pushes)
        self.counted["emails"] += len(expected.emails)

    async def _joined(self, channel: str, member: Member) -> int:
        [row] = await self.reaching.clinic.sql(
            """select joined_offset from memberships where (channel_id, person_id, source) = ($1, $2, 'fallback')
                order by joined_offset desc limit 1""",
            *(channel, member.person.name),
        )
        self.counted["brought in"] += 1
        return int(row["joined_offset"])

    @property
    def channels(self) -> list[Channel]:
        return [channel for world in self.worlds for channel in world.channels.values()]

    async def _crash(self) -> None:
        """A worker takes all that is due, and is killed."""
        await self.reaching.plan()
        async with self.reaching.clinic.database.transaction() as tx:
            await ledger.claim_pushes(tx, 10_000, self.reaching.at)
        for channel in self.channels:
            channel.crash(self.reaching.at)
        self.counted["crashes"] += 1

    async def _attend(self) -> None:
        database, at = self.reaching.clinic.database, self.reaching.at
        for _ in range(2):  # where the clock begins again with another message, that may be due as well
            async with database.transaction() as tx:
                due = await unattended.due(tx, at, most=1000)
            for organization_id, channel in due:
                async with database.transaction() as tx:
                    await escalation.attend(tx, organization_id, channel, at)

    async def account(self) -> None:
        """Every push owed has one row, and its outcome is one that the oracle gives; no other rows are there."""
        rows = await self.reaching.clinic.sql(
            """select n.channel_id, n.person_id, n.message_id, n.cause, n.status, n.why, m.joined_offset from notices n
                 join memberships m on (m.id, m.channel_id) = (n.membership_id, n.channel_id)
                where n.medium = 'push' and n.organization_id = $1""",
            self.reaching.clinic.organization_id,
        )
        found = {
            (row["channel_id"], row["person_id"], row["joined_offset"], row["message_id"], row["cause"]): row
            for row in rows
        }
        assert len(found) == len(rows)
        for world in self.worlds:
            for name, channel in world.channels.items():
                for member in channel.members:
                    for (message, cause), push in member.pushes.items():
                        row = found.pop((name, member.person.name, member.joined, message, cause))
                        self.compare(push, row)
        assert not found, f"nobody is owed these: {found}"

    def compare(self, push: oracle.Push, row: Any) -> None:
        assert row["status"] == (push.outcome or "due"), f"{row} {push}"
        if push.outcome == "suppressed":
            assert row["why"] in push.reasons, f"{row} {push}"
        self.counted[f"{row['status']} {row['why']}"] += 1


@pytest.mark.parametrize("part", range(PARTS))
async def test_what_is_sent_is_what_the_oracle_says(reaching: Reaching, part: int) -> None:
    counted: Counter[str] = Counter()
    count, first = 0, SEED + part * 10_000
    for seed in itertools.count(first):
        run = Run(Reaching(await found(reaching.clinic.database, reaching.clinic.batcher)), seed)
        try:
            await run.play()
        except AssertionError as wrong:
            wrong.add_note(f"EPISODES_SEED={seed}")
            raise
        counted += run.counted
        [row] = await reaching.clinic.sql("select count(*) from notices where medium = 'email'")
        count = row["count"]
        if count * PARTS >= EPISODES:
            break
    print(f"{count} episodes in {(seed + 1 - first) * WORLDS} worlds, seed {first}: {dict(sorted(counted.items()))}")
    assert {
        "sent sent",
        "suppressed read",
        "suppressed muted",
        "suppressed off",
        "suppressed no_device",
    } <= counted.keys()


def _without(word: str) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(rules, "AGAINST", tuple(name for name in rules.AGAINST if name != word))

    return plant


PLANTED: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "who has muted is told": _without("muted"),
    "archived channels notify": _without("archived_channel"),
    "what was read is told": _without("read"),
    "quiet hours hold nothing": lambda patch: patch.setattr(rules, "_quiet", lambda _facts: None),
    "an episode never ends": lambda patch: patch.setattr(episodes, "go_on", _nothing),
    "nobody counts who died": lambda patch: patch.setattr(ledger, "LEASE", timedelta(0)),
}


async def _nothing(*_: Any) -> int:
    return 0


@pytest.mark.parametrize("fault", PLANTED)
async def test_a_planted_fault_turns_it_red(reaching: Reaching, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    PLANTED[fault](monkeypatch)
    with pytest.raises(AssertionError):
        await _play(reaching, 20)


async def _play(reaching: Reaching, runs: int) -> None:
    for number in range(runs):
        await Run(Reaching(await found(reaching.clinic.database, reaching.clinic.batcher)), number).play()

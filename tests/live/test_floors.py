"""Who joins a group sees nothing from before, by any way there is: recovery, history, edits, events for staff, coming back."""

from dataclasses import dataclass

import pytest
import redis.asyncio as redis

from server.chat import bodies
from server.chat.append import append
from server.ids import ChannelId, MessageId
from server.locks import lock
from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.stream import Json, Stream
from tests.support.wire import Refused, Wire

BEFORE = "of before the newcomer joined"
VOID = {"type": "void"}


@dataclass
class Group:
    """A group channel in which much was said before the newcomer joined at `floor`."""

    clinic: Clinic
    channel: ChannelId
    member: str
    sent: list[Json]
    newcomer: str
    floor: int
    redis_url: str

    async def revise(self, number: int, text: str) -> int:
        """The member edits one of those messages, as the operation to come will do it; the offset of the event."""
        message, who = self.sent[number], self.clinic.identity(self.member)
        key = await self.clinic.database.keys.current(who.organization_id)
        ids = (who.organization_id, self.channel, MessageId(message["message_id"]))
        async with self.clinic.database.transaction() as tx:
            await lock(tx, who.organization_id, channels=[self.channel])
            [row] = await tx.rows(
                """update messages set revision = revision + 1 where (organization_id, channel_id, id) = ($1, $2, $3)
                   returning revision""",
                *ids,
            )
            await tx.rows(
                """insert into message_revisions (organization_id, channel_id, message_id, revision, author_person_id, key_id,
                   ciphertext, created_at) values ($1, $2, $3, $4, $5, $6, $7, now())""",
                *(*ids, row["revision"], self.member, key.id),
                bodies.close(key, *ids, self.member, text, row["revision"]),
            )
            event = await append(
                tx, who.organization_id, self.channel, "revised", message_id=ids[2], target_offset=message["offset"]
            )
        await self.ring()
        return event.offset

    async def staff_event(self) -> int:
        """Something happens that is for staff alone; its offset."""
        async with self.clinic.database.transaction() as tx:
            await lock(tx, self.clinic.organization_id, channels=[self.channel])
            event = await append(
                tx, self.clinic.organization_id, self.channel, "joined", {"opens": []}, audience="staff"
            )
        await self.ring()
        return event.offset

    async def ring(self) -> None:
        """Announce what was announced, to the gateways."""
        async with redis.Redis.from_url(self.redis_url) as doorbell:
            while self.clinic.published:
                topic, payload = self.clinic.published.pop(0)
                await doorbell.publish(topic, bytes(8) + payload)


@pytest.fixture
async def group(clinic: Clinic, redis_url: str) -> Group:
    member, newcomer = await clinic.patient(), await clinic.patient()
    channel = await clinic.channel("group", clinic.clinician, member)
    sent = [await clinic.send(member, channel, f"Number {number} {BEFORE}") for number in range(5)]
    made = Group(clinic, channel, member, sent, newcomer, 0, redis_url)
    await made.revise(0, f"Edited {BEFORE}")
    await made.staff_event()
    made.floor = (await clinic.add(channel, newcomer))["offset"]
    await made.ring()
    return made


def heard_nothing_of_before(*wires: Wire) -> bool:
    return not any(BEFORE in frame for wire in wires for frame in wire.heard)


async def test_recovery_begins_at_the_floor_and_nowhere_before(pair: Pair, group: Group, connect: Connect) -> None:
    await group.clinic.send(group.member, group.channel, "Welcome")
    wire = await connect(pair.a, group.newcomer)
    begin = await wire.subscribe(group.channel, recover=True, epoch="", offset=0)
    assert begin.offsets == [group.floor, group.floor + 1]
    assert begin.items[0][1]["type"] == "joined"
    for offset in (0, 1, 3, group.floor - 2):
        wish = {"recover": True, "epoch": begin.epoch, "offset": offset}
        fresh = await connect(pair.b, group.newcomer)
        with pytest.raises(Refused, match=r"^112:"):
            await fresh.subscribe(Stream(group.channel), **wish, flag=2)
        stream = await fresh.subscribe(Stream(group.channel), **wish)
        assert (stream.resets, stream.items, stream.position) == (1, [], group.floor + 1)
        assert heard_nothing_of_before(fresh)
    exact = await (await connect(pair.b, group.newcomer)).subscribe(Stream(group.channel, begin.epoch, group.floor - 1))
    assert exact.items == begin.items, "from just below the floor nothing is missing"
    assert heard_nothing_of_before(wire)


async def test_history_and_read_marks_end_at_the_floor(pair: Pair, group: Group, connect: Connect) -> None:
    wire, staff = await connect(pair.a, group.newcomer), await connect(pair.a, group.clinic.clinician)
    said = await group.clinic.send(group.member, group.channel, "Welcome")
    for before in ({}, {"before": group.floor + 50}, {"before": group.floor}, {"before": 3}):
        page = await wire.rpc("message.history", channel_id=group.channel, limit=100, **before)
        assert all(item["offset"] >= group.floor for item in page["items"])
        assert not page["more"]
    assert len((await staff.rpc("message.history", channel_id=group.channel))["items"]) == said["offset"] - 1, (
        "all but the edit, which shows in what it edited"
    )
    with pytest.raises(Refused, match=rf"^422: offset: you see this channel from {group.floor} on"):
        await wire.rpc("channel.read", channel_id=group.channel, offset=group.floor - 2)
    with pytest.raises(Refused, match=r"^404: reply_to"):
        await wire.send(group.channel, "To what I cannot see", "reply", reply_to=group.sent[0]["message_id"])
    [mine] = (await wire.rpc("channel.list"))["channels"]
    assert (mine["unread"], mine["read_offset"]) == (1, group.floor)
    assert heard_nothing_of_before(wire)


async def test_edits_of_before_and_events_for_staff_are_void_live_and_recovered(
    pair: Pair, group: Group, connect: Connect
) -> None:
    people = {"newcomer": group.newcomer, "member": group.member, "staff": group.clinic.clinician}
    wires = {name: await connect(gateway, person) for name, person in people.items() for gateway in [pair.b]}
    streams = {name: await wire.subscribe(group.channel) for name, wire in wires.items()}
    first = group.floor + 1
    assert await group.revise(1, f"Edited again {BEFORE}") == first
    assert await group.staff_event() == first + 1
    group.sent.append(await group.clinic.send(group.member, group.channel, "Welcome"))
    assert await group.revise(5, "Welcome!") == first + 3
    await group.ring()
    for name, wire in wires.items():
        await wire.until(lambda wire: wire.streams[group.channel].position == first + 3)
        assert streams[name].offsets == [first, first + 1, first + 2, first + 3]

    kinds = {name: [data["type"] for _, data in stream.items] for name, stream in streams.items()}
    assert kinds["staff"] == ["message", "joined", "message", "message"]
    assert kinds["member"] == ["message", "void", "message", "message"]
    assert kinds["newcomer"] == ["void", "void", "message", "message"]
    assert streams["newcomer"].items[0][1] == streams["newcomer"].items[1][1] == VOID
    assert streams["newcomer"].items[2:] == streams["staff"].items[2:]
    assert streams["staff"].items[0][1]["text"] == f"Edited again {BEFORE}"

    # Read from the log instead, it is the same: but a message comes in its newest shape, whichever event it is in.
    for name, person in people.items():
        again = Stream(group.channel, streams[name].epoch, group.floor)
        await (await connect(pair.a, person)).subscribe(again)
        assert [data["type"] for _, data in again.items] == kinds[name]
        assert again.texts[-1] == "Welcome!"
    assert heard_nothing_of_before(wires["newcomer"])
    assert not heard_nothing_of_before(wires["staff"])


async def test_who_comes_back_begins_anew(pair: Pair, group: Group, connect: Connect) -> None:
    wire = await connect(pair.a, group.newcomer)
    stream = await wire.subscribe(group.channel)
    await group.clinic.remove(group.channel, group.newcomer)
    await group.ring()
    await wire.until(lambda wire: group.channel in wire.ended)
    await group.clinic.send(group.member, group.channel, f"Behind the back, and so {BEFORE}")
    floor = (await group.clinic.add(group.channel, group.newcomer))["offset"]
    await group.ring()
    old = Stream(group.channel, stream.epoch, stream.position)
    await (await connect(pair.b, group.newcomer)).subscribe(old)
    assert (old.resets, old.items) == (1, []), "the position of the membership that ended is worth nothing"
    again = await (await connect(pair.b, group.newcomer)).subscribe(Stream(group.channel), recover=True)
    assert again.offsets == [floor]
    page = await wire.rpc("message.history", channel_id=group.channel)
    assert [item["offset"] for item in page["items"]] == [floor]
    assert heard_nothing_of_before(wire)

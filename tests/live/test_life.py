"""The life of a message over two gateways: committed, acknowledged, the same for everybody, and hinted at elsewhere."""

import pytest

from server.ids import ChannelId
from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.stream import Stream
from tests.support.wire import Refused, Wire


async def listening(pair: Pair, connect: Connect, channel: ChannelId, *people: str) -> dict[tuple[str, str], Wire]:
    """Everybody listens on both gateways."""
    wires = {}
    for name, gateway in zip("ab", pair, strict=True):
        for person in people:
            wires[name, person] = await connect(gateway, person)
            await wires[name, person].subscribe(channel)
    return wires


async def all_at(wires: dict[tuple[str, str], Wire], channel: str, offset: int) -> list[Stream]:
    """Wait until everybody stands at this offset."""
    for wire in wires.values():
        await wire.until(lambda wire: wire.streams[channel].position >= offset)
    return [wire.streams[channel] for wire in wires.values()]


async def test_the_answer_comes_after_the_commit_and_everybody_gets_the_same(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    wires = await listening(pair, connect, channel, patient, nurse)
    senders = [await connect(pair.a, clinic.clinician), await connect(pair.b, patient)]
    for number in range(10):
        sent = await senders[number % 2].send(channel, f"Message {number}", f"m{number}")
        [row] = await clinic.sql("select log_offset, created_at from messages where id = $1", sent["message_id"])
        assert row["log_offset"] == sent["offset"] == number + 2, "acknowledged, so it is in the log, for everybody"

    streams = await all_at(wires, channel, 11)
    assert streams[0].offsets == list(range(2, 12))
    assert streams[0].texts == [f"Message {number}" for number in range(10)]
    assert all(stream.items == streams[0].items for stream in streams), "word for word, for staff and patient"
    author = await clinic.membership(channel, clinic.clinician)
    assert streams[0].items[0][1] == {
        "type": "message",
        "id": streams[0].items[0][1]["id"],
        "offset": 2,
        "revision": 1,
        "author": author,
        "at": streams[0].items[0][1]["at"],
        "text": "Message 0",
    }
    history = await senders[1].rpc("message.history", channel_id=channel)
    live = [data for _, data in reversed(streams[0].items)]
    assert history["items"][:10] == live, "history says the same as what came live"
    assert (history["epoch"], history["offset"]) == (streams[0].epoch, 11)


async def test_staff_learn_who_has_read_and_patients_that_the_team_has(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    wires = await listening(pair, connect, channel, patient, clinic.clinician)
    reader, writer = await connect(pair.b, nurse), await connect(pair.a, patient)
    await writer.send(channel, "Hello", "hello")
    await all_at(wires, channel, 2)
    await writer.rpc("channel.read", channel_id=channel, offset=1)  # moves nothing: nobody is told
    await writer.rpc("channel.read", channel_id=channel, offset=2)
    for wire in (wires["a", clinic.clinician], wires["b", clinic.clinician]):
        await wire.until(lambda wire: wire.streams[channel].signals)
    await reader.rpc("channel.read", channel_id=channel, offset=2)
    for (_, person), wire in wires.items():
        count = 1 if person == patient else 2
        await wire.until(lambda wire, count=count: len(wire.streams[channel].signals) >= count)

    theirs, mine = await clinic.membership(channel, patient), await clinic.membership(channel, nurse)
    told = {person: wires["a", person].streams[channel].signals for person in (patient, clinic.clinician)}
    assert told[patient] == [{"type": "seen", "offset": 2}], "of the team, not who; and not of the patient"
    assert told[clinic.clinician] == [
        {"type": "seen", "offset": 2, "member": theirs},
        {"type": "seen", "offset": 2, "member": mine},
    ]
    assert all(wires["b", person].streams[channel].signals == told[person] for person in told)


async def test_whoever_looks_away_gets_hints_on_every_connection(pair: Pair, clinic: Clinic, connect: Connect) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    away = [await connect(pair.a, nurse), await connect(pair.b, nurse)]
    writer = await connect(pair.a, patient)
    for number in range(3):
        await writer.send(channel, "Hello", f"m{number}")
    unread = {"type": "channel", "channel": channel, "member": True, "name": None, "status": "active", "unread": 3}
    unread |= {"read_offset": 1, "writable": True, "hidden": False, "unattended": False, "muted": False}
    unread |= {"marked_unread": False}
    for wire in away:
        await wire.until(lambda wire: unread | {"top": 4} in wire.hints)

    # Read on a third connection: the other two are told, and the one that read it as well.
    await (await connect(pair.b, nurse)).rpc("channel.read", channel_id=channel, offset=4)
    read = unread | {"top": 4, "unread": 0, "read_offset": 4}
    for wire in away:
        await wire.until(lambda wire: wire.hints[-1] == read)
        assert wire.streams == {}


async def test_who_is_added_while_connected_is_told_and_can_listen(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    nurse = await clinic.team_member("NURSE")
    wire, adder = await connect(pair.b, nurse), await connect(pair.a, clinic.clinician)
    with pytest.raises(Refused, match=r"^102:"):
        await wire.subscribe(channel)
    added = await adder.rpc("member.add", channel_id=channel, person_id=nurse)
    await wire.until(lambda wire: any(hint["channel"] == channel and hint["member"] for hint in wire.hints))
    stream = await wire.subscribe(channel)
    await adder.send(channel, "Welcome", "welcome")
    await wire.until(lambda _: stream.texts == ["Welcome"])
    assert stream.offsets == [added["offset"] + 1]

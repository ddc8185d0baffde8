"""Frames, channels and positions that no honest client sends: told or closed as protocol.md says; nothing given away."""

import pytest

from server.ids import ChannelId
from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.stream import Stream
from tests.support.wire import Refused

KIB = 1024
CLOSED: dict[str, tuple[str | bytes, int]] = {
    "more than a MiB": ('{"id":2,"rpc":{"method":"me","data":"' + "x" * 1024 * KIB + '"}}', 3501),
    "empty": ("", 3501),
    "a blank line": ("\n", 3501),
    "not JSON": ("Hello", 3501),
    "half of it": ('{"id":2,"rpc":', 3501),
    "JSON but no object": ("[1]", 3501),
    "not a command": ('{"id":2}', 3501),
    "of the wrong type": ('{"id":"2","rpc":{}}', 3501),
    "two commands in one": ('{"id":2,"rpc":{"method":"me"},"unsubscribe":{"channel":"x"}}', 3501),
    "an id too large": ('{"id":4294967296,"rpc":{"method":"me"}}', 3501),
    "an id below zero": ('{"id":-1,"rpc":{"method":"me"}}', 3501),
    "no id": ('{"rpc":{"method":"me"}}', 3501),
    "not a number": ('{"id":NaN,"rpc":{"method":"me"}}', 3501),
    "very deep": ('{"id":2,"rpc":{"data":' + "[" * 100_000 + "]" * 100_000 + "}}", 3501),
    "not UTF-8": (b'{"id":2,"rpc":{"method":"\xff"}}', 3501),
    "a second connect": ('{"id":2,"connect":{}}', 3501),
    "no channel": ('{"id":2,"subscribe":{}}', 3501),
    "an offset below zero": ('{"id":2,"subscribe":{"channel":"x","recover":true,"offset":-1}}', 3501),
    "an offset of 2^64": ('{"id":2,"subscribe":{"channel":"x","recover":true,"offset":18446744073709551616}}', 3501),
    "a message to nobody": ('{"send":{"data":{}}}', 3508),
}
TOLD: dict[str, tuple[dict[str, object], int]] = {
    "a command of more than 256 KiB": ({"rpc": {"method": "me", "data": "x" * 257 * KIB}}, 107),
    "a channel's name of more than 255 bytes": ({"subscribe": {"channel": "é" * 128}}, 107),
    "publishing past the operations": ({"publish": {"channel": "x", "data": {}}}, 103),
    "who is there": ({"presence": {"channel": "x"}}, 102),
    "history past the operations": ({"history": {"channel": "x"}}, 102),
    "a ping": ({"ping": {}}, 108),
}


@pytest.mark.catalogue("S22")
async def test_a_frame_that_is_none_ends_the_connection_with_the_protocols_code(
    pair: Pair, clinic: Clinic, connect: Connect, subtests: pytest.Subtests
) -> None:
    for case, (frame, code) in CLOSED.items():
        with subtests.test(case):
            wire = await connect(pair.a, clinic.clinician)
            await wire.say(frame)
            assert (await wire.closed())[0] == code
    neighbour = await connect(pair.a, clinic.clinician)
    assert await neighbour.rpc("me")


@pytest.mark.catalogue("S22")
async def test_a_command_that_cannot_be_done_is_told_so_and_the_connection_lives(
    pair: Pair, clinic: Clinic, connect: Connect, subtests: pytest.Subtests
) -> None:
    wire = await connect(pair.a, clinic.clinician)
    for case, (request, code) in TOLD.items():
        with subtests.test(case), pytest.raises(Refused, match=rf"^{code}: "):
            await wire.ask(**request)
    assert await wire.rpc("me")
    await wire.say("{}")  # a pong to no ping
    assert await wire.rpc("me")


async def test_channels_that_are_not_mine_cannot_be_told_apart(
    pair: Pair, clinic: Clinic, elsewhere: Clinic, connect: Connect
) -> None:
    colleague, leaver = await clinic.team_member(), await clinic.team_member()
    theirs = await clinic.care_team(await clinic.patient(), colleague)
    left = await clinic.care_team(await clinic.patient(), clinic.clinician, leaver)
    foreign = await elsewhere.care_team(await elsewhere.patient())
    await clinic.remove(left, leaver)
    wire = await connect(pair.a, leaver)
    names = [theirs, left, foreign, ChannelId.new(), "x", "\0", f"{clinic.organization_id}:{left}", "#" + colleague]
    told = []
    for name in names:
        for wish in ({}, {"recover": True}, {"recover": True, "epoch": "x", "offset": 1, "flag": 2}):
            with pytest.raises(Refused) as refusal:
                await wire.subscribe(Stream(name), **wish)
            told.append((refusal.value.code, refusal.value.message, refusal.value.temporary))
    assert set(told) == {(102, told[0][1], False)}


@pytest.mark.catalogue("R22")
async def test_a_forged_position_gives_nothing_away(pair: Pair, clinic: Clinic, connect: Connect) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    sent = await clinic.send(patient, channel, "Hello")
    epoch = (await (await connect(pair.a, patient)).subscribe(channel)).epoch
    for position in (
        {"epoch": epoch, "offset": sent["offset"] + 1}, {"epoch": epoch, "offset": 2**53}, {"epoch": epoch, "offset": 2**63},
        {"epoch": epoch, "offset": 2**64 - 1}, {"epoch": "_", "offset": 1}, {"epoch": epoch[::-1], "offset": 1},
        {"epoch": epoch + "\0", "offset": 1}, {"epoch": "x" * 10_000, "offset": 0},
    ):  # fmt: skip
        wire = await connect(pair.b, patient)
        with pytest.raises(Refused, match=r"^112: "):
            await wire.subscribe(Stream(channel), recover=True, flag=2, **position)
        stream = await wire.subscribe(Stream(channel), recover=True, **position)
        assert (stream.resets, stream.position, stream.epoch, stream.items) == (1, sent["offset"], epoch, [])

"""A new epoch of the log: nobody goes on from a position that means nothing any more, and everybody is told so soon."""

import time

import asyncpg
import pytest

from tests.live.conftest import Connect, Start, clinic_in
from tests.support.cluster import Databases
from tests.support.stream import Json, Stream
from tests.support.wire import Refused, Wire

TOLD_WITHIN = 1.0 + 4.0
"""Seconds: the interval of the check, and what a busy machine takes to come to it."""


@pytest.mark.catalogue("R13")
async def test_a_new_generation_of_the_log_makes_everybody_begin_anew(
    databases: Databases, start: Start, connect: Connect
) -> None:
    url = await databases.create()
    async with clinic_in(url) as clinic:
        patient = await clinic.patient()
        channel = await clinic.care_team(patient)
        gateways = [await start(DATABASE_URL=url), await start(DATABASE_URL=url)]
        wires = [await connect(gateway, clinic.identity(person)) for gateway in gateways
                 for person in (patient, clinic.clinician)]  # fmt: skip
        streams = [await wire.subscribe(channel) for wire in wires]
        away = await connect(gateways[0], clinic.identity(patient))
        left_off = await away.subscribe(channel)
        await wires[0].send(channel, "Before", "before")
        for wire in (*wires, away):
            await wire.until(lambda wire: wire.streams[channel].position == 2)
        await away.cut()
        old = left_off.epoch

        owner = await asyncpg.connect(url)
        await owner.execute("update log_generation set generation = generation + 1")
        await owner.close()
        bumped = time.monotonic()
        for wire, stream in zip(wires, streams, strict=True):
            await wire.until(lambda wire: channel in wire.ended)
            assert wire.ended[channel] - bumped < TOLD_WITHIN
            assert stream.ended == {"code": 2500, "reason": "insufficient state"}, "a code after which SDKs come again"
            await wire.subscribe(stream)
            assert (stream.resets, stream.position) == (1, 2)
            assert stream.epoch != old
        back = await connect(gateways[1], clinic.identity(patient))
        await back.subscribe(left_off)
        assert (left_off.resets, left_off.epoch) == (1, streams[0].epoch), "the same on every gateway"

        for number, wire in enumerate(wires):
            await wire.send(channel, f"After {number}", f"after-{number}")
        for wire in (*wires, back):
            await wire.until(lambda wire: wire.streams[channel].texts[-1:] == ["After 3"])
        assert streams[0].texts == streams[3].texts == ["Before", "After 0", "After 1", "After 2", "After 3"]
        fresh = await (await connect(gateways[1], clinic.identity(patient))).subscribe(
            Stream(channel), recover=True, epoch=streams[0].epoch, offset=2
        )
        assert fresh.offsets == [3, 4, 5, 6]
    for gateway in gateways:
        gateway.kill()
    await databases.drop(url)


FORGET = (
    """delete from message_revisions r using messages m where m.id = r.message_id and m.channel_id = $1 and m.log_offset > $2""",
    "delete from events where channel_id = $1 and log_offset > $2",
    "delete from messages where channel_id = $1 and log_offset > $2",
    "update channels set top_offset = $2 where id = $1",
)


async def asked(wire: Wire, channel: str, position: Json) -> Json:
    """One attempt to go on from a position: the answer, or the error."""
    try:
        answer = await wire.ask(subscribe={"channel": channel, "recover": True, **position})
    except Refused as refused:
        return {"refused": refused.code, "temporary": refused.temporary}
    await wire.ask(unsubscribe={"channel": channel})
    return answer


@pytest.mark.catalogue("R13")
async def test_however_soon_one_comes_after_a_restore_no_position_is_gone_on_from(
    databases: Databases, start: Start, connect: Connect
) -> None:
    """A gateway reads the epoch once a second; whoever comes sooner must not be answered out of a log that it does not know."""
    url = await databases.create()
    async with clinic_in(url) as clinic:
        patient = await clinic.patient()
        channel = await clinic.care_team(patient)
        gateways = [await start(DATABASE_URL=url), await start(DATABASE_URL=url)]
        wires = [await connect(gateway, clinic.identity(patient)) for gateway in gateways]
        owner = await asyncpg.connect(url)
        answers: list[Json] = []
        for round_ in range(3):
            last = [await clinic.send(patient, channel, "Before", f"{round_}-{number}") for number in range(4)][-1]
            stream = await wires[0].subscribe(channel)
            await wires[0].ask(unsubscribe={"channel": channel})
            position = {"epoch": stream.epoch, "offset": last["offset"]}
            async with owner.transaction():
                for statement in FORGET:
                    await owner.execute(statement, channel, last["offset"] - 3)
                await owner.execute("update log_generation set generation = generation + 1")
            for number in range(6):
                await clinic.send(patient, channel, "After", f"after-{round_}-{number}")
            answers += [await asked(wire, channel, position) for wire in wires]
            for wire in wires:
                while "refused" in (answer := await asked(wire, channel, position)):
                    assert answer["temporary"]
                assert answer["epoch"] != position["epoch"]
                assert not answer.get("recovered")
        await owner.close()
    assert any(answer.get("refused") == 100 for answer in answers), "somebody came sooner than the epoch was read"
    assert not any(answer.get("recovered") for answer in answers)
    for gateway in gateways:
        gateway.kill()
    await databases.drop(url)

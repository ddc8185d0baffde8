"""A gateway that is told to stop, or that stands still for a while: everybody is told or waits, and nothing is missing."""

import asyncio
import itertools
import signal

import pytest

from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.stream import Json
from tests.support.wire import Lost, Refused


@pytest.mark.catalogue("R28")
async def test_a_gateway_that_stops_in_order_answers_what_it_has_begun_and_sends_people_elsewhere(
    pair: Pair, clinic: Clinic, start: Start, connect: Connect
) -> None:
    patient, leaving = await clinic.patient(), await start()
    channel = await clinic.care_team(patient)
    listener = await connect(pair.a, clinic.clinician)
    stream = await listener.subscribe(channel)
    wires = [await connect(leaving, patient) for _ in range(20)]
    theirs = await wires[0].subscribe(channel)
    answers: list[Json] = []
    lost: list[str] = []

    async def write(name: int) -> None:
        for number in itertools.count():
            text = f"{name}-{number}"
            try:
                answers.append(await wires[name].send(channel, text, text))
            except (Lost, Refused):
                lost.append(text)
                return
            await asyncio.sleep(0.02)

    writing = asyncio.gather(*(write(name) for name in range(len(wires))))
    await listener.until(lambda _: stream.position > 100)
    assert await leaving.stop() == 0
    await writing
    assert {await wire.closed() for wire in wires} == {(3001, "shutdown")}
    assert len(lost) == len(wires), "each was in the middle of writing"
    begun = await clinic.sql("select from messages where channel_id = $1 and client_id = any ($2)", channel, lost)
    assert begun == [], "what was not answered was not begun"
    other = await connect(pair.b, patient)
    answers += [await other.send(channel, text, text) for text in lost]
    await listener.until(lambda _: stream.position == len(answers) + 1)
    assert {data["id"] for _, data in stream.items} == {answer["message_id"] for answer in answers}
    back = await connect(pair.b, patient)
    await back.subscribe(theirs)
    await back.until(lambda _: theirs.position == stream.position)
    assert theirs.items == stream.items


@pytest.mark.catalogue("R29")
async def test_a_gateway_that_stood_still_catches_up_and_hangs_up_on_nobody(
    pair: Pair, clinic: Clinic, start: Start, connect: Connect
) -> None:
    patient, sleeper = await clinic.patient(), await start()
    channel = await clinic.care_team(patient)
    wire, writer = await connect(sleeper, clinic.clinician), await connect(pair.a, patient)
    away = await connect(sleeper, clinic.clinician)
    stream = await wire.subscribe(channel)
    sleeper.process.send_signal(signal.SIGSTOP)
    try:
        answers = [await writer.send(channel, f"Message {number}", f"m{number}") for number in range(50)]
        waiting = asyncio.create_task(wire.send(channel, "Into the silence", "silence"))
        await asyncio.sleep(2.5)
        assert not waiting.done()
    finally:
        sleeper.process.send_signal(signal.SIGCONT)
    answers.append(await waiting)
    await wire.until(lambda _: stream.position == 52)
    assert [offset for offset, _ in stream.items] == [answer["offset"] for answer in answers]
    await away.until(lambda wire: wire.hints and wire.hints[-1]["unread"] == 50)
    assert (wire.over, away.over) == (None, None)

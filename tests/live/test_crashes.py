"""Gateways that die, and answers that are lost on the way: the same client_id sent again finds out what was done."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.proxy import proxy
from tests.support.stream import Json
from tests.support.wire import Lost, Wire


async def send_somehow(wires: Sequence[Wire], channel: str, text: str) -> tuple[Json, int]:
    """Send through the first connection that answers, always under the same client_id; the answer, and how many failed."""
    for failed, wire in enumerate(wires):
        try:
            return await wire.send(channel, text, text), failed
        except Lost:
            continue
    raise AssertionError("no gateway is left")


@pytest.mark.catalogue("R01")
async def test_a_gateway_killed_between_and_during_sends_loses_and_doubles_nothing(
    pair: Pair, clinic: Clinic, start: Start, connect: Connect
) -> None:
    patient, victim = await clinic.patient(), await start()
    channel = await clinic.care_team(patient)
    listener = await connect(pair.b, clinic.clinician)
    stream = await listener.subscribe(channel)
    away = await connect(victim, clinic.clinician)
    cut_off = await away.subscribe(channel)
    ways = [[await connect(victim, patient), await connect(pair.a, patient)] for _ in range(8)]
    killed = False

    async def write(name: int) -> list[tuple[Json, int]]:
        done: list[tuple[Json, int]] = []
        while not killed or len(done) < 10:
            done.append(await send_somehow(ways[name], channel, f"{name}-{len(done)}"))
        return done

    writing = asyncio.gather(*(write(name) for name in range(len(ways))))
    await listener.until(lambda _: stream.position > 40)
    victim.kill()
    killed = True
    done = [one for each in await writing for one in each]
    assert any(failed for _, failed in done), "sends were under way when it died"

    answers = [answer for answer, _ in done]
    await listener.until(lambda _: stream.position == len(answers) + 1)
    assert sorted(answer["offset"] for answer in answers) == stream.offsets == list(range(2, len(answers) + 2))
    assert {data["id"] for _, data in stream.items} == {answer["message_id"] for answer in answers}
    assert len(set(stream.texts)) == len(answers)

    back = await connect(pair.a, clinic.clinician)
    await back.subscribe(cut_off)
    assert cut_off.recovered > 0
    assert cut_off.items == stream.items, "who listened there goes on elsewhere, with nothing missing"


@pytest.mark.catalogue("R19")
@pytest.mark.parametrize("passing", [0, 9])
async def test_an_answer_lost_after_the_commit_is_given_again(
    passing: int, pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    listener, other = await connect(pair.b, clinic.clinician), await connect(pair.b, patient)
    stream = await listener.subscribe(channel)
    async with proxy(pair.a.port) as line:
        wire = await connect(line, patient)
        line.cut_after(passing)
        with pytest.raises(Lost):
            await wire.send(channel, "Did you get this?", "once")
    await listener.until(lambda _: stream.position == 2)  # it was committed, though nobody was told
    answer = await other.send(channel, "Did you get this?", "once")
    assert answer["offset"] == 2
    assert answer["message_id"] == stream.items[0][1]["id"]
    assert (await other.send(channel, "The end", "end"))["offset"] == 3
    await listener.until(lambda _: stream.texts == ["Did you get this?", "The end"])


async def test_who_hangs_up_in_the_middle_of_a_send_finds_it_done_or_not_begun(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    for number in range(20):
        wire = await connect(pair.a, patient)
        sending = asyncio.create_task(wire.send(channel, f"Message {number}", f"m{number}"))
        for _ in range(number):
            await asyncio.sleep(0)
        await wire.cut()
        await asyncio.gather(sending, return_exceptions=True)
    wire = await connect(pair.b, patient)
    answers = [await wire.send(channel, f"Message {number}", f"m{number}") for number in range(20)]
    again = [await wire.send(channel, f"Message {number}", f"m{number}") for number in range(20)]
    assert again == answers
    assert sorted(answer["offset"] for answer in answers) == list(range(2, 22))
    assert await clinic.offsets(channel) == list(range(1, 22))

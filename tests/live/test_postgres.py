"""Postgres dies and comes back under load; and a channel that somebody holds holds up nobody else."""

import asyncio
import time

import asyncpg
import pytest

from server.dev.embedded import Postgres
from tests.live.conftest import Connect, Pair, Start, clinic_in
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.stream import Json
from tests.support.wire import Refused, Wire

BACK_WITHIN = 10.0
"""Seconds after Postgres answers again: reliability.md R10."""

HELD = 4
"""Channels held at once: more than there are batches under way in a gateway."""


async def write(wire: Wire, channel: str, name: str, over: asyncio.Event, refusals: list[Refused]) -> list[Json]:
    """One writer, who tries each message until it is taken; the answers."""
    answers: list[Json] = []
    while not over.is_set():
        try:
            text = f"{name}-{len(answers)}"
            answers.append(await wire.send(channel, text, text))
        except Refused as refused:
            refusals.append(refused)
            await asyncio.sleep(0.05)
    return answers


@pytest.mark.catalogue("R10")
async def test_a_crash_of_postgres_loses_nothing_that_was_answered_and_no_connection(
    own_postgres: Postgres, own_database_url: str, site: Site, start: Start, connect: Connect
) -> None:
    gateway = await start(DATABASE_URL=own_database_url)
    async with clinic_in(own_database_url) as clinic:
        patient = await clinic.patient()
        channel = await clinic.care_team(patient)
    identities = [clinic.identity(patient), clinic.identity(clinic.clinician)]
    listener = await connect(gateway, identities[1])
    stream = await listener.subscribe(channel)
    writers = [await connect(gateway, identities[number % 2]) for number in range(8)]
    newcomer = await connect(gateway)
    over, refusals = asyncio.Event(), list[Refused]()
    writing = asyncio.gather(
        *(write(wire, channel, f"w{number}", over, refusals) for number, wire in enumerate(writers))
    )
    await listener.until(lambda _: stream.position > 50)
    await own_postgres.kill()
    while len(refusals) < 8:
        await asyncio.sleep(0.05)
    for request in ({"connect": {"token": site.token(identities[0])}}, {"subscribe": {"channel": "elsewhere"}}):
        with pytest.raises(Refused, match=r"^100:"):  # temporary: the SDKs come again
            await (newcomer if "connect" in request else writers[0]).ask(**request)
    await own_postgres.start()
    back, reached = time.monotonic(), stream.position
    await listener.until(lambda _: stream.position > reached + 20)
    assert time.monotonic() - back < BACK_WITHIN
    over.set()
    answers = [answer for answers in await writing for answer in answers]

    assert {(refused.code, refused.temporary) for refused in refusals} <= {(100, True), (111, True)}
    assert [wire.over for wire in (listener, *writers)] == [None] * 9, "everybody stayed connected"
    last = await writers[0].send(channel, "The end", "end")
    await listener.until(lambda _: stream.position == last["offset"])
    ids = [data["id"] for _, data in stream.items]
    assert set(ids) == {answer["message_id"] for answer in (*answers, last)}
    assert len(ids) == len(set(ids)) == len(answers) + 1, "tried again and again, and there once"
    async with asyncio.timeout(5):
        history = await listener.rpc("message.history", channel_id=channel, limit=100)
    assert history["offset"] == last["offset"]


@pytest.mark.catalogue("R16")
async def test_channels_that_are_held_stall_no_other(
    pair: Pair, clinic: Clinic, connect: Connect, owner: asyncpg.Connection
) -> None:
    patient = await clinic.patient()
    held = [await clinic.channel("group", clinic.clinician, patient) for _ in range(HELD)]
    free = await clinic.care_team(patient)
    wire, other = await connect(pair.a, patient), await connect(pair.a, clinic.clinician)
    streams = [await other.subscribe(channel) for channel in held]
    stream = await other.subscribe(free)
    async with owner.transaction():
        await owner.execute("select from channels where id = any ($1) for no key update", held)
        since, waiting, sent = time.monotonic(), [], 0
        for number in range(20 * HELD):
            text = f"Held {number}"
            waiting.append(asyncio.create_task(wire.send(held[number % HELD], text, text)))
            await asyncio.sleep(0)
        while time.monotonic() - since < 3:
            started = time.monotonic()
            await other.send(free, f"Free {sent}", f"f{sent}")
            assert time.monotonic() - started < 1, "nobody waits for channels that are held"
            sent += 1
        assert not any(task.done() for task in waiting)
        assert (await other.rpc("message.history", channel_id=held[0]))["offset"] == 1, "reading goes on"
        await other.until(lambda _: stream.position == sent + 1)
        assert sent > 10
    answers = await asyncio.gather(*waiting)
    for place, channel in enumerate(held):
        assert [answer["offset"] for answer in answers[place::HELD]] == list(range(2, 22)), "in the order of sending"
        await other.until(lambda wire, channel=channel: wire.streams[channel].position == 21)
        assert streams[place].texts == [f"Held {number}" for number in range(place, 20 * HELD, HELD)]

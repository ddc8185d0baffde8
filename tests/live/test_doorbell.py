"""Redis as the doorbell that it is: what it loses, doubles, swaps or drops altogether, the log puts right."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.doorbell import Meddler
from tests.support.proxy import Proxy, proxy
from tests.support.site import Gateway, Site
from tests.support.wire import Wire

REPAIRED_WITHIN = 5.0
"""Seconds: reliability.md G6, also for a channel on which nothing else happens."""


@dataclass
class Line:
    """A gateway, and the line on which it hears Redis, with somebody on it who meddles."""

    proxy: Proxy
    meddler: Meddler
    gateway: Gateway


@pytest.fixture(scope="module")
async def line(site: Site, redis_url: str) -> AsyncIterator[Line]:
    meddler, port = Meddler(), urlsplit(redis_url).port
    assert port
    async with proxy(port, new_filter=meddler.connection) as made:
        gateway = await site.gateway(REDIS_URL=redis_url.replace(f":{port}/", f":{made.port}/"))
        yield Line(made, meddler, gateway)
        assert await gateway.stop() == 0


@pytest.mark.catalogue("R06")
async def test_a_lost_publication_on_a_quiet_channel_comes_within_five_seconds(
    pair: Pair, line: Line, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    listener, writer = await connect(line.gateway, clinic.clinician), await connect(pair.a, patient)
    stream = await listener.subscribe(channel)
    await writer.send(channel, "Heard", "heard")
    await listener.until(lambda _: stream.texts == ["Heard"])

    meddler = line.meddler
    meddler.topic, meddler.plan, meddler.done = channel.encode(), ["lose"], []
    await writer.send(channel, "Lost", "lost")
    sent = time.monotonic()
    await listener.until(lambda _: stream.texts == ["Heard", "Lost"], REPAIRED_WITHIN)
    assert time.monotonic() - sent < REPAIRED_WITHIN
    assert meddler.done == ["lose"], "it was really lost, and nothing else was"


@pytest.mark.catalogue("R03")
async def test_what_was_committed_by_somebody_who_died_before_telling_is_told_within_five_seconds(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    listeners = [await connect(gateway, patient) for gateway in pair]
    away = [await connect(gateway, nurse) for gateway in pair]
    for listener in listeners:
        await listener.subscribe(channel)
    # What this process writes it announces to itself alone: for the gateways it has died after the commit.
    await clinic.send(clinic.clinician, channel, "Famous last words")
    written = time.monotonic()
    for listener in listeners:
        await listener.until(lambda wire: wire.streams[channel].texts == ["Famous last words"], REPAIRED_WITHIN)
    for wire in away:
        await wire.until(lambda wire: wire.hints and wire.hints[-1]["unread"] == 1, REPAIRED_WITHIN)
    newcomer = await clinic.team_member()
    waiting = [await connect(gateway, newcomer) for gateway in pair]
    await clinic.add(channel, newcomer)
    for wire in waiting:
        await wire.until(lambda wire: any(hint["channel"] == channel for hint in wire.hints), REPAIRED_WITHIN)
    assert time.monotonic() - written < 2 * REPAIRED_WITHIN


@pytest.mark.catalogue("R09")
async def test_doubled_swapped_and_lost_publications_arrive_once_and_in_order(
    pair: Pair, line: Line, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    listener, writer = await connect(line.gateway, clinic.clinician), await connect(pair.a, patient)
    stream = await listener.subscribe(channel)
    meddler = line.meddler
    plan = ["double", "swap", "pass", "lose", "pass", "double", "lose", "lose", "swap", "double", "pass"] * 5
    meddler.topic, meddler.plan, meddler.done = channel.encode(), list(plan), []
    for number in range(len(plan)):
        await writer.send(channel, f"Message {number}", f"m{number}")
    await listener.until(lambda _: stream.position == len(plan) + 1)
    assert stream.texts == [f"Message {number}" for number in range(len(plan))]
    assert meddler.done == [what for what in plan if what != "pass"]


@pytest.mark.catalogue("R05")
async def test_a_subscriber_connection_that_is_killed_is_made_anew_and_nothing_is_missing(
    pair: Pair, line: Line, clinic: Clinic, connect: Connect
) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    listener, writer = await connect(line.gateway, clinic.clinician), await connect(pair.a, patient)
    away = await connect(line.gateway, nurse)
    stream = await listener.subscribe(channel)
    for number in range(60):
        if number % 20 == 10:
            line.proxy.cut()
        await writer.send(channel, f"Message {number}", f"m{number}")
    await listener.until(lambda _: len(stream.texts) == 60)
    assert stream.texts == [f"Message {number}" for number in range(60)]
    await away.until(lambda wire: wire.hints and wire.hints[-1]["unread"] == 60)


async def traffic(wires: list[Wire], channel: str, over: asyncio.Event) -> list[dict[str, Any]]:
    """Everybody writes, slowly, until it is over; all answers."""

    async def write(name: int, wire: Wire) -> list[dict[str, Any]]:
        answers = []
        while not over.is_set():
            answers.append(await wire.send(channel, "Hello", f"{name}-{len(answers)}"))
            await asyncio.sleep(0.02)
        return answers

    written = await asyncio.gather(*(write(name, wire) for name, wire in enumerate(wires)))
    return sorted((answer for answers in written for answer in answers), key=lambda answer: answer["offset"])


@pytest.mark.catalogue("R04")
async def test_without_redis_sends_are_answered_and_delivery_goes_on(
    frail_pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    redis, patient = frail_pair.redis, await clinic.patient()
    assert redis
    channel = await clinic.care_team(patient)
    listeners = [await connect(gateway, person) for gateway in frail_pair for person in (patient, clinic.clinician)]
    streams = [await listener.subscribe(channel) for listener in listeners]
    writers = [await connect(frail_pair.a, patient), await connect(frail_pair.b, clinic.clinician)]
    over = asyncio.Event()
    going_on = asyncio.create_task(traffic(writers, channel, over))

    async def all_reach(offset: int) -> None:
        for listener in listeners:
            await listener.until(lambda wire: wire.streams[channel].position >= offset)

    try:
        await all_reach(20)
        await redis.kill()
        for _ in range(2):  # what is written while it is away also arrives while it is away, more than once
            await all_reach(await clinic.top(channel) + 20)
        late = await connect(frail_pair.b, patient)
        streams.append(await late.subscribe(channel, recover=True, epoch="", offset=0))
        listeners.append(late)
    finally:
        await redis.start()
    await all_reach(await clinic.top(channel) + 50)
    over.set()
    answers = await going_on
    await all_reach(len(answers) + 1)
    assert [answer["offset"] for answer in answers] == list(range(2, len(answers) + 2)), "every send was answered"
    for stream in streams:
        messages = [data["id"] for _, data in stream.items if data["type"] == "message"]
        assert messages == [answer["message_id"] for answer in answers]

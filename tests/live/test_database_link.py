"""The line between a gateway and Postgres: answers to commits are lost on it, connections are ended, and nobody notices much."""

import asyncio
import itertools
import time
from collections import Counter
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.proxy import proxy
from tests.support.stream import Json
from tests.support.wire import Refused, Wire

REPAIRED_WITHIN = 5.0
"""Seconds: reliability.md G6."""


async def send_until_taken(wire: Wire, channel: str, text: str) -> tuple[Json, list[Refused]]:
    """Try until it is taken, always under the same client_id; the answer, and the refusals before it."""
    refusals: list[Refused] = []
    while True:
        try:
            return await wire.send(channel, text, text), refusals
        except Refused as refused:
            refusals.append(refused)
            if not refused.temporary:
                raise
            await asyncio.sleep(0.02)


async def test_a_commit_whose_answer_is_lost_is_delivered_all_the_same_and_a_retry_finds_it(
    database_url: str, pair: Pair, clinic: Clinic, start: Start, connect: Connect
) -> None:
    patient, port = await clinic.patient(), urlsplit(database_url).port
    assert port
    channel = await clinic.care_team(patient)
    async with proxy(port) as line:
        gateway = await start(DATABASE_URL=database_url.replace(f":{port}/", f":{line.port}/"))
        writer = await connect(gateway, patient)
        listeners = [await connect(where, clinic.clinician) for where in (gateway, pair.a)]
        for listener in listeners:
            await listener.subscribe(channel)
        refusals: list[Refused] = []
        for number in range(10):
            line.cut_after(0)  # whatever Postgres says next, to this send or to anything else, is never heard
            answer, refused = await send_until_taken(writer, channel, f"Message {number}")
            assert answer["offset"] == number + 2, "once, whatever was heard of it"
            refusals += refused
        assert {refused.code for refused in refusals} == {100}, "some answers were really lost"
        for listener in listeners:
            await listener.until(lambda wire: wire.streams[channel].position == 11, REPAIRED_WITHIN)
            assert listener.streams[channel].texts == [f"Message {number}" for number in range(10)]
        assert [wire.over for wire in (writer, *listeners)] == [None] * 3


async def test_a_commit_whose_answer_is_lost_is_delivered_though_nobody_tries_again(
    database_url: str, pair: Pair, clinic: Clinic, start: Start, connect: Connect
) -> None:
    patient, port = await clinic.patient(), urlsplit(database_url).port
    assert port
    channel = await clinic.care_team(patient)
    async with proxy(port) as line:
        gateway = await start(DATABASE_URL=database_url.replace(f":{port}/", f":{line.port}/"))
        writer = await connect(gateway, patient)
        listeners = [await connect(where, clinic.clinician) for where in (gateway, pair.a)]
        for listener in listeners:
            await listener.subscribe(channel)
        for number in itertools.count():
            line.cut_after(0)
            await asyncio.gather(writer.send(channel, "Hello", f"m{number}"), return_exceptions=True)
            if await clinic.top(channel) > 1:
                break  # it was written, and whoever wrote it does not know
        for listener in listeners:
            await listener.until(lambda wire: wire.streams[channel].texts == ["Hello"], REPAIRED_WITHIN)


@pytest.mark.catalogue("R11")
async def test_ended_database_connections_cost_retries_and_nothing_else(
    database_url: str, clinic: Clinic, start: Start, connect: Connect, owner: asyncpg.Connection
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    gateway = await start()
    mine = "select pid from pg_stat_activity where application_name = 'warmline' and backend_start >= $1"
    [began] = await owner.fetchrow("select now() - interval '10 s'")
    writers = [await connect(gateway, (patient, clinic.clinician)[number % 2]) for number in range(6)]
    stream = await writers[1].subscribe(channel)
    over, outcomes, ids = time.monotonic() + 1.5, Counter[str](), list[str]()

    async def write(wire: Wire, name: int) -> None:
        for number in itertools.takewhile(lambda _: time.monotonic() < over, itertools.count()):
            sent, refused = await send_until_taken(wire, channel, f"{name}-{number}")
            outcomes["refused"] += len(refused)
            ids.append(sent["message_id"])

    async def end_connections() -> None:
        while time.monotonic() < over:
            outcomes["ended"] += len(await owner.fetch(f"select pg_terminate_backend(pid) from ({mine}) it", began))
            await asyncio.sleep(0.2)

    await asyncio.gather(end_connections(), *(write(wire, name) for name, wire in enumerate(writers)))
    assert outcomes["ended"] > 10
    assert outcomes["refused"] > 0
    last = await writers[0].send(channel, "The end", "end")
    await writers[1].until(lambda _: stream.position == last["offset"])
    assert sorted(data["id"] for _, data in stream.items) == sorted([*ids, last["message_id"]])
    assert [wire.over for wire in writers] == [None] * len(writers)
    open_now = await owner.fetchval(f"select count(*) from ({mine}) it", began)
    assert open_now <= 16, "the pools have not grown"

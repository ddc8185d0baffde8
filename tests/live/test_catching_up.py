"""Coming back while much is written, far behind, and again and again: one unbroken stream, or an honest new beginning."""

import asyncio
import itertools

import pytest

from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic

FRAME = 256 * 1024
"""Bytes: no frame of ours is larger, so that every SDK takes it (protocol.md §1)."""


@pytest.mark.catalogue("R20")
async def test_a_listener_cut_again_and_again_misses_and_doubles_nothing(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient, over = await clinic.patient(), asyncio.Event()
    channel = await clinic.care_team(patient)
    writers = [await connect(gateway, patient) for gateway in pair for _ in range(2)]

    async def write(name: int) -> list[int]:
        offsets = []
        for number in itertools.takewhile(lambda _: not over.is_set(), itertools.count()):
            offsets.append((await writers[name].send(channel, "Hello", f"{name}-{number}"))["offset"])
        return offsets

    writing = asyncio.gather(*(write(name) for name in range(len(writers))))
    wire = await connect(pair.a, clinic.clinician)
    stream = await wire.subscribe(channel, recover=True, epoch="", offset=0)
    for number in range(40):
        before = stream.position
        if number % 4 != 3:  # sometimes cut before anything came
            await wire.until(lambda _, before=before, number=number: stream.position > before + number % 3)
        await wire.cut()
        wire = await connect((pair.a, pair.b)[number % 2], clinic.clinician)
        await wire.subscribe(stream)
    over.set()
    offsets = sorted(offset for offsets in await writing for offset in offsets)
    await wire.until(lambda _: stream.position == offsets[-1])
    assert stream.offsets == list(range(1, offsets[-1] + 1))
    assert stream.resets == 0
    assert stream.recovered > 40, "it was really behind"


@pytest.mark.catalogue("R21")
async def test_far_behind_is_caught_up_in_portions_and_too_far_behind_is_said(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    long, heavy = await clinic.care_team(patient), await clinic.channel("group", clinic.clinician, patient)
    wire = await connect(pair.a, clinic.clinician)
    streams = [await wire.subscribe(channel) for channel in (long, heavy)]
    await wire.cut()

    async def write(channel: str, count: int, words: str) -> None:
        for first in range(0, count, 100):
            await asyncio.gather(
                *(clinic.send(patient, channel, f"{number} {words}") for number in range(first, first + 100))
            )

    await write(long, 3000, "So much has happened. " * 30)
    await write(heavy, 700, "So much has happened. " * 340)
    back = await connect(pair.b, clinic.clinician)
    await back.subscribe(streams[0])
    await back.until(lambda _: streams[0].position == 3001)
    assert streams[0].offsets == list(range(2, 3002))
    assert max(map(len, back.heard)) < FRAME

    await back.subscribe(streams[1])  # 5 MB: more than a recovery carries
    assert (streams[1].resets, streams[1].position, streams[1].items) == (1, 701, [])

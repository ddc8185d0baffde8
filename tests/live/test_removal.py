"""Removal cuts exactly at its place in the log, on every gateway, whatever the doorbell does."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.stream import Stream
from tests.support.wire import Refused, Wire

TOLD_WITHIN = 2.0 + 1.0
"""Seconds: two for telling the open connection (domain.md §2), one for the interval of the check that finds out."""


async def send_until_refused(wire: Wire, channel: str) -> tuple[list[int], Refused]:
    """Send without a pause until it is refused; the offsets given, and the refusal."""
    offsets: list[int] = []
    while True:
        try:
            sent = await wire.send(channel, "Still here", f"mine-{len(offsets)}")
        except Refused as refused:
            return offsets, refused
        offsets.append(sent["offset"])


async def flow(wires: Sequence[Wire], channel: str, over: asyncio.Event) -> None:
    """A conversation that goes on, with read marks made on the other gateway, until it is over."""
    number = 0
    while not over.is_set():
        sent = await wires[0].send(channel, f"Between us {number}", f"flow-{number}")
        await wires[1].rpc("channel.read", channel_id=channel, offset=sent["offset"])
        number += 1


def told_of_the_end(wire: Wire, channel: str) -> bool:
    """Whether the personal channel said that this channel is no longer theirs."""
    return {"type": "channel", "channel": channel, "member": False} in wire.hints


async def cut(pair: Pair, clinic: Clinic, connect: Connect, patient: str) -> tuple[int, float, Wire, list[Stream]]:
    """A nurse who listens on both gateways and writes is removed while the others go on: where, when, and what came."""
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.channel("group", clinic.clinician, nurse, patient)
    near, far = await connect(pair.a, nurse), await connect(pair.b, nurse)
    streams = [await near.subscribe(channel), await far.subscribe(channel)]
    remover, over = await connect(pair.a, clinic.clinician), asyncio.Event()
    going_on = asyncio.create_task(flow([await connect(gateway, patient) for gateway in pair], channel, over))
    sending = asyncio.create_task(send_until_refused(far, channel))
    member = await clinic.membership(channel, nurse)
    while await clinic.top(channel) < 30:
        await asyncio.sleep(0.01)
    left = (await remover.rpc("member.remove", channel_id=channel, member_id=member))["offset"]
    removed = time.monotonic()
    for wire in (near, far):
        await wire.until(lambda wire: channel in wire.ended)
    while await clinic.top(channel) < left + 30:
        await asyncio.sleep(0.01)
    over.set()
    await going_on
    offsets, refused = await sending
    assert refused.code == 404
    assert all(offset < left for offset in offsets), "what was accepted stands before the removal"
    for wire, stream in zip((near, far), streams, strict=True):
        assert stream.ended == {"code": 2000, "reason": "removed"}
        assert wire.ended[channel] - removed < TOLD_WITHIN
    return left, removed, far, streams


@pytest.mark.catalogue("S10")
async def test_with_the_doorbell_everything_before_the_removal_arrives_and_nothing_after(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    left, _, wire, streams = await cut(pair, clinic, connect, await clinic.patient())
    for stream in streams:
        assert stream.offsets == list(range(2, left))
    await wire.until(lambda wire: told_of_the_end(wire, streams[0].channel))


@pytest.mark.catalogue("S10")
async def test_without_redis_nothing_from_the_removal_on_reaches_the_removed(
    frail_pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    assert frail_pair.redis
    await frail_pair.redis.kill()
    try:
        left, _, wire, streams = await cut(frail_pair, clinic, connect, await clinic.patient())
    finally:
        await frail_pair.redis.start()
    for stream in streams:
        assert stream.offsets == list(range(2, left)), "all that was theirs, read from the log, and not one more"
        after = [signal for signal in stream.signals if signal["offset"] >= left]
        assert after == [], "nor a signal that was made later"
    [channel] = wire.streams
    await wire.until(lambda wire: told_of_the_end(wire, channel))  # once the doorbell is back
    for wish in ({}, {"recover": True, "epoch": streams[0].epoch, "offset": left - 1}, {"recover": True}):
        with pytest.raises(Refused, match=r"^102:"):
            await wire.subscribe(Stream(channel), **wish)
    for method in ("message.history", "channel.directory"):
        with pytest.raises(Refused, match=r"^404:"):
            await wire.rpc(method, channel_id=channel)


@pytest.mark.catalogue("S10")
async def test_who_was_removed_while_away_recovers_nothing(pair: Pair, clinic: Clinic, connect: Connect) -> None:
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    away, writer = await connect(pair.b, nurse), await connect(pair.a, clinic.clinician)
    stream = await away.subscribe(channel)
    await away.cut()
    await writer.send(channel, "Written while she was away, and still hers", "m1")
    await clinic.remove(channel, nurse)
    back = await connect(pair.a, nurse)
    with pytest.raises(Refused, match=r"^102:"):
        await back.subscribe(stream)
    assert stream.items == []


@pytest.mark.catalogue("S10")
async def test_who_comes_back_after_a_removal_goes_on_where_they_were(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    wire, writer = await connect(pair.b, nurse), await connect(pair.a, clinic.clinician)
    stream = await wire.subscribe(channel)
    left = await clinic.remove(channel, nurse)
    await wire.until(lambda wire: channel in wire.ended)
    await writer.send(channel, "Among ourselves", "m1")
    joined = (await clinic.add(channel, nurse))["offset"]
    await wire.until(lambda wire: any(hint["member"] and hint["top"] >= joined for hint in wire.hints))
    await wire.subscribe(stream)
    assert stream.offsets == [left, left + 1, joined], "team members see the whole history, also of their absence"


@pytest.mark.catalogue("S10")
async def test_who_comes_and_goes_in_a_group_gets_what_was_said_while_there_and_nothing_else(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    guest, host = await clinic.patient(), await clinic.patient()
    channel = await clinic.channel("group", clinic.clinician, host)
    wires = [await connect(gateway, guest) for gateway in pair]
    keeper, over = await connect(pair.b, clinic.clinician), asyncio.Event()
    going_on = asyncio.create_task(flow([await connect(gateway, host) for gateway in pair], channel, over))
    stays: list[range] = []
    streams: list[Stream] = []
    for number in range(12):
        joined = (await keeper.rpc("member.add", channel_id=channel, person_id=guest))["offset"]
        for wire in wires:
            streams.append(await wire.subscribe(Stream(channel), **({"recover": True} if number % 2 else {})))
        await wires[number % 2].until(lambda wire, joined=joined: wire.streams[channel].position > joined + 2)
        member = await clinic.membership(channel, guest)
        left = (await keeper.rpc("member.remove", channel_id=channel, member_id=member))["offset"]
        stays.append(range(joined, left))
        for wire in wires:
            await wire.until(lambda wire: wire.streams[channel].ended)
    over.set()
    await going_on
    for number, stream in enumerate(streams):
        stay = stays[number // 2]
        assert set(stream.offsets) <= set(stay)
        assert stream.offsets[-1:] in ([], [stay[-1]]), "and that to its end"
        assert all(signal["offset"] < stay.stop for signal in stream.signals)
    assert all(stream.offsets == list(stay) for stay, stream in zip(stays[1::2], streams[2::4], strict=True))

"""R13: the database restored to a moment in the past, under load, and what must be so beside the thirteen checks."""

import asyncio
from collections.abc import Sequence

from tests.faults.nemesis import RESTORED
from tests.faults.recorder import RecordedWire
from tests.faults.run import Run
from tests.support.history import Event
from tests.support.stream import Json
from tests.support.wire import Refused, Wire

SEVERAL = 20


async def restored(going: Run, seconds: float) -> None:
    """A backup is taken under load; later the database is restored to a moment before the last messages."""
    ward = going.ward
    assert ward.backup is not None
    private = await ward.channel()
    patient = going.ward.clinic.clinician
    await ward.backup.take()
    await asyncio.sleep(seconds / 2)
    async with ward.sql() as owner:
        before = await owner.fetchval("select log_epoch()")
    lost = asyncio.create_task(_in_the_tail(going, private, patient))
    await going.nemesis.restore()
    position = await lost
    async with ward.sql() as owner:
        after = await owner.fetchval("select log_epoch()")
    going.hold(before != after, "the epoch changed by itself")
    await _used_again(going, private, patient, position)
    await _sent_anew(going)
    await asyncio.sleep(max(3.0, seconds / 2))
    told, standing = everybody_told(going.ward.recorder.events)
    going.hold(told == standing, f"{len(told)} of {len(standing)} subscriptions were told that they begin anew")


async def _in_the_tail(going: Run, channel: str, person: str) -> Json:
    """Something written in the time that will be lost, in a channel that no check looks at; the position after it."""
    await asyncio.sleep(0.5)
    wire = await Wire.open(going.ward.nodes[0].gateway.socket_url, going.ward.token(person))
    stream = await wire.subscribe(channel)
    sent = await wire.send(channel, "what was said first", "a key of the lost tail")
    await wire.close()
    return {"epoch": stream.epoch, "offset": sent["offset"]}


async def _used_again(going: Run, channel: str, person: str, position: Json) -> None:
    """The key is free again, for other words as well; nothing of what was lost is mixed in; the position is worth nothing."""
    wire = await opened(going, person)
    refused = 100
    while refused == 100:  # for the time being: the gateway has not read the epoch yet
        try:
            await wire.ask(subscribe={"channel": channel, "recover": True, "flag": 2, **position})
            refused = 0
        except Refused as refusal:
            refused = refusal.code
            await asyncio.sleep(0.1)
    going.hold(refused == 112, "who asks to be refused rather than begin anew is refused (112)")
    again = [await wire.send(channel, "what is said now", "a key of the lost tail") for _ in range(2)]
    page = await wire.rpc("message.history", channel_id=channel, limit=100)
    texts = [item.get("text") for item in page["items"] if item["type"] == "message"]
    same = again[0] == again[1] and again[0]["offset"] == position["offset"]
    going.hold(
        same and texts == ["what is said now"], "a client_id of the lost tail was free again, for other words, once"
    )
    await wire.close()


async def _sent_anew(going: Run) -> None:
    """What was acknowledged and lost is sent again under the same keys, each twice: the checks see whether anything mixes."""
    ward, load = going.ward, going.load
    async with ward.sql() as owner:
        there = {row["client_id"] for row in await owner.fetch("select client_id from messages")}
    senders = {event.key: event.person for event in ward.recorder.events if event.kind == "send.invoke"}
    begun = next(event.at for event in ward.recorder.events if event.fault == RESTORED)
    oks = [event for event in ward.recorder.events if event.kind == "send.ok" and event.at > begun - 1]
    gone = list({event.key: event for event in oks if event.key not in there}.values())[:SEVERAL]
    once = 0
    for event in gone:
        async with load.connected("again", senders[event.key]) as wire:
            answers = [await _said(going, wire, event, senders[event.key]) for _ in range(2)]
        once += answers[0] == answers[1]
    going.hold(
        0 < once == len(gone), f"{once} of {len(gone)} acknowledged and lost messages, sent again twice, are there once"
    )


async def _said(going: Run, wire: RecordedWire, lost: Event, person: str) -> Json:
    say = going.ward.recorder.say
    say("send.invoke", channel=lost.channel, key=lost.key, person=person)
    answer = await wire.send(lost.channel, lost.key, lost.key)
    say("send.ok", channel=lost.channel, key=lost.key, message=answer["message_id"], offset=answer["offset"])
    return answer


async def opened(going: Run, person: str, within: float = 30) -> Wire:
    """A connection, as soon as one is to be had and its gateway has the database again."""
    async with asyncio.timeout(within):
        while True:
            wire = await Wire.open(going.ward.front.socket_url)
            try:
                wire.welcome = await wire.ask(connect={"token": going.ward.token(person)})
            except Refused:
                await wire.close()
                await asyncio.sleep(0.2)
            else:
                return wire


def everybody_told(events: Sequence[Event]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Which subscriptions learned that they begin anew, of those that had got something before the restore began."""
    begun = next(event.at for event in events if event.kind == "fault.start" and event.fault == RESTORED)
    standing = {(event.client, event.channel) for event in events if event.kind == "sub.ok" and event.at < begun}
    told = {
        (event.client, event.channel)
        for event in events
        if event.at > begun
        and (event.kind == "reset" or (event.kind == "sub.ok" and event.was and not event.recovered))
    }
    return told & standing, standing

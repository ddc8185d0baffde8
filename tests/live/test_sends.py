"""Many writers at once over two gateways: one message per client_id, one order, no hole, whatever fails among them."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.wire import Refused, Wire

WRITERS, EACH = 50, 8


@pytest.mark.catalogue("R18")
async def test_one_client_id_twenty_times_at_once_is_one_message(
    pair: Pair, site: Site, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    listener = await connect(pair.b, clinic.clinician)
    stream = await listener.subscribe(channel)
    wires = [await connect(gateway, patient) for gateway in pair for _ in range(4)]
    bearer = {"Authorization": f"Bearer {site.token(clinic.identity(patient))}"}

    async def post(http: httpx.AsyncClient, url: str) -> Any:
        body = {"text": "Once", "client_id": "once"}
        return (await http.post(f"{url}/api/channels/{channel}/messages", json=body, headers=bearer)).json()

    async with httpx.AsyncClient() as http:
        over_http = [post(http, gateway.url) for gateway in pair for _ in range(2)]
        answers = await asyncio.gather(*(wire.send(channel, "Once", "once") for wire in wires * 2), *over_http)
    assert len(answers) == 20
    assert all(answer == answers[0] for answer in answers)
    rows = await clinic.sql("select id, log_offset from messages where channel_id = $1", channel)
    assert [tuple(row) for row in rows] == [(answers[0]["message_id"], answers[0]["offset"])]
    await wires[0].send(channel, "The end", "end")
    await listener.until(lambda _: stream.texts[-1:] == ["The end"])
    assert stream.texts == ["Once", "The end"]


async def write(wire: Wire, channel: str, name: str, doomed: bool, acked: dict[int, str]) -> Counter[str]:
    """One writer: good sends, and among them bodies that are none and ids used before. What became of each.

    `acked` gets what was answered with success: the texts by offset.

    Who is about to be removed or archived goes on until that is so.
    """
    outcomes: Counter[str] = Counter()
    last = 0

    async def attempt(kind: str, text: str, client_id: str) -> None:
        nonlocal last
        try:
            offset = (await wire.send(channel, text, client_id))["offset"]
            assert acked.setdefault(offset, text) == text
            assert offset > last or kind == "again", "sent after the answer to the one before, so it stands behind it"
            last = max(offset, last)
        except Refused as refused:
            kind = "temporary" if refused.temporary else str(refused.code)
        outcomes[kind] += 1

    for number in itertools.count():
        if number >= EACH and not (doomed and outcomes["403"] + outcomes["404"] == 0):
            break
        client_id = f"{name}-{number}"
        await attempt("ok", client_id, client_id)
        if number % 4 == 1:
            await attempt("bad body taken", " \n ", f"{client_id}-empty")
            await attempt("other text taken", "Another text", client_id)
        if number % 4 == 3:
            await asyncio.gather(*(attempt("again", client_id, client_id) for _ in range(2)))
    return outcomes


@pytest.mark.catalogue("R17")
async def test_fifty_writers_with_failures_among_them_leave_no_hole(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patients = [await clinic.patient() for _ in range(2)]
    staff = [await clinic.team_member("NURSE") for _ in range(8)]
    channel = await clinic.channel("group", clinic.clinician, *patients, *staff)
    listeners = [await connect(gateway, person) for gateway in pair for person in (clinic.clinician, patients[0])]
    for listener in listeners:
        await listener.subscribe(channel)
    people = [clinic.clinician, *patients, *staff]
    writers = [people[number % len(people)] for number in range(WRITERS)]
    wires = [await connect((pair.a, pair.b)[number % 2], person) for number, person in enumerate(writers)]
    acked: dict[int, str] = {}
    writing = [
        write(wire, channel, f"w{number}", person in staff[:4], acked)
        for number, (wire, person) in enumerate(zip(wires, writers, strict=True))
    ]

    async def lose_four() -> None:
        """Two are removed and two archived while they write."""
        await listeners[0].until(lambda wire: wire.streams[channel].position > WRITERS)
        await asyncio.gather(*(clinic.remove(channel, person) for person in staff[:2]))
        await asyncio.gather(*(clinic.archive(person) for person in staff[2:4]))

    *outcomes, _ = await asyncio.gather(*writing, lose_four())
    await check_the_log(clinic, channel, sum(outcomes, Counter()))
    top = await clinic.top(channel)
    for listener in listeners:
        await listener.until(lambda wire: wire.streams[channel].position >= top)
        items = listener.streams[channel].items
        assert {offset: data["text"] for offset, data in items if data["type"] == "message"} == acked


async def check_the_log(clinic: Clinic, channel: str, total: Counter[str]) -> None:
    """Offsets 1 … n, and in them exactly the sends that were answered with success; every failure was really tried."""
    offsets = await clinic.offsets(channel)
    assert offsets == list(range(1, len(offsets) + 1))
    assert await clinic.top(channel) == len(offsets)
    found = await clinic.sql("select kind, count(*) as n from events where channel_id = $1 group by 1", channel)
    assert {row["kind"]: row["n"] for row in found} == {"opened": 1, "left": 2, "message": total["ok"]}
    assert set(total) == {"ok", "again", "403", "404", "409", "422"}
    assert total["ok"] > WRITERS
    assert total["422"] >= WRITERS * 2
    assert total["409"] >= WRITERS

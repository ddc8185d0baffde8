"""A flood by one: delayed, then refused in words, over either way in; nothing is lost, and the others get what they got."""

import asyncio

import httpx
import pytest

from tests.live.conftest import Connect, Start
from tests.support.cast import Clinic
from tests.support.site import Gateway, Site
from tests.support.wire import Refused


@pytest.fixture(scope="module")
async def tight(site: Site) -> Gateway:
    """A gateway whose limits are soon reached."""
    return await site.gateway(
        WARMLINE_SENDS_PER_SECOND="40",
        WARMLINE_SENDS_BURST="10",
        WARMLINE_SENDS_PATIENCE="0.5",
        WARMLINE_OPERATIONS_PER_SECOND="5",
        WARMLINE_OPERATIONS_BURST="20",
    )


@pytest.mark.catalogue("S25")
async def test_a_flood_of_sends_is_delayed_then_refused_and_none_is_lost_or_reordered(
    tight: Gateway, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    flooder, victim = await connect(tight, patient), await connect(tight, clinic.clinician)
    stream = await victim.subscribe(channel)
    ended = await asyncio.gather(
        *(flooder.send(channel, f"m{number}", f"c{number}") for number in range(150)), return_exceptions=True
    )
    sent = {number: told["offset"] for number, told in enumerate(ended) if isinstance(told, dict)}
    refused = [error for error in ended if isinstance(error, Refused)]
    assert len(sent) + len(refused) == 150
    assert len(sent) >= 30
    assert len(refused) >= 20
    assert {(error.code, error.temporary) for error in refused} == {(111, True)}
    assert "Try again in" in refused[0].message
    assert list(sent.values()) == sorted(sent.values()), "in the order they were sent"
    # The victim writes as ever, and the flooder's retry under the same client_id makes nothing twice.
    mine = [await victim.send(channel, f"v{number}", f"v{number}") for number in range(10)]
    again = next(iter(sent))
    await asyncio.sleep(0.6)
    assert (await flooder.send(channel, f"m{again}", f"c{again}"))["offset"] == sent[again]
    await victim.until(lambda _: stream.position >= mine[-1]["offset"])
    assert sorted(stream.texts) == sorted([f"m{number}" for number in sent] + [f"v{number}" for number in range(10)])


@pytest.mark.catalogue("S25")
async def test_http_tells_when_to_come_again_and_counts_with_the_socket(
    start: Start, site: Site, clinic: Clinic, connect: Connect
) -> None:
    gateway = await start(WARMLINE_SENDS_PER_SECOND="0.1", WARMLINE_SENDS_BURST="3", WARMLINE_SENDS_PATIENCE="0")
    channel = await clinic.care_team(await clinic.patient())
    wire = await connect(gateway, clinic.clinician)
    headers = {"Authorization": f"Bearer {site.token(clinic.identity(clinic.clinician))}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as http:
        path = f"/api/channels/{channel}/messages"
        for number in range(2):
            answer = await http.post(path, json={"client_id": f"h{number}", "text": "Hello"})
            assert answer.status_code == 200
        await wire.send(channel, "Hello", "w")
        answer = await http.post(path, json={"client_id": "h2", "text": "Hello"})
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
        assert (answer.json()["error"]["code"], answer.json()["error"]["temporary"]) == (111, True)
        with pytest.raises(Refused, match=r"^111: "):
            await wire.send(channel, "Hello", "w2")
        assert (await http.get("/api/me")).status_code == 200, "what is read has a rate of its own"


@pytest.mark.catalogue("S25")
async def test_expensive_reads_are_paced_and_the_neighbours_are_not(
    tight: Gateway, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    flooder, victim = await connect(tight, clinic.clinician), await connect(tight, patient)
    reads = [asyncio.create_task(flooder.rpc("message.history", channel_id=channel, limit=100)) for _ in range(300)]
    mine = [await victim.rpc("message.history", channel_id=channel) for _ in range(15)]
    ended = await asyncio.gather(*reads, return_exceptions=True)
    refused = [error for error in ended if isinstance(error, Refused)]
    assert {(error.code, error.temporary) for error in refused} == {(111, True)}
    assert len(refused) > 200
    assert all(page["items"] for page in mine)
    assert await flooder.send(channel, "What is read does not keep from writing", "w")

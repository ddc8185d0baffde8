"""Two people talk in two browsers while the gateways are killed under them: nothing missing, doubled or out of order."""

import asyncio
import itertools

from playwright.async_api import Page

from tests.live.conftest import DemoPerson, Start
from tests.support.browser import Pages, shown, stats, until, write
from tests.support.cast import Clinic
from tests.support.proxy import Proxy, proxy
from tests.support.site import Gateway
from tests.support.stream import Json

EACH = 110
KILLS = 4
LATENCY = 0.25
"""Seconds each way before a kill: a send is then always under way while somebody writes."""
PENDING = "document.querySelectorAll('[data-state=pending]').length"
ONLINE_AND_WRITING = f"document.getElementById('connection').hidden && {PENDING} > 2"


async def talk(page: Page, name: str, over: asyncio.Event) -> list[str]:
    """Write without a pause, also while the page is offline, at least so many messages; all of them."""
    written: list[str] = []
    while len(written) < EACH or not over.is_set():
        number = len(written)
        written.append("ok" if number % 5 == 4 else f"{name} {number}")  # equal words are different messages
        await write(page, written[-1])
        if number > EACH:
            await asyncio.sleep(0.1)  # enough is said; only the kills must still find somebody writing
    return written


async def kill_under(pages: list[Page], gateways: list[Gateway], way: Proxy) -> None:
    """Kill the gateway that everybody is connected to while both have a send under way; the other leads on from now on."""
    way.delay = LATENCY
    for page in pages:
        await until(page, ONLINE_AND_WRITING)
    victim, heir = gateways
    way.targets = [heir.port, victim.port]
    victim.kill()
    way.cut()  # what was on its way, either way, is lost: also answers to what was done
    pending = [await page.evaluate(PENDING) for page in pages]
    assert all(pending), "the sends that were in flight wait for their answers"
    way.delay = 0


async def the_log(clinic: Clinic, person: str, channel: str) -> list[tuple[str, int, str]]:
    """All messages as the database has them: id, offset, words."""
    items: list[Json] = []
    more = True
    while more:
        before = {"before": items[-1]["offset"]} if items else {}
        page = await clinic.call(person, "message.history", channel_id=channel, limit=100, **before)
        items, more = items + page["items"], page["more"]
    return [(item["id"], item["offset"], item["text"]) for item in reversed(items) if item["type"] == "message"]


async def test_a_conversation_survives_gateways_killed_with_sends_in_flight(
    pages: Pages, clinic: Clinic, start: Start, demo_person: DemoPerson
) -> None:
    (patient, patient_key), (doctor, doctor_key) = (
        await demo_person("patient", "Demo Patient"),
        await demo_person("team_member", "Demo Clinician"),
    )
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, doctor, nurse)
    async with proxy() as way:
        gateways = [await start(WARMLINE_ALLOWED_ORIGINS=way.url) for _ in range(2)]
        way.targets = [gateway.port for gateway in gateways]
        here = await pages.open(f"{way.url}/?as={patient_key}")
        there = await pages.open(f"{way.url}/portal?as={doctor_key}#/channel/{channel}")
        for page in (here, there):
            await page.locator("#text").wait_for()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as talking:
            talks = [
                talking.create_task(talk(page, name, over)) for page, name in ((here, "Patient"), (there, "Clinician"))
            ]
            for number in range(KILLS):
                await kill_under([here, there], gateways, way)
                await clinic.send(nurse, channel, f"Written while you were away {number}")
                gateways[0].spawn()
                await gateways[0].healthy()
                gateways.reverse()
            over.set()
        for page in (here, there):
            await until(page, f"{PENDING} === 0")
        expected = await the_log(clinic, nurse, channel)
        for page in (here, there):
            await until(page, f"Number(document.getElementById('messages').dataset.items) > {len(expected)}")
            assert await shown(page) == expected, "what the page shows is what the database has, in its order"
            counted = await stats(page)
            assert counted["reconnects"] >= KILLS
            assert counted["recoveredPublications"] >= KILLS
            assert (counted["gaps"], counted["duplicates"]) == (0, 0)
    await check_what_was_written(clinic, channel, expected, {patient: talks[0].result(), doctor: talks[1].result()})


async def check_what_was_written(
    clinic: Clinic, channel: str, expected: list[tuple[str, int, str]], written: dict[str, list[str]]
) -> None:
    """Each of the two finds their words in the log, all of them, once, in the order in which they wrote them."""
    authors = await clinic.sql("select id, author_person_id from messages where channel_id = $1", channel)
    author_of = {row["id"]: row["author_person_id"] for row in authors}
    for person, words in written.items():
        assert [text for id, _, text in expected if author_of[id] == person] == words
        assert len(words) >= EACH
    assert len(expected) == sum(map(len, written.values())) + KILLS
    offsets = await clinic.offsets(channel)
    assert offsets == list(range(1, len(offsets) + 1))
    assert [offset for _, offset, _ in expected] == list(itertools.islice(itertools.count(2), len(expected)))

"""Reading: history that loads upward without a jump, long conversations, read marks, badges, and who has seen what."""

import asyncio
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, write

PATIENT = "/?as=demo-patient"
CARE = "/portal?as=demo-clinician#/channel/care"

TOP_ROW = """() => {
    const top = document.getElementById("scroller").getBoundingClientRect().top;
    const row = [...document.querySelectorAll("[data-message-id]")].find((li) => li.getBoundingClientRect().bottom > top + 5);
    return [row.dataset.messageId, Math.round(row.getBoundingClientRect().top)];
}"""


def fill(clinic: Clinic, count: int) -> None:
    """So many messages by the clinician, one every seven minutes, the last one just now."""
    care, doctor = clinic.channels["care"], clinic.people["demo-clinician"]
    begin = datetime.now(UTC) - timedelta(minutes=7 * count)
    for number in range(count):
        at = begin + timedelta(minutes=7 * number)
        clinic.say(care, doctor, f"message {number} " + "word " * (number % 40), at=at)


def read_all(clinic: Clinic) -> None:
    care = clinic.channels["care"]
    for member in care.members.values():
        member.read_offset = care.top


async def wheel_up(page: Page) -> None:
    await page.locator("#scroller").hover()
    await page.mouse.wheel(0, -600)
    await asyncio.sleep(0.05)


async def test_older_history_comes_above_without_a_jump(open_page: OpenPage, clinic: Clinic) -> None:
    fill(clinic, 180)
    read_all(clinic)
    page = await open_page(PATIENT)
    await expect(page.locator("[data-message-id]")).to_have_count(50)
    # The answer to the scrolling comes later than the row is looked up.
    await page.locator("#scroller").evaluate("(scroller) => scroller.scrollTop = scroller.clientHeight * 1.2")
    before = await page.evaluate(TOP_ROW)
    await expect(page.locator("[data-message-id]")).to_have_count(100)
    after = await page.evaluate(TOP_ROW)
    assert before[0] == after[0]
    assert abs(before[1] - after[1]) <= 1
    while await page.locator("[data-message-id]").count() < 180:
        await wheel_up(page)
    offsets = await page.locator("[data-message-id]").evaluate_all("(rows) => rows.map((row) => +row.dataset.offset)")
    assert offsets == list(range(2, 182))


async def test_one_who_reads_above_stays_there_when_messages_come(open_page: OpenPage, clinic: Clinic) -> None:
    fill(clinic, 60)
    read_all(clinic)
    page = await open_page(PATIENT)
    await expect(page.locator("[data-message-id]")).to_have_count(50)
    await expect(page.locator("#newest")).to_be_hidden()
    for _ in range(3):
        await wheel_up(page)
    before = await page.evaluate(TOP_ROW)
    fill(clinic, 3)
    await expect(page.locator("#newest")).to_have_text("3 new messages below")
    assert await page.evaluate(TOP_ROW) == before
    await page.locator("#newest").click()
    await expect(page.locator("#newest")).to_be_hidden()
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()


async def test_the_end_stays_in_sight_when_room_is_lost_and_when_one_writes(
    open_page: OpenPage, clinic: Clinic
) -> None:
    fill(clinic, 40)
    read_all(clinic)
    page = await open_page(PATIENT)
    last = page.locator("[data-message-id]").last
    await expect(last).to_be_in_viewport(ratio=1)
    # A size that changes in the same frame in which the scroll event of a new message is due.
    await page.evaluate("""async () => {
        for (const height of [500, 640, 420, 700]) {
            document.getElementById("scroller").scrollTop += 1;
            document.documentElement.style.setProperty("--seen-height", `${height}px`);
            await new Promise((then) => setTimeout(then, 50));
        }
    }""")
    await expect(last).to_be_in_viewport(ratio=1)
    for _ in range(3):
        await wheel_up(page)
    await expect(page.locator("#newest")).to_be_visible()
    await write(page, "I have read enough")
    await expect(page.locator("#newest")).to_be_hidden()
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport(ratio=1)


async def test_a_long_conversation_stays_quick(open_page: OpenPage, clinic: Clinic) -> None:
    """5,000 messages, all of them fetched and shown: one more message, and typing, still fit into a frame or few."""
    fill(clinic, 5000)
    page = await open_page(PATIENT)
    await page.evaluate("""async () => {
        const scroller = document.getElementById("scroller");
        const count = () => document.querySelectorAll("[data-message-id]").length;
        while (count() < 5000) {
            scroller.scrollTop = 0;
            await new Promise((then) => setTimeout(then, 5));
        }
    }""")
    arrive = """async (run) => {
        const list = document.getElementById("messages");
        const long = [];
        new PerformanceObserver((all) => long.push(...all.getEntries().map((one) => one.duration))).observe({type: "longtask"});
        for (let times = 0; times < 20; times += 1) {
            document.getElementById("scroller").scrollTop += 400;
            await new Promise(requestAnimationFrame);
        }
        await new Promise((then) => setTimeout(then, 200));
        return Math.max(0, ...long);
    }"""
    fill(clinic, 5)
    longest = await page.evaluate(arrive)
    assert longest < 150, f"one task took {longest} ms"
    await page.locator("#newest").click()
    await expect(page.locator("[data-message-id]")).to_have_count(800)
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()


async def test_the_mark_moves_when_it_is_looked_at_and_the_badge_goes(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page("/portal?as=demo-clinician")
    care, patient = clinic.channels["care"], clinic.people["demo-patient"]
    for _ in range(3):
        clinic.say(care, patient, "Hello?")
    badge = page.locator('[data-channel-id="care"] .badge')
    await expect(badge).to_contain_text("3")
    await expect(page).to_have_title("(3) Message centre")
    await page.locator('[data-channel-id="care"]').click()
    await expect(badge).to_have_count(0)
    await expect(page).to_have_title("Message centre")
    await expect(page.locator("li.new")).to_have_count(1)
    member = care.member_of(clinic.people["demo-clinician"])
    assert member is not None
    assert member.read_offset == care.top


async def test_nothing_counts_as_read_that_is_out_of_sight(open_page: OpenPage, clinic: Clinic) -> None:
    fill(clinic, 60)
    care = clinic.channels["care"]
    member = care.member_of(clinic.people["demo-patient"])
    assert member is not None
    member.read_offset = 20
    page = await open_page(PATIENT)
    await expect(page.locator("li.new")).to_be_in_viewport()
    await asyncio.sleep(0.6)
    assert member.read_offset == 20
    await page.locator("#scroller").evaluate("(scroller) => scroller.scrollTop = scroller.scrollHeight")
    async with asyncio.timeout(5):
        while member.read_offset != care.top:
            await asyncio.sleep(0.05)


async def test_a_page_that_nobody_looks_at_reads_nothing(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(CARE)
    await expect(page.locator("#messages li")).to_have_count(1)
    await page.evaluate("document.hasFocus = () => false")
    care = clinic.channels["care"]
    clinic.say(care, clinic.people["demo-patient"], "Hello?")
    await expect(page.locator('[data-channel-id="care"] .badge')).to_contain_text("1")
    await asyncio.sleep(0.6)
    member = care.member_of(clinic.people["demo-clinician"])
    assert member is not None
    assert member.read_offset < care.top
    await page.evaluate("delete document.hasFocus; dispatchEvent(new Event('focus'))")
    await expect(page.locator('[data-channel-id="care"] .badge')).to_have_count(0)


async def test_who_has_seen_it(open_page: OpenPage) -> None:
    patient, clinician = await open_page(PATIENT), await open_page(CARE)
    await write(patient, "Hello")
    await expect(patient.locator("#messages .meta")).to_contain_text("Seen by your team")
    await write(clinician, "Hello back")
    await patient.bring_to_front()
    await expect(clinician.locator("#messages .meta").last).to_contain_text("Seen by Demo Patient (Sunny)")
    # Only their own name in the header: a patient is not told who of the team has read.
    await expect(patient.get_by_text("Demo Patient")).to_have_count(1)


async def test_more_than_99(open_page: OpenPage, clinic: Clinic) -> None:
    review, nurse = clinic.channels["review"], clinic.people["demo-nurse"]
    page = await open_page(CARE)
    for number in range(120):
        clinic.say(review, nurse, f"{number}")
    await expect(page.locator('[data-channel-id="review"] .badge')).to_contain_text("99+")


async def test_names_follow_the_directory(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    care = clinic.channels["care"]
    clinic.member_add(clinic.people["demo-nurse"], {"channel_id": "care", "person_id": "p_demo-receptionist"})
    await expect(page.locator("li.system").last).to_contain_text("Demo Receptionist joined")
    clinic.say(care, clinic.people["demo-receptionist"], "Good morning")
    await expect(page.locator("#messages .author").last).to_contain_text("Demo Receptionist")


async def test_new_messages_are_told_politely_and_gathered(open_page: OpenPage, clinic: Clinic) -> None:
    fill(clinic, 60)
    read_all(clinic)
    page = await open_page(PATIENT)
    log = page.get_by_role("log")
    await expect(page.locator("[data-message-id]")).to_have_count(50)
    await asyncio.sleep(2)
    await expect(log).to_be_empty()
    clinic.say(clinic.channels["care"], clinic.people["demo-nurse"], "Good morning")
    await expect(log.locator("p")).to_have_text(["Demo Nurse: Good morning"])
    fill(clinic, 4)
    await expect(log.locator("p").last).to_contain_text("4 new messages, the last from Demo Clinician: message 3")


async def test_what_has_no_words_says_why_and_an_edit_shows(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    care, doctor = clinic.channels["care"], clinic.people["demo-clinician"]
    first, second, third = (clinic.say(care, doctor, text) for text in ("one", "two", "three"))
    await expect(page.locator("#messages .text")).to_have_text(["one", "two", "three"])
    clinic.append(care, {**first, "revision": 2, "text": "one, corrected", "edited": True})
    without = {name: value for name, value in second.items() if name != "text"}
    clinic.append(care, {**without, "revision": 2, "deleted": True})
    clinic.append(care, {**without, "id": third["id"], "offset": third["offset"], "revision": 2, "unreadable": True})
    await expect(page.locator("#messages .text")).to_have_text(
        ["one, corrected", "This message was deleted.", "This message is damaged and cannot be shown."]
    )
    await expect(page.locator("#messages .meta").first).to_contain_text("edited")

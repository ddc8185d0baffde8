"""Reading: history that loads upward without a jump, long conversations, read marks, badges, and who has seen what."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

from playwright.async_api import Page, expect

from tests.support.browser import shown
from tests.support.middle import Middle
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, write

PATIENT = "/?as=demo-patient"
CARE = "/portal?as=demo-clinician#/channel/care"

TOP_ROW = """async () => {
    await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
    const top = document.getElementById("scroller").getBoundingClientRect().top;
    const row = [...document.querySelectorAll("[data-message-id]")].find((li) => li.getBoundingClientRect().bottom > top + 5);
    return [row.dataset.messageId, Math.round(row.getBoundingClientRect().top)];
}"""


async def fill(clinic: Clinic, count: int) -> None:
    """So many messages by the clinician, now."""
    await clinic.fill("care", "demo-clinician", count)


async def past(clinic: Clinic, count: int) -> None:
    """So many messages by the clinician, one every seven minutes, the last one just now."""
    await fill(clinic, count)
    await clinic.spread("care")


async def loaded(page: Page, count: int) -> None:
    """Wait until the page has so many items; not all of them are drawn."""
    await expect(page.locator(f"#messages[data-items='{count}']")).to_be_attached(timeout=20_000)


async def wheel_up(page: Page) -> None:
    await page.locator("#scroller").hover()
    await page.mouse.wheel(0, -600)
    await asyncio.sleep(0.05)


async def test_older_history_comes_above_without_a_jump(open_page: OpenPage, clinic: Clinic, middle: Middle) -> None:
    await past(clinic, 180)
    await clinic.read("care")
    page = await open_page(PATIENT)
    await loaded(page, 50)
    # The answer is held back until the row is looked up.
    middle.faults.late.add("message.history")
    while await page.locator("#edge").text_content() != "Loading earlier messages…":
        await wheel_up(page)
    before = await page.evaluate(TOP_ROW)
    middle.release("message.history")
    await loaded(page, 100)
    after = await page.evaluate(TOP_ROW)
    assert before[0] == after[0]
    assert abs(before[1] - after[1]) <= 1
    while await page.locator("#edge").text_content() != "" or await page.locator(".system").count() == 0:
        await wheel_up(page)
    await loaded(page, 181)
    assert [offset for _, offset, _ in await shown(page)] == list(range(2, 182))


async def test_one_who_reads_above_stays_there_when_messages_come(open_page: OpenPage, clinic: Clinic) -> None:
    await past(clinic, 60)
    await clinic.read("care")
    page = await open_page(PATIENT)
    await loaded(page, 50)
    await expect(page.locator("#newest")).to_be_hidden()
    for _ in range(3):
        await wheel_up(page)
    before = await page.evaluate(TOP_ROW)
    await fill(clinic, 3)
    await expect(page.locator("#newest")).to_have_text("3 new messages below")
    assert await page.evaluate(TOP_ROW) == before
    await page.locator("#newest").click()
    await expect(page.locator("#newest")).to_be_hidden()
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()


async def test_the_end_stays_in_sight_when_room_is_lost_and_when_one_writes(
    open_page: OpenPage, clinic: Clinic
) -> None:
    await past(clinic, 40)
    await clinic.read("care")
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


async def test_the_mark_moves_when_it_is_looked_at_and_the_badge_goes(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page("/portal?as=demo-clinician")
    await clinic.say("care", "demo-patient", *["Hello?"] * 3)
    badge = page.locator(f"{clinic.row('care')} .badge")
    await expect(badge).to_contain_text("3")
    await expect(page).to_have_title("(3) Message centre")
    await page.locator(clinic.row("care")).click()
    await expect(badge).to_have_count(0)
    await expect(page).to_have_title("Message centre")
    await expect(page.locator("li.new")).to_have_count(1)
    assert await clinic.read_offset("care", "demo-clinician") == await clinic.top("care")


async def test_nothing_counts_as_read_that_is_out_of_sight(open_page: OpenPage, clinic: Clinic) -> None:
    await past(clinic, 60)
    await clinic.read("care", 20)
    page = await open_page(PATIENT)
    await expect(page.locator("li.new")).to_be_in_viewport()
    await asyncio.sleep(0.6)
    assert await clinic.read_offset("care", "demo-patient") == 20
    await page.locator("#scroller").evaluate("(scroller) => scroller.scrollTop = scroller.scrollHeight")
    async with asyncio.timeout(5):
        while await clinic.read_offset("care", "demo-patient") != await clinic.top("care"):
            await asyncio.sleep(0.05)


async def test_a_page_that_nobody_looks_at_reads_nothing(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(CARE)
    await expect(page.locator("#messages li")).to_have_count(1)
    await page.evaluate("document.hasFocus = () => false")
    await clinic.say("care", "demo-patient", "Hello?")
    await expect(page.locator(f"{clinic.row('care')} .badge")).to_contain_text("1")
    await asyncio.sleep(0.6)
    assert await clinic.read_offset("care", "demo-clinician") < await clinic.top("care")
    await page.evaluate("delete document.hasFocus; dispatchEvent(new Event('focus'))")
    await expect(page.locator(f"{clinic.row('care')} .badge")).to_have_count(0)


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
    page = await open_page(CARE)
    await clinic.fill("review", "demo-nurse", 120)
    await expect(page.locator(f"{clinic.row('review')} .badge")).to_contain_text("99+")


async def test_names_follow_the_directory(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    await clinic.add("care", "demo-receptionist")
    await expect(page.locator("li.system").last).to_contain_text("Demo Receptionist joined")
    await clinic.say("care", "demo-receptionist", "Good morning")
    await expect(page.locator("#messages .author").last).to_contain_text("Demo Receptionist")


async def test_new_messages_are_told_politely_and_gathered(open_page: OpenPage, clinic: Clinic) -> None:
    await past(clinic, 60)
    await clinic.read("care")
    page = await open_page(PATIENT)
    log = page.get_by_role("log")
    await loaded(page, 50)
    await asyncio.sleep(2)
    await expect(log).to_be_empty()
    await clinic.say("care", "demo-nurse", "Good morning")
    await expect(log.locator("p")).to_have_text(["Demo Nurse: Good morning"])
    await fill(clinic, 4)
    await expect(log.locator("p").last).to_contain_text("4 new messages, the last from Demo Clinician: message 3")


async def test_what_has_no_words_says_why_and_an_edit_shows(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    await clinic.say("care", "demo-clinician", "one", "two", "three")
    await expect(page.locator("#messages .text")).to_have_text(["one", "two", "three"])
    first, second, third = await clinic.messages("care")
    await clinic.revise("care", first, "one, corrected")
    await clinic.revise("care", second, "", deleted=True)
    await clinic.revise("care", third, "three", damaged=True)
    await expect(page.locator("#messages .text")).to_have_text(
        ["one, corrected", "Its author deleted this message.", "This message is damaged and cannot be shown."]
    )
    await expect(page.locator("#messages .meta").first).to_contain_text("edited")


async def test_days_are_the_readers_own(open_page: OpenPage, clinic: Clinic) -> None:
    """25 hours lie between these two zones: what was written at one moment stands under two dates."""
    await clinic.say("care", "demo-clinician", "Good morning")
    [message] = await clinic.messages("care")
    found = set()
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        page = await open_page(PATIENT, timezone_id=zone)
        day = page.locator("section:has([data-message-id]) > .day")
        date = datetime.fromisoformat(message["at"]).astimezone(ZoneInfo(zone)).date()
        await expect(day).to_have_id(f"day-{date.isoformat()}")
        found.add(await page.locator("[data-message-id] time").text_content())
    assert len(found) == 2

"""A conversation of 5,000 messages: few of them are drawn, none is lost, and what one reads stays where it is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import CDPSession, Page, expect

from tests.support.browser import shown
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, until

PATIENT = "/?as=demo-patient"
MANY = 5000
MOST_ROWS = 150
"""Rows drawn at once in a window of 800 px: the part in sight, and one and a half times as much above and below."""
LONGEST = 100
"""ms of processor time for one task. Measured: 11; the browser calls 50 a long task."""

# Goes up screen by screen, as somebody does who looks for something, until the beginning is in sight.
CLIMB = """async (count) => {
    const scroller = document.getElementById("scroller");
    const items = () => Number(document.getElementById("messages").dataset.items);
    const frame = () => new Promise((then) => requestAnimationFrame(then));
    let most = 0;
    const started = Date.now();
    while ((items() < count || scroller.scrollTop > 0) && Date.now() - started < 90000) {
        scroller.scrollBy(0, -scroller.clientHeight * 4);
        await frame();
        most = Math.max(most, document.querySelectorAll("#messages li").length);
    }
    return most;
}"""

IN_SIGHT = """async () => {
    await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
    const { top, bottom } = document.getElementById("scroller").getBoundingClientRect();
    const rows = [...document.querySelectorAll("[data-message-id]")].map((row) => [row, row.getBoundingClientRect()]);
    const seen = rows.filter(([, at]) => at.bottom > top + 60 && at.top < bottom);
    return seen.map(([row, at]) => [row.dataset.messageId, Math.round(at.top)]);
}"""


@asynccontextmanager
async def traced(page: Page, tasks: list[float]) -> AsyncIterator[None]:
    """Gather the tasks of the page's main thread, in ms of processor time: what neighbours on this machine do is not in it."""
    browser = page.context.browser
    assert browser
    await browser.start_tracing(page=page, categories=["toplevel"])
    yield
    events = json.loads(await browser.stop_tracing())["traceEvents"]
    names = [event for event in events if event["name"] == "thread_name"]
    main = {(event["pid"], event["tid"]) for event in names if event["args"]["name"] == "CrRendererMain"}
    done = [event for event in events if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in main]
    tasks += [event.get("tdur", 0) / 1000 for event in done]


async def metrics(cdp: CDPSession) -> dict[str, float]:
    """What the DevTools protocol counts of the page."""
    return {metric["name"]: metric["value"] for metric in (await cdp.send("Performance.getMetrics"))["metrics"]}


async def test_few_rows_are_drawn_however_long_it_is(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.fill("care", "demo-clinician", 40)
    await clinic.read("care")
    page = await open_page(PATIENT)
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Performance.enable")
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()
    await cdp.send("HeapProfiler.collectGarbage")
    before = await metrics(cdp)
    await clinic.fill("care", "demo-clinician", MANY - 40)
    await clinic.spread("care")
    await clinic.read("care")
    await page.reload()
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()
    tasks: list[float] = []
    async with traced(page, tasks):
        assert 0 < await page.evaluate(CLIMB, MANY + 1) <= MOST_ROWS
    assert len(tasks) > 1000, "the main thread was seen at work"
    assert max(tasks) < LONGEST, "one task of the page kept everything else waiting"
    assert await page.locator("#messages").get_attribute("data-items") == str(MANY + 1)
    await expect(page.locator("li.system").first).to_be_in_viewport()
    await cdp.send("HeapProfiler.collectGarbage")
    after = await metrics(cdp)
    assert after["Nodes"] <= before["Nodes"] + 40 * MOST_ROWS, "the number of nodes does not grow with the conversation"
    await clinic.say("care", "demo-clinician", "one more")
    await expect(page.locator("#newest")).to_be_visible()
    assert await page.evaluate("document.querySelectorAll('#messages li').length") <= MOST_ROWS
    await page.locator("#newest").click()
    await expect(page.locator("[data-message-id] .text").last).to_have_text("one more")
    await until(page, "document.getElementById('messages').dataset.items === '800'")  # the far past is forgotten again


async def test_all_of_it_is_there_in_order(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.fill("care", "demo-clinician", 300)
    await clinic.read("care")
    page = await open_page(PATIENT)
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()
    while await page.locator("#messages").get_attribute("data-items") != "301":
        await page.locator("#scroller").evaluate("(log) => log.scrollTop = 0")
    assert [offset for _, offset, _ in await shown(page)] == list(range(2, 302))


async def climb_to_the_middle(page: Page) -> None:
    await page.locator("#scroller").evaluate("(log) => log.scrollTop = log.scrollHeight / 2")


async def test_what_one_reads_stays_when_it_changes_above_and_when_the_window_does(
    open_page: OpenPage, clinic: Clinic
) -> None:
    await clinic.fill("care", "demo-clinician", 90)
    await clinic.read("care")
    page = await open_page(PATIENT)
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()
    await climb_to_the_middle(page)
    before = await page.evaluate(IN_SIGHT)
    messages = await clinic.messages("care")
    above = next(at for at, message in enumerate(messages) if message["id"] == before[0][0]) - 1
    await clinic.revise("care", messages[above], "much longer than before " * 60)
    await expect(page.locator(f'[data-message-id="{messages[above]["id"]}"] .text')).to_contain_text("much longer")
    stands = dict(await page.evaluate(IN_SIGHT))
    moved = {id: at - stands.get(id, 9999) for id, at in before}
    assert max(map(abs, moved.values())) <= 1, "what stands above grew, and what one reads did not move"
    await page.set_viewport_size({"width": 500, "height": 800})
    after = await page.evaluate(IN_SIGHT)
    assert before[1][0] in [id for id, _ in after], "another width, the same place"


async def test_focus_in_a_row_is_not_lost_to_the_page(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-clinician", "https://example.org/")
    await clinic.fill("care", "demo-clinician", 90)
    await clinic.read("care", 2)
    page = await open_page(PATIENT)
    await page.locator("#scroller").evaluate("(log) => log.scrollTop = 0")
    await page.locator("#messages a").focus()
    await page.locator("#scroller").evaluate("(log) => log.scrollTop = log.scrollHeight")
    await expect(page.locator("#messages a")).to_have_count(0)
    await expect(page.locator("#scroller")).to_be_focused()


async def test_the_way_to_the_first_of_many_new_messages(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.fill("care", "demo-clinician", 400)
    await clinic.read("care", 50)
    page = await open_page(PATIENT)
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()
    await expect(page.locator("li.new")).to_have_count(0)
    await page.get_by_role("button", name="Go to the first new message").click()
    await expect(page.locator("li.new")).to_be_in_viewport()
    await expect(page.locator("li.new + li")).to_have_attribute("data-offset", "51")
    await expect(page.locator("#first-new")).to_be_hidden()
    await page.locator("#newest").click()
    await expect(page.locator("[data-message-id]").last).to_be_in_viewport()
    assert await page.evaluate("document.activeElement.id") == "text"


async def test_what_came_while_nobody_looked_stands_below_a_line(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    await clinic.say("care", "demo-clinician", "seen")
    await expect(page.locator("#messages .text")).to_have_text("seen")
    await expect(page.locator("li.new")).to_have_count(0)
    async with asyncio.timeout(10):
        while await clinic.read_offset("care", "demo-patient") != await clinic.top("care"):
            await asyncio.sleep(0.05)
    await page.evaluate("document.hasFocus = () => false")
    await clinic.say("care", "demo-clinician", "unseen", "unseen too")
    await expect(page.locator("li.new + li .text")).to_have_text("unseen")
    await expect(page).to_have_title("(2) Your messages")
    await page.evaluate("delete document.hasFocus; dispatchEvent(new Event('focus'))")
    await expect(page).to_have_title("Your messages")

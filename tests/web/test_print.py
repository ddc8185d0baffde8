"""On paper: the whole conversation, who wrote what and when, and none of the buttons."""

import os
import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, until

CARE = "/portal?as=demo-clinician#/channel/care"
STUB = "() => { window.print = () => { window.printed = (window.printed ?? 0) + 1; }; }"

ON_PAPER = """() => {
    dispatchEvent(new Event("beforeprint"));
    const rows = document.querySelectorAll("[data-message-id]").length;
    dispatchEvent(new Event("afterprint"));
    return [rows, document.querySelectorAll("[data-message-id]").length];
}"""


async def visible_on_paper(page: Page) -> str:
    """The words that paper would show."""
    await page.emulate_media(media="print")
    words = await page.locator("body").inner_text()
    await page.emulate_media(media="null")
    return words


async def test_the_whole_conversation_is_printed(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.fill("care", "demo-patient", 240)
    await clinic.spread("care", 30)
    page = await open_page(CARE, timezone_id="Asia/Kathmandu")
    await page.locator("[data-message-id]").first.wait_for()
    await page.evaluate(STUB)
    await page.locator("#channel-more").click()
    await page.get_by_role("menuitem", name="Print conversation").click()
    await until(page, "window.printed === 1")
    all_of_them, drawn_again = await page.evaluate(ON_PAPER)
    assert all_of_them == 240 > drawn_again
    words = re.sub(r"\s+", " ", await visible_on_paper(page))
    for expected in (
        "Demo Clinic",
        "Demo Patient",
        "The whole conversation: 240 messages",
        "Printed by Demo Clinician",
    ):
        assert expected in words
    assert "Times are in Asia/Kathmandu (GMT+5:45)" in words or "Asia/Katmandu" in words
    for button in ("Send", "Details", "Sign out", "Find a channel", "Visible to the patient"):
        assert button not in words
    paper = await page.pdf()
    if folder := os.environ.get("WARMLINE_SCREENSHOTS"):
        (Path(folder) / "conversation.pdf").write_bytes(paper)
    pages = re.findall(rb"/Type\s*/Page\b(?!s)", paper)
    assert len(pages) >= 10, "nothing is cut off at the end of the first page"


async def test_paper_names_every_author_and_day(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "one", "two")
    await clinic.say("care", "demo-clinician", "three")
    page = await open_page(CARE)
    await expect(page.locator("#messages .text")).to_have_text(["one", "two", "three"])
    await expect(page.locator("#messages")).to_contain_text("Demo Patient (Sunny)")  # the names have come too
    words = await visible_on_paper(page)
    assert words.count("Demo Patient (Sunny) · Patient") == 2, (
        "on the screen the second one stands below the first's name"
    )
    assert await page.locator(".own").get_attribute("data-author") == "Demo Clinician · Doctor"
    assert re.search(r"20\d\d", words), "a date, where the screen says Today"
    assert "Today" not in words

"""The first minute, by keyboard alone, on a phone's width and a desk's: sign in, write, be read, be answered."""

import pytest
from playwright.async_api import Page, expect

from tests.live.conftest import DemoPerson, Pair
from tests.support.browser import Pages
from tests.support.cast import Clinic

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 800}}


async def tab_to(page: Page, selector: str) -> None:
    """Go there with the Tab key, as somebody without a mouse does."""
    for _ in range(60):
        if await page.evaluate("wanted => document.activeElement?.matches(wanted) ?? false", selector):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way to {selector} by Tab")


async def write(page: Page, text: str) -> None:
    """Type a message, and send it with the button: on a phone Enter belongs to the keyboard on the screen."""
    await tab_to(page, "#text")
    await page.keyboard.type(text)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-state="sent"]').last).to_contain_text(text)


async def nothing_is_cut_off(page: Page) -> None:
    """No scrolling sideways, and what one writes in is in sight."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = await page.locator("#text").bounding_box()
    assert box
    assert 0 <= box["x"] < box["x"] + box["width"] <= page.viewport_size["width"]
    assert 0 <= box["y"] < box["y"] + box["height"] <= page.viewport_size["height"]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["390px", "1280px"])
async def test_a_patient_writes_a_clinician_reads_and_answers_by_keyboard(
    size: dict[str, object], pages: Pages, pair: Pair, clinic: Clinic, demo_person: DemoPerson
) -> None:
    (patient, _), (doctor, doctor_key) = (
        await demo_person("patient", f"Demo Patient {clinic.organization_id[-4:]}"),
        await demo_person("team_member", "Demo Clinician"),
    )
    channel = await clinic.care_team(patient, doctor)
    portal = await pages.open(f"{pair.a.url}/portal?as={doctor_key}", **size)
    entry = portal.locator(f'[data-channel-id="{channel}"]')
    await expect(entry).to_be_visible()
    await expect(entry.locator(".badge")).to_have_count(0)

    page = await pages.open(f"{pair.a.url}/", **size)
    button = page.get_by_role("button", name=f"Demo Patient {clinic.organization_id[-4:]}")
    await button.wait_for()
    while not await button.evaluate("it => it === document.activeElement"):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#conversation")).to_be_visible()
    await write(page, "Good morning. May I ask something?")
    await nothing_is_cut_off(page)

    await expect(entry.locator(".badge")).to_contain_text("1 unread")
    assert await portal.title() == "(1) Message centre"
    await tab_to(portal, f'[data-channel-id="{channel}"]')
    await portal.keyboard.press("Enter")
    await expect(portal.locator("#messages .text")).to_have_text(["Good morning. May I ask something?"])
    await expect(portal.locator(f'[data-channel-id="{channel}"] .badge')).to_have_count(0)
    await expect(portal).to_have_title("Message centre")
    await expect(portal.locator("#readers")).to_have_text("Visible to the patient")
    await write(portal, "Of course.")
    await nothing_is_cut_off(portal)

    await expect(page.locator("#messages .text")).to_have_text(["Good morning. May I ask something?", "Of course."])
    await expect(page.locator("#messages .own .meta")).to_contain_text("seen by your team", ignore_case=True)
    await expect(page).to_have_title("Your messages")
    query = "select read_offset from memberships where channel_id = $1 and person_id = $2"
    [mark] = await clinic.sql(query, channel, doctor)
    assert mark["read_offset"] >= 2

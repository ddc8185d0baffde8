"""The message centre and the patient's page by keyboard: keys, lists, menus, and a focus that is always somewhere."""

import pytest
from playwright.async_api import Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, until

PORTAL = "/portal?as=demo-clinician"
CARE = f"{PORTAL}#/channel/care"


async def focused(page: Page) -> str:
    """The id of what has the focus, or its tag."""
    return str(await page.evaluate("document.activeElement.id || document.activeElement.tagName"))


async def test_the_keys_of_the_message_centre(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(CARE)
    press = page.keyboard.press
    title = page.locator("#title")
    await expect(title).to_have_text("Demo Patient")
    await press("Alt+ArrowDown")
    await expect(title).to_have_text("Medication review")
    assert await focused(page) == "text"
    await press("Alt+ArrowUp")
    await expect(title).to_have_text("Demo Patient")
    await clinic.say("review", "demo-nurse", "Please look")
    await expect(page.locator(f"{clinic.row('review')} .badge")).to_contain_text("1")
    await press("Alt+u")
    await expect(title).to_have_text("Medication review")
    await expect(page.locator(f"{clinic.row('review')} .badge")).to_have_count(0)
    await press("Alt+u")
    await expect(page.get_by_role("log")).to_contain_text("Nothing else is unread.")
    await press("Escape")
    assert await focused(page) == "scroller"
    await press("Alt+r")
    assert await focused(page) == "text"
    await press("Alt+i")
    await expect(page.locator("#details-title")).to_be_focused()
    await press("Escape")
    await expect(page.locator("#details-toggle")).to_be_focused()
    await page.keyboard.type("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    await press("Escape")
    await expect(page.locator("#details-toggle")).to_be_focused()
    await page.locator("#text").focus()
    await page.keyboard.type("Really?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("#text")).to_have_value("Really?")


async def test_a_channel_is_found_by_its_name(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.channel("group", "group", "demo-clinician", "demo-patient", title="Café on Tuesday")
    page = await open_page(CARE)
    await page.keyboard.press("Alt+k")
    await page.keyboard.type("cafe")
    await expect(page.locator("#channels li")).to_have_count(1)
    await expect(page.locator("#find-words")).to_have_text("1 channel found")
    await page.keyboard.press("Enter")
    await expect(page.locator("#title")).to_have_text("Café on Tuesday")
    await expect(page.locator("#channels li")).to_have_count(3)
    await page.keyboard.press("Alt+k")
    await page.keyboard.type("nothing like it")
    await expect(page.locator("#find-words")).to_have_text("No channel of this name.")
    await page.keyboard.press("Escape")
    await expect(page.locator("#channels li")).to_have_count(3)


async def test_the_list_is_one_stop_and_arrows_walk_it(open_page: OpenPage, clinic: Clinic) -> None:
    for number in range(5):
        await clinic.channel(f"s{number}", "staff", "demo-clinician", patient="demo-patient", title=f"Staff {number}")
    page = await open_page(PORTAL)
    await expect(page.locator("#channels a")).to_have_count(7)
    await expect(page.locator("#channels a[tabindex='0']")).to_have_count(1)
    await page.locator("#find").press("ArrowDown")
    await expect(page.locator(clinic.row("care"))).to_be_focused()
    await page.keyboard.press("End")
    last = page.locator("#channels a").last
    await expect(last).to_be_focused()
    where = await last.get_attribute("data-channel-id")
    # Somebody writes: the list is sorted anew under the focus, which stays with its channel.
    written = next(name for name in ("s0", "s1") if clinic.channels[name] != where)
    await clinic.words.send(clinic.people["demo-clinician"], clinic.channels[written], "Hello")
    await expect(page.locator("#section-staff + ul a").first).to_have_attribute(
        "data-channel-id", clinic.channels[written]
    )
    assert await page.evaluate("document.activeElement.dataset.channelId") == where


async def test_the_account_menu(open_page: OpenPage) -> None:
    page = await open_page(CARE)
    button = page.locator("#account-button")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="My Profile")).to_be_focused()
    await page.keyboard.press("End")
    await expect(page.get_by_role("menuitem", name="Sign out")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(button).to_be_focused()
    await expect(button).to_have_attribute("aria-expanded", "false")
    await button.click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.locator("#signin-words")).to_be_visible()


@pytest.mark.parametrize("path", [CARE, "/?as=demo-patient"])
async def test_the_first_stop_leads_to_the_conversation(open_page: OpenPage, path: str) -> None:
    page = await open_page(path)
    await page.evaluate("document.activeElement.blur()")
    await page.locator("body").press("Tab")
    await expect(page.locator("#skip")).to_be_focused()
    await expect(page.locator("#skip")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("#title")).to_be_focused()
    await expect(page.locator("#composer")).to_be_visible()


async def test_everything_on_the_patients_page_by_tab(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-clinician", "See https://example.org/")
    page = await open_page("/?as=demo-patient")
    await page.locator("#messages a").wait_for()
    await page.locator("#skip").focus()
    stops = []
    for _ in range(8):
        stops.append(await focused(page))
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none'"), stops[-1]
        await page.keyboard.press("Tab")
    assert stops == ["skip", "account-button", "details-toggle", "channel-more", "scroller", "A", "text", "BUTTON"]


async def test_the_focus_survives_what_arrives(open_page: OpenPage, clinic: Clinic) -> None:
    """Messages, members and badges come while a button has the focus: it keeps it."""
    page = await open_page(CARE)
    await page.locator("#details-toggle").click()
    await page.get_by_role("button", name="Leave").focus()
    await clinic.say("care", "demo-patient", "Hello?")
    await expect(page.locator("#messages .text")).to_have_text("Hello?")
    await clinic.add("care", "demo-receptionist")
    await expect(page.locator("#members li")).to_have_count(4)
    assert await page.evaluate("document.activeElement.textContent") == "Leave"


@pytest.mark.parametrize("path", ["/?as=demo-patient", CARE, f"{PORTAL}#/patients"])
async def test_twice_the_type_fits(open_page: OpenPage, clinic: Clinic, path: str) -> None:
    await clinic.say("care", "demo-patient", "W" * 200)
    page = await open_page(path)
    await page.evaluate("document.documentElement.style.fontSize = '212.5%'")
    for width in (640, 1280, 2560):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


async def test_in_forced_colours_and_without_motion(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-clinician", "Hello")
    page = await open_page("/?as=demo-patient", forced_colors="active", reduced_motion="reduce")
    await page.locator("[data-message-id]").wait_for()
    await until(page, "getComputedStyle(document.querySelector('.day span')).borderStyle === 'solid'")
    assert await page.evaluate("document.getAnimations().length") == 0

"""What the connection may do to a page, and that the page heals: nothing missing, doubled or out of order."""

import asyncio

from playwright.async_api import Page, expect

from tests.support.middle import Middle
from tests.support.stream import Json
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, stats, until, write

PATIENT = "/?as=demo-patient"


async def talk(clinic: Clinic, *lines: str) -> None:
    await clinic.say("care", "demo-clinician", *lines)


async def shown(page: Page, *lines: str) -> None:
    await expect(page.locator("#messages .text")).to_have_text(list(lines))


async def listening(clinic: Clinic, middle: Middle) -> None:
    """The page stands on its channel: what comes now comes live."""
    async with asyncio.timeout(10):
        while not any(clinic.channels["care"] in link.subscribed for link in middle.links):
            await asyncio.sleep(0.02)


async def test_a_cut_connection_recovers_what_was_missed(open_page: OpenPage, middle: Middle, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    await listening(clinic, middle)
    await talk(clinic, "one")
    await shown(page, "one")
    middle.faults.down = True
    await middle.cut()
    await talk(clinic, "two", "three")
    middle.faults.down = False
    await shown(page, "one", "two", "three")
    assert await stats(page) == {
        "recoveries": 1,
        "recoveredPublications": 2,
        "gaps": 0,
        "duplicates": 0,
        "reconnects": 1,
    }


async def test_a_hole_heals_by_itself_and_a_double_is_dropped(
    open_page: OpenPage, middle: Middle, clinic: Clinic
) -> None:
    page = await open_page(PATIENT)
    await listening(clinic, middle)
    middle.faults.skip = 2
    await talk(clinic, "one", "two", "three")
    await shown(page, "one", "two", "three")
    middle.faults.double = True
    await talk(clinic, "four")
    await shown(page, "one", "two", "three", "four")
    counted = await stats(page)
    assert (counted["gaps"], counted["duplicates"]) == (1, 1)


def broken(answer: Json) -> bool:
    """A subscription that could not go on from where the page was."""
    result = answer.get("subscribe", {})
    return result.get("was_recovering", False) and not result.get("recovered", False)


async def test_an_unrecoverable_break_reloads_the_channel(open_page: OpenPage, middle: Middle, clinic: Clinic) -> None:
    await talk(clinic, *(f"{n}" for n in range(10)))
    page = await open_page(PATIENT)
    await listening(clinic, middle)
    middle.faults.down = True
    await middle.cut()
    await clinic.new_epoch()
    await talk(clinic, "after the break")
    middle.faults.down = False
    await shown(page, *(f"{n}" for n in range(10)), "after the break")
    async with asyncio.timeout(10):
        while not any(broken(answer) for answer in middle.answers):
            await asyncio.sleep(0.02)
    await shown(page, *(f"{n}" for n in range(10)), "after the break")
    await talk(clinic, "and on")
    await expect(page.locator("#messages .text").last).to_have_text("and on")


async def test_signed_out_is_said_and_the_way_back_is_a_button(open_page: OpenPage, middle: Middle) -> None:
    page = await open_page(PATIENT)
    await page.locator("#text").fill("unsaid")
    await middle.close(3500, "invalid token")
    await expect(page.locator("#signin-words")).to_contain_text("You have been signed out.")
    await expect(page.locator("#app")).to_be_hidden()
    await asyncio.sleep(1.2)
    assert middle.links == [], "it does not knock again by itself"
    await page.get_by_role("button", name="Sign in again").click()
    await expect(page.locator("#text")).to_have_value("unsaid")
    await expect(page.locator("#connection")).to_be_hidden()


async def test_signed_out_with_a_dialog_open_shows_nothing_of_it_and_keeps_it(
    open_page: OpenPage, middle: Middle, clinic: Clinic
) -> None:
    await clinic.say("care", "demo-patient", "I slept badly")
    page = await open_page(PATIENT)
    await page.locator(".message-more").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Message").fill("I slept well")
    await middle.close(3500, "invalid token")
    await expect(page.locator("#signin-words")).to_contain_text("You have been signed out.")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("body")).not_to_contain_text("Edit message")
    await page.get_by_role("button", name="Sign in again").click()
    await expect(page.get_by_role("dialog").get_by_label("Message")).to_have_value("I slept well")
    await expect(page.locator("#connection")).to_be_hidden()
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("#messages .text")).to_have_text("I slept well")


async def test_removed_from_the_channel(open_page: OpenPage, middle: Middle, clinic: Clinic) -> None:
    page = await open_page("/portal?as=demo-nurse#/channel/care")
    await listening(clinic, middle)
    await page.locator("#text").fill("unsaid")
    await clinic.remove("care", "demo-nurse")
    await expect(page.locator("#closed-words")).to_have_text("You are not in this channel, or not any more.")
    await expect(page.locator("#kept-text")).to_have_text("unsaid")
    await expect(page.locator(clinic.row("care"))).to_have_count(0)


async def test_removed_and_added_again(open_page: OpenPage, middle: Middle, clinic: Clinic) -> None:
    page = await open_page("/portal?as=demo-nurse#/channel/care")
    await listening(clinic, middle)
    await talk(clinic, "before")
    await shown(page, "before")
    await clinic.remove("care", "demo-nurse")
    await expect(page.locator("#closed")).to_be_visible()
    await clinic.add("care", "demo-nurse")
    await expect(page.locator("#composer")).to_be_visible()
    await write(page, "back again")
    await expect(page.locator('[data-state="sent"]')).to_have_count(1)
    await shown(page, "before", "back again")


async def test_a_new_channel_appears_by_its_hint(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page("/?as=demo-patient")
    await clinic.channel("service", "service_team", "demo-patient", "demo-receptionist", patient="demo-patient")
    await expect(page.locator(clinic.row("service"))).to_contain_text("Your service team")


async def test_a_server_too_busy_to_say_who_i_am_is_asked_again(open_page: OpenPage, middle: Middle) -> None:
    busy = {"code": 111, "message": "Too many commands at once.", "temporary": True}
    for operation in ("me", "channel.list", "message.history", "channel.directory"):
        middle.faults.refuse[operation] = busy
    page = await open_page(PATIENT, ready=False)
    await asyncio.sleep(0.5)
    middle.faults.refuse = {"message.history": busy}
    await expect(page.locator("#edge")).to_have_text("Too many commands at once. Trying again…")
    middle.faults.refuse.clear()
    await expect(page.locator("li.system")).to_have_count(1)
    await expect(page.locator("#subtitle")).to_have_text("With Demo Clinician and Demo Nurse")
    assert (await stats(page))["reconnects"] == 0


async def test_nobody_is_asked_to_wait_for_a_blink(open_page: OpenPage, middle: Middle) -> None:
    """A break that heals at once is no news: the line stays away, and nothing moves."""
    page = await open_page(PATIENT)
    await page.evaluate("""() => {
        window.seen = 0;
        new MutationObserver(() => window.seen++).observe(document.getElementById("connection"), {attributes: true});
    }""")
    await middle.cut()
    await asyncio.sleep(0.1)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await until(page, "window.warmline.stats.reconnects === 1")
    await asyncio.sleep(1)
    assert await page.evaluate("window.seen") == 0

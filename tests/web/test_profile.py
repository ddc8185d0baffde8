"""How patients show themselves in groups: a name and a picture, for all groups or for one; and what is refused."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.async_api import Locator, Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, until

PATIENT = "/?as=demo-patient"


def picture(colour: str = "seagreen") -> bytes:
    into = io.BytesIO()
    Image.new("RGB", (300, 300), colour).save(into, "PNG")
    return into.getvalue()


@pytest.fixture
async def groups(clinic: Clinic) -> None:
    """Two groups with the same two patients in them."""
    await clinic.patient("demo-second", "Second Patient", "Moon")
    for name in ("Tuesday", "Friday"):
        await clinic.channel(
            name, "group", "demo-clinician", "demo-patient", "demo-second", title=f"{name} group"
        )  # fmt: skip


async def profile(page: Page) -> Callable[[str], Locator]:
    """Open the dialog; the blocks in it, by title."""
    await page.locator("#account-button").click()
    await page.get_by_role("menuitem", name="How others see me").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("h3")).to_have_count(3)
    return lambda title: dialog.locator("section").filter(has=page.locator("h3", has_text=title))


async def rename(block: Locator, name: str) -> None:
    await block.get_by_label("Display name").fill(name)
    await block.get_by_role("button", name="Save").click()


async def members(page: Page) -> Locator:
    await page.locator("#details-toggle").click()
    return page.locator("#members .member-name")


async def test_a_name_too_alike_is_refused_and_another_is_seen_at_once(
    open_page: OpenPage, clinic: Clinic, groups: None
) -> None:
    other = await open_page("/?as=demo-second#/channel/Tuesday")
    page = await open_page(PATIENT)
    seen = await members(other)
    await expect(seen).to_contain_text(["Moon (you)", "Sunny", "Demo Clinician"])
    block = await profile(page)
    everywhere = block("In all groups")
    for name, words in {
        "M0on": "Somebody in a channel of yours is shown by this name",
        "Demo Clinician": "This could be taken for a team member's name.",
        "Nurse Joy": "This could be taken for a team member's name.",
    }.items():
        await rename(everywhere, name)
        await expect(everywhere.locator(".field-error")).to_contain_text(words)
        await expect(everywhere.get_by_label("Display name")).to_be_focused()
    await rename(everywhere, "Bluebird")
    await expect(everywhere.get_by_role("status")).to_have_text("Saved.")
    await expect(seen).to_contain_text(["Bluebird", "Moon (you)", "Demo Clinician"])
    friday = block("Friday group")
    await rename(friday, "Quiet One")
    await expect(friday.get_by_role("status")).to_have_text("Saved.")
    await other.locator("#details-close").click()
    await other.evaluate(f"location.hash = '#/channel/{clinic.channels['Friday']}'")
    await expect(await members(other)).to_contain_text(["Moon (you)", "Quiet One", "Demo Clinician"])
    await expect(other.locator("body")).not_to_contain_text("Demo Patient")


async def test_a_picture_is_given_seen_and_taken_away(open_page: OpenPage, clinic: Clinic, groups: None) -> None:
    other = await open_page("/?as=demo-second#/channel/Tuesday")
    page = await open_page(PATIENT)
    await members(other)
    block = await profile(page)
    everywhere = block("In all groups")
    field = everywhere.locator("input[type=file]")
    await field.set_input_files({"name": "me.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    await expect(everywhere.get_by_role("status")).not_to_be_empty()
    await expect(everywhere).to_contain_text("You show no picture.")
    await field.set_input_files({"name": "me.png", "mimeType": "image/png", "buffer": picture()})
    await expect(block("In all groups")).to_contain_text("You show a picture.")
    await expect(block("In all groups").get_by_role("status")).to_have_text("Your picture is shown from now on.")
    face = other.locator("#members img.face")
    await expect(face).to_have_count(1)
    await until(other, "document.querySelector('#members img.face').naturalWidth === 64")
    await block("Tuesday group").get_by_role("button", name="Show no picture").click()
    await expect(block("Tuesday group")).to_contain_text("You show no picture here.")
    await expect(face).to_have_count(0)
    await block("Tuesday group").get_by_role("button", name="As in all groups").click()
    await expect(face).to_have_count(1)
    await clinic.say("Tuesday", "demo-patient", "Hello")
    await other.locator("#details-close").click()
    await expect(other.locator(".author img.face")).to_have_count(1)


async def test_two_windows_of_one_person_stay_the_same(open_page: OpenPage, clinic: Clinic, groups: None) -> None:
    one, two = await open_page(f"{PATIENT}#/channel/Tuesday"), await open_page(f"{PATIENT}#/channel/Tuesday")
    await one.locator("#text").fill("From one window")
    await one.locator("#text").press("Enter")
    await expect(two.locator("li.message.own .text")).to_have_text("From one window")
    await two.locator("#text").fill("half a thought")
    await one.locator("#text").press("ArrowUp")
    await one.get_by_role("dialog").get_by_label("Message").fill("Changed in one")
    await one.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(two.locator("li.message.own .text")).to_have_text("Changed in one")
    await expect(two.locator("#text")).to_have_value("half a thought")
    await one.locator("#channel-more").click()
    await one.get_by_role("menuitem", name="Leave this group").click()
    await one.get_by_role("dialog").get_by_role("button", name="Leave").click()
    await expect(two.locator("#closed-words")).to_have_text("This conversation is no longer open to you.")
    await expect(two.locator("#kept-text")).to_have_text("half a thought")

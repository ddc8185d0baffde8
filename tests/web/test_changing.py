"""Messages that are changed or deleted, by their authors and with Messaging Management: what everybody sees of it."""

from playwright.async_api import Page, expect

from tests.support.browser import write
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, texts

DOCTOR = "/portal?as=demo-clinician#/channel/care"
NURSE = "/portal?as=demo-nurse#/channel/care"
PATIENT = "/?as=demo-patient"


async def offered(page: Page, text: str) -> None:
    """Open what one can do with the message of this text, by its button."""
    row = page.locator("li.message", has_text=text)
    await row.hover()
    await row.locator(".message-more").click()
    await page.get_by_role("dialog").wait_for()


async def test_a_moderated_message_says_so_on_the_patients_page(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "My neighbour is an idiot")
    doctor, patient = await open_page(DOCTOR), await open_page(PATIENT)
    await expect(patient.locator("li.message")).to_have_count(1)
    await offered(doctor, "idiot")
    await doctor.get_by_role("button", name="Edit", exact=True).click()
    dialog = doctor.get_by_role("dialog")
    await dialog.get_by_label("Message").fill("My neighbour upsets me")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_label("Why")).to_be_focused()  # the browser asks for it
    await dialog.get_by_label("Why").fill("An insult")
    await dialog.get_by_role("button", name="Save").click()
    await expect(patient.locator("li.message")).to_contain_text("edited by a team member")
    assert await texts(patient) == ["My neighbour upsets me"]
    await expect(patient.locator("body")).not_to_contain_text("An insult")
    nurse = await open_page(NURSE)
    await expect(nurse.locator("li.message")).to_contain_text("edited by Demo Clinician")
    await offered(nurse, "upsets")
    await nurse.get_by_role("button", name="Earlier versions").click()
    versions = nurse.get_by_role("dialog").locator("li")
    await expect(versions).to_have_count(2)
    await expect(versions.nth(0)).to_contain_text("Written by Demo Patient (Sunny)")
    await expect(versions.nth(0)).to_contain_text("My neighbour is an idiot")
    await expect(versions.nth(1)).to_contain_text("Changed by Demo Clinician")
    await expect(versions.nth(1)).to_contain_text("Why: An insult")


async def test_ones_own_message_by_keyboard_alone(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    await write(page, "See you on Monday")
    await expect(page.locator(".message-more")).to_have_count(1)
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_role("dialog").get_by_label("Message")).to_be_focused()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("See you on Tuesday")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("li.message .meta")).to_contain_text("edited")
    assert await texts(page) == ["See you on Tuesday"]
    await expect(page.locator("#text")).to_be_focused()
    await page.locator("#scroller").focus()
    await page.keyboard.press("Tab")
    await expect(page.locator(".message-more")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Delete").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".instead")).to_have_text("You deleted this message.")
    await expect(page.locator("#scroller")).to_be_focused()


async def test_tombstones_say_who(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "one", "two")
    doctor, patient, nurse = await open_page(DOCTOR), await open_page(PATIENT), await open_page(NURSE)
    await offered(patient, "one")
    await patient.get_by_role("button", name="Delete", exact=True).click()
    await patient.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(nurse.locator(".instead")).to_have_text("Its author deleted this message.")
    await offered(doctor, "two")
    await doctor.get_by_role("button", name="Delete", exact=True).click()
    await doctor.get_by_label("Why").fill("Of somebody else")
    await doctor.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(nurse.locator(".instead").last).to_have_text("Deleted by Demo Clinician.")
    await expect(patient.locator(".instead")).to_have_text(["You deleted this message.", "Deleted by a team member."])
    await expect(doctor.locator(".instead").last).to_have_text("You deleted this message.")
    await expect(patient.locator(".message-more")).to_have_count(0)


async def test_two_who_edit_at_once_see_both_wordings(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "Red pills")
    one, other = await open_page(PATIENT), await open_page(PATIENT)
    for page in (one, other):
        await offered(page, "Red pills")
        await page.get_by_role("button", name="Edit", exact=True).click()
    await one.get_by_role("dialog").get_by_label("Message").fill("Blue pills")
    await one.get_by_role("button", name="Save").click()
    await expect(one.get_by_role("dialog")).to_have_count(0)
    await other.get_by_role("dialog").get_by_label("Message").fill("Green pills")
    await other.get_by_role("button", name="Save").click()
    dialog = other.get_by_role("dialog")
    await expect(dialog.locator(".quoted")).to_have_text("Blue pills")
    await expect(dialog.get_by_label("You wrote")).to_have_value("Green pills")
    await dialog.get_by_role("button", name="Save mine instead").click()
    await expect(one.locator("li.message .text")).to_have_text("Green pills")


async def test_who_may_change_nothing_is_offered_no_change(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "Hello")
    nurse = await open_page(NURSE)
    told = ["Who was told, and why", "Cancel"]
    await offered(nurse, "Hello")
    await expect(nurse.get_by_role("dialog").get_by_role("button")).to_have_text(told)
    await nurse.keyboard.press("Escape")
    await write(nurse, "Good morning")
    await offered(nurse, "Good morning")
    await expect(nurse.get_by_role("dialog").get_by_role("button")).to_have_text(["Edit", "Delete", *told])
    await nurse.keyboard.press("Escape")
    await clinic.archive("care")
    await expect(nurse.locator("#closed")).to_be_visible()
    await offered(nurse, "Good morning")
    await expect(nurse.get_by_role("dialog").get_by_role("button")).to_have_text(told)

"""Channels of every kind as people open, rename, close, hide and leave them on the pages."""

from playwright.async_api import Page, expect

from tests.support.browser import write
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage

PORTAL = "/portal?as=demo-clinician"
NURSE = "/portal?as=demo-nurse"


async def begin(page: Page, kind: str) -> None:
    await page.locator("#new-button").click()
    await page.get_by_role("menuitem", name=kind).click()
    await page.get_by_role("dialog").wait_for()


async def choose(page: Page, words: str) -> None:
    """From the menu of the channel."""
    await page.locator("#channel-more").click()
    await page.get_by_role("menuitem", name=words).click()


async def test_the_same_people_open_the_same_direct_channel_which_can_be_hidden(
    open_page: OpenPage, clinic: Clinic
) -> None:
    page, nurse = await open_page(PORTAL), await open_page(NURSE)
    await begin(page, "Direct message")
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("dialog").locator(".field-error")).to_have_text("Choose at least one.")
    await page.get_by_role("checkbox", name="Demo Nurse").check()
    await page.get_by_role("button", name="Open").click()
    await expect(page.locator("#title")).to_have_text("Demo Nurse")
    await expect(page.locator("#readers")).to_contain_text("Staff only")
    await choose(page, "Hide until something new comes")
    await expect(page.locator("#channels h2")).to_have_text(["Care team", "Staff"])
    await page.locator("#find").fill("nurse")
    await expect(page.locator("#channels li")).to_have_count(1)  # what is hidden can be found
    await page.locator("#find").fill("")
    await begin(nurse, "Direct message")
    await nurse.get_by_role("checkbox", name="Demo Clinician").check()
    await nurse.get_by_role("button", name="Open").click()
    await write(nurse, "Are you there?")
    await expect(page.locator("#channels h2").last).to_have_text("Direct messages · 1 unread")


async def test_a_group_is_opened_renamed_closed_and_opened_again(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.patient("demo-second", "Second Patient", "Moon")
    page = await open_page(PORTAL)
    await begin(page, "Group channel")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Tuesday group")
    for name in ("Demo Patient", "Second Patient", "Demo Nurse"):
        await dialog.get_by_role("checkbox", name=name).check()
    await dialog.get_by_role("button", name="Create").click()
    await expect(page.locator("#title")).to_have_text("Tuesday group")
    await expect(page.locator("#readers")).to_have_text("Visible to the patients in this group")
    patient = await open_page("/?as=demo-second")
    await expect(patient.locator("#title")).to_have_text("Tuesday group")
    await write(patient, "Hello everybody")
    await choose(page, "Rename")
    await page.get_by_role("dialog").get_by_label("Name").fill("Thursday group")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.locator("#title")).to_have_text("Thursday group")
    await expect(patient.locator("#title")).to_have_text("Thursday group")
    await choose(page, "Archive")
    await expect(page.get_by_role("dialog")).to_contain_text("Patients see that it is closed")
    await page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    await expect(patient.locator("#closed-words")).to_contain_text("This conversation is closed.")
    await expect(page.locator("#channels h2").last).to_have_text("Archived channels")
    await page.locator("#closed-way").press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Unarchive").press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    await expect(patient.locator("#composer")).to_be_visible()
    await patient.locator("#channel-more").click()
    await patient.get_by_role("menuitem", name="Leave this group").click()
    await patient.get_by_role("dialog").get_by_role("button", name="Leave").click()
    await expect(patient.locator("#none")).to_be_visible()
    await expect(page.locator("li.system").last).to_contain_text("Second Patient (Moon) left")


async def test_a_staff_channel_about_a_patient_whom_nobody_tells(open_page: OpenPage, clinic: Clinic) -> None:
    page, patient = await open_page(PORTAL), await open_page("/?as=demo-patient")
    await begin(page, "Staff channel")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("About").select_option(label="Demo Patient")
    await dialog.get_by_label("Name").fill("Discharge planning")
    await dialog.get_by_role("button", name="Create").click()
    await expect(page.locator("#title")).to_have_text("Discharge planning")
    await expect(page.locator("#readers")).to_have_text("Staff only")
    await expect(patient.locator("body")).not_to_have_class("several")
    await page.locator("#details-toggle").click()
    await expect(page.locator("#facts")).to_contain_text("The patient does not see this channel")


async def test_without_messaging_management_no_group_is_offered(open_page: OpenPage) -> None:
    page = await open_page(NURSE)
    await page.locator("#new-button").click()
    await expect(page.get_by_role("menuitem")).to_have_text(["Direct message", "Staff channel about a patient"])


async def test_a_closed_channel_says_why_and_who_else_can_be_reached(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.words.sql(
        "insert into organization_settings values ($1, 'Call 01 234 567 on weekdays.', null) returning organization_id",
        clinic.words.organization_id,
    )
    await clinic.words.sql(
        "update patient_groups set crisis_services = 'At night: 01 999.' where organization_id = $1 returning id",
        clinic.words.organization_id,
    )
    page = await open_page("/?as=demo-patient")
    await page.context.set_offline(True)
    await clinic.archive("care")
    await write(page, "Written meanwhile")
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    for where in ("#closed-words", ".meta.failure"):
        await expect(page.locator(where)).to_contain_text("This conversation is closed.")
        await expect(page.locator(where)).to_contain_text("Call 01 234 567 on weekdays.")
        await expect(page.locator(where)).to_contain_text("At night: 01 999.")
    await expect(page.locator(".meta.failure")).to_contain_text("Not delivered")

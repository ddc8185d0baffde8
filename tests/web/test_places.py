"""The places beside the conversations: a patient's profile, the team and who leaves it, administration; with a worker."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from server.db import Database
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage
from workers.handlers import HANDLERS
from workers.jobs import Worker

ADMIN = "/portal?as=demo-admin"


@pytest.fixture
async def worker(database: Database) -> AsyncIterator[None]:
    """A worker, as long as the test lasts."""
    stopped = asyncio.Event()
    running = asyncio.create_task(Worker(database, HANDLERS).run(stopped))
    yield
    stopped.set()
    await running


@pytest.fixture
async def admin(clinic: Clinic) -> None:
    """Somebody who may do everything here."""
    await clinic.colleague("demo-admin", "Demo Admin", "ADMIN")


async def choose_rule(page: Page, *names: str) -> None:
    """Switch the care team's rule on, for these."""
    await page.get_by_role("button", name="Change (care team)").click()
    await page.get_by_role("checkbox", name="Activate it when a patient is created").check()
    for name in names:
        await page.get_by_role("checkbox", name=name).check()
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()


async def test_a_new_patients_page_comes_alive(open_page: OpenPage, clinic: Clinic, admin: None, worker: None) -> None:
    page = await open_page(f"{ADMIN}#/administration/activation-rules")
    await choose_rule(page)
    await expect(page.get_by_role("dialog").locator(".field-error").last).to_contain_text("nominate at least one")
    await page.get_by_role("checkbox", name="Demo Nurse").check()
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page.locator("#activation-rules")).to_contain_text("The channel is activated")
    await page.locator("#to-patients").click()
    await page.get_by_role("button", name="New patient").click()
    await page.get_by_label("Legal name").fill("Newly Arrived")
    await page.get_by_label("Email").fill("demo-arrived@demo.invalid")
    await page.get_by_role("button", name="Create patient").click()
    patient = await open_page("/?as=demo-arrived", ready=False)
    await expect(patient.locator("#title")).to_have_text("Your care team")
    await expect(patient.locator("#subtitle")).to_have_text("With Demo Nurse")
    await patient.locator("#text").fill("Hello?")
    await patient.locator("#text").press("Enter")
    await expect(patient.locator('[data-state="sent"]')).to_have_count(1)
    nurse = await open_page("/portal?as=demo-nurse")
    await expect(nurse.locator("#channels")).to_contain_text("Newly Arrived")


async def test_an_archived_clinicians_channel_is_handed_over_live(
    open_page: OpenPage, clinic: Clinic, admin: None, worker: None
) -> None:
    await clinic.patient("demo-second", "Second Patient", "Moon")
    await clinic.care_team("second", "demo-second", "demo-nurse")
    await clinic.say("second", "demo-second", "Is anybody there?")
    doctor = await open_page("/portal?as=demo-clinician")
    await expect(doctor.locator(clinic.row("second"))).to_have_count(0)
    page = await open_page(f"{ADMIN}#/team")
    await page.get_by_role("button", name="Archive Demo Nurse").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator(".preview")).to_contain_text("Demo Nurse leaves 3 channels.")
    await expect(dialog.locator(".preview")).to_contain_text("Demo Clinician takes over 1 channel")
    await dialog.get_by_role("button", name="Archive").click()
    await expect(page.locator("#archivings li")).to_contain_text("Demo Nurse is archived.")
    await expect(doctor.locator(clinic.row("second"))).to_contain_text("1 unread")
    await doctor.locator(clinic.row("second")).click()
    await expect(doctor.locator(".text").first).to_have_text("Is anybody there?")
    await expect(doctor.locator("li.system").nth(-2)).to_contain_text("Demo Clinician takes over from Demo Nurse")
    patient = await open_page("/?as=demo-second")
    await expect(patient.locator("#subtitle")).to_have_text("With Demo Clinician")


async def test_archiving_whom_nobody_could_follow_is_refused_before_it_is_asked(
    open_page: OpenPage, clinic: Clinic, admin: None, worker: None
) -> None:
    await clinic.remove("care", "demo-nurse")
    page = await open_page(f"{ADMIN}#/team")
    await page.get_by_role("button", name="Archive Demo Clinician").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator(".attention")).to_contain_text("nobody would be left in 1 channel with a patient")
    await expect(dialog.get_by_role("button", name="Archive")).to_have_attribute("aria-disabled", "true")
    await dialog.get_by_label("Who takes over patients and groups").select_option(label="Demo Nurse (Nurse)")
    await expect(dialog.locator(".attention")).to_have_count(0)
    await expect(dialog.locator(".preview")).to_contain_text(
        "Demo Nurse becomes allocation clinician of 1 patient: Demo Patient"
    )
    await dialog.get_by_role("button", name="Archive").click()
    await expect(page.locator("#archivings li")).to_contain_text("Demo Clinician is archived.")


async def test_a_patients_profile(open_page: OpenPage, clinic: Clinic, admin: None) -> None:
    page = await open_page(f"{ADMIN}#/patients")
    await page.get_by_role("link", name="Demo Patient").click()
    await expect(page.locator("#patient-title")).to_be_focused()
    await expect(page.locator("#patient")).to_contain_text("Allocation clinician\nDemo Clinician", use_inner_text=True)
    care = page.locator('[data-kind="care_team"]')
    await expect(care).to_contain_text("Active; you are not in it")
    await page.get_by_role("button", name="Ask to join (care team)").click()
    await page.get_by_role("dialog").get_by_role("button", name="Ask").click()
    await expect(page.locator("#patient-words")).to_have_text("The team has been asked.")
    nurse, patient = await open_page("/portal?as=demo-nurse#/channel/care"), await open_page("/?as=demo-patient")
    await expect(nurse.locator("li.system").last).to_contain_text("Demo Admin asks to be added to this channel")
    await expect(patient.locator("body")).not_to_contain_text("Demo Admin")
    await nurse.get_by_role("button", name="Add to the channel").click()
    await expect(nurse.get_by_role("button", name="Add to the channel")).to_have_count(0)
    await expect(care).to_contain_text("Active; you are in it")
    await page.get_by_role("button", name="Change display name").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Display name").fill("Dr Sunshine")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.locator(".field-error")).to_contain_text("could be taken for a team member")
    await dialog.get_by_label("Display name").fill("Cloudy")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.locator("#patient")).to_contain_text("Demo Patient (Cloudy)")
    await page.get_by_role("button", name="Archive this patient").click()
    await page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    await expect(care).to_contain_text("Archived")
    await patient.get_by_role("button", name="Sign in again").click()
    await expect(patient.locator("#closed-words")).to_contain_text("You can read here, and write no more.")
    await page.get_by_role("button", name="Unarchive this patient").click()
    await page.get_by_role("dialog").get_by_role("button", name="Unarchive").click()
    await expect(patient.locator("#composer")).to_be_visible()


async def test_the_line_shows_only_what_one_may_do(open_page: OpenPage, admin: None) -> None:
    page = await open_page(ADMIN)
    for name in ("Messages", "Patients", "Team", "Administration"):
        await expect(page.locator("#places").get_by_role("link", name=name)).to_be_visible()
    nurse = await open_page("/portal?as=demo-nurse#/administration")
    await expect(nurse.locator("#places").get_by_role("link", name="Patients")).to_be_visible()
    for name in ("Team", "Administration"):
        await expect(nurse.locator("#places").get_by_role("link", name=name)).to_have_count(0)
    await expect(nurse.locator("#activation-rules")).to_have_count(0)


async def test_a_back_fill_says_first_whom_it_touches(
    open_page: OpenPage, clinic: Clinic, admin: None, worker: None
) -> None:
    await clinic.patient("demo-second", "Second Patient", "Moon")
    page = await open_page(f"{ADMIN}#/administration/activation-rules")
    await choose_rule(page, "Demo Nurse")
    await page.get_by_role("button", name="Apply to existing patients (care team)").click()
    await expect(page.get_by_role("dialog").locator("li")).to_have_text(["Second Patient"])
    await page.get_by_role("button", name="Activate for 1 patient").click()
    await expect(page.locator("#activation-rules-words")).to_contain_text("Begun for 1 patient")
    nurse = await open_page("/portal?as=demo-nurse")
    await expect(nurse.locator("#channels")).to_contain_text("Second Patient")


async def test_settings_groups_and_roles(open_page: OpenPage, admin: None) -> None:
    page = await open_page(f"{ADMIN}#/administration/contact")
    await page.get_by_role("button", name="Change").click()
    await page.get_by_label("Contact text").fill("Call 01 234 567.")
    await page.get_by_role("dialog").locator("select").select_option(label="Demo Nurse (Nurse)")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#contact")).to_contain_text("Call 01 234 567.")
    await expect(page.locator("#contact")).to_contain_text("Demo Nurse")
    await page.get_by_role("link", name="Patient groups").click()
    await page.get_by_role("button", name="New patient group").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Young people")
    await page.get_by_label("Crisis services").fill("At night: 01 999")
    await page.get_by_role("checkbox", name="Demo Nurse").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#patient-groups")).to_contain_text("Young people")
    await page.get_by_role("link", name="Roles").click()
    await page.get_by_role("button", name="Change Nurse").click()
    await page.get_by_role("checkbox", name="Messaging Management").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#roles")).to_contain_text("Messaging Management")
    nurse = await open_page("/portal?as=demo-nurse")
    await nurse.locator("#new-button").click()
    await expect(nurse.get_by_role("menuitem", name="Group channel")).to_be_visible()

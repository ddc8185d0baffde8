"""Pictures of every page and state, phone and desktop, light and dark, for people to look at: `make screenshots`.

Not collected with the tests. Each scene is played once per size and scheme on the real product; the pictures go to the folder
that WARMLINE_SCREENSHOTS names.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.middle import Middle
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage

FOLDER = Path(os.environ.get("WARMLINE_SCREENSHOTS", "screenshots"))
PATIENT, PORTAL = "/?as=demo-patient", "/portal?as=demo-clinician"
CARE = f"{PORTAL}#/channel/care"
SIZES = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    },
    "narrow": {"viewport": {"width": 320, "height": 640}},
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "wide": {"viewport": {"width": 2560, "height": 1440}},
}
KINDS = [("phone", "light"), ("desktop", "light"), ("desktop", "dark"), ("narrow", "dark"), ("wide", "light")]


class Shots:
    """Takes the pictures of one size and scheme."""

    def __init__(self, size: str, scheme: str, open_page: OpenPage) -> None:
        self.kind = f"{size}-{scheme}"
        self._options: dict[str, Any] = SIZES[size] | {"color_scheme": scheme}
        self._open_page = open_page

    async def open(self, path: str, **more: Any) -> Page:
        return await self._open_page(path, **(self._options | more))

    async def take(self, page: Page, name: str) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        await page.wait_for_timeout(250)
        await page.screenshot(path=FOLDER / f"{name}-{self.kind}.png")


@pytest.fixture(params=KINDS, ids=["-".join(kind) for kind in KINDS])
def shots(request: pytest.FixtureRequest, open_page: OpenPage) -> Shots:
    return Shots(*request.param, open_page)


async def write(page: Page, text: str) -> None:
    """By the button: on a phone, Enter makes a line."""
    await page.locator("#text").fill(text)
    await page.get_by_role("button", name="Send").click()


async def open_details(page: Page) -> None:
    """By the button, or where there is no room for it by the menu."""
    if await page.locator("#details-toggle").is_visible():
        return await page.locator("#details-toggle").click()
    await page.locator("#channel-more").click()
    return await page.get_by_role("menuitem", name="Details").click()


async def converse(clinic: Clinic) -> None:
    """A conversation of three days, as it may be."""
    patient, doctor, nurse = "demo-patient", "demo-clinician", "demo-nurse"
    for who, *said in [
        (
            patient,
            "Good morning. I slept badly again and woke at four.",
            "Is it all right to take the tablets earlier?",
        ),
        (doctor, "Good morning! Yes, you can take them at eight in the evening instead of at ten."),
        (
            nurse,
            "I have put a sleep diary into your next appointment. You can read about it here: https://example.org/sleep",
        ),
        (patient, "Thank you 🌼"),
        (doctor, "How was the night?\n\nPlease write down\n– when you went to bed\n– when you woke up"),
        (
            patient,
            "Better. "
            + "I woke up once, read for a while and then slept until seven, which has not happened for weeks. " * 2,
        ),
        (patient, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2),
    ]:
        await clinic.say("care", who, *said)
    await clinic.spread("care", 200)
    await clinic.read("care")


async def channels(clinic: Clinic) -> None:
    """A list with every section, long names and unread messages."""
    doctor, nurse, patient = "demo-clinician", "demo-nurse", "demo-patient"
    await clinic.patient("demo-long", "Maximiliane-Alexandra von Hohenstein-Wittelsbacher zu Donaueschingen", "Max")
    await clinic.care_team("long", "demo-long", doctor, nurse)
    await clinic.channel("dm", "direct", doctor, nurse)
    await clinic.channel("group", "group", doctor, patient, title="Tuesday group: living with anxiety")
    await clinic.channel("service", "service_team", patient, doctor, patient=patient)
    await clinic.channel("old", "staff", doctor, patient=patient, title="Old review")
    await clinic.archive("old")
    await clinic.say("long", "demo-long", "Hello?", "Is somebody there?")
    await clinic.say("group", patient, "See you on Tuesday!")
    await clinic.fill("review", nurse, 120)


async def test_signing_in(shots: Shots, clinic: Clinic) -> None:
    for name, path in (("signin-patient", "/"), ("signin-portal", "/portal")):
        page = await shots.open(path, ready=False)
        await page.locator("#people button").first.wait_for()
        await shots.take(page, name)


async def test_patient(shots: Shots, clinic: Clinic) -> None:
    page = await shots.open(PATIENT)
    await shots.take(page, "patient-empty")
    await converse(clinic)
    await page.reload()
    await expect(page.locator("[data-message-id]").last).to_be_visible()
    await shots.take(page, "patient-conversation")
    await page.locator("#account-button").click()
    await shots.take(page, "patient-account")
    await page.keyboard.press("Escape")
    await open_details(page)
    await shots.take(page, "patient-details")
    await page.locator("#details-close").click()
    await page.locator("#text").fill("🌼" * 8003)
    await shots.take(page, "patient-too-long")
    await page.locator("#text").fill("half a thought")
    await clinic.archive("care")
    await page.locator("#closed").wait_for()
    await shots.take(page, "patient-closed")


async def test_patient_without_and_with_several(shots: Shots, clinic: Clinic) -> None:
    await clinic.patient("demo-new", "Demo Newcomer", "New")
    page = await shots.open("/?as=demo-new")
    await shots.take(page, "patient-none")
    await channels(clinic)
    page = await shots.open(PATIENT)
    if await page.locator("#back").is_visible():
        await page.locator("#back").click()
    await shots.take(page, "patient-several")


async def test_trouble(shots: Shots, clinic: Clinic, middle: Middle) -> None:
    await converse(clinic)
    page = await shots.open(PATIENT)
    await page.locator("[data-message-id]").last.wait_for()
    middle.faults.refuse["message.send"] = {"code": 403, "message": "This conversation was closed by the clinic."}
    await write(page, "Shall I take two of them on Sunday?")
    await page.locator('[data-state="failed"]').wait_for()
    middle.faults.refuse.clear()
    middle.faults.down = True
    await middle.cut()
    await write(page, "And one on Monday?")
    await page.locator("#connection").wait_for()
    await shots.take(page, "patient-reconnecting")
    middle.faults.down = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator("#connection")).to_be_hidden()
    await middle.close(3500, "invalid token")
    await expect(page.locator("#signin-words")).to_contain_text("You have been signed out.")
    await shots.take(page, "patient-signed-out")


async def test_portal(shots: Shots, clinic: Clinic) -> None:
    await converse(clinic)
    await channels(clinic)
    page = await shots.open(PORTAL)
    await shots.take(page, "portal-list")
    page = await shots.open(CARE)
    await page.locator("[data-message-id]").last.wait_for()
    await page.locator("#text").fill("I will look into it this afternoon.")
    await shots.take(page, "portal-conversation")
    await open_details(page)
    await page.locator("#add-person option").nth(1).wait_for(state="attached")
    await shots.take(page, "portal-details")
    await page.get_by_role("button", name="Leave").click()
    await shots.take(page, "portal-leave")
    await page.keyboard.press("Escape")
    await page.locator("#details-close").click()
    await page.locator("#channel-more").click()
    await shots.take(page, "portal-more")
    await page.keyboard.press("Escape")
    await page.locator("#scroller").press("?")
    await shots.take(page, "portal-shortcuts")
    page = await shots.open(f"{PORTAL}#/channel/review")
    await page.locator("[data-message-id]").last.wait_for()
    await shots.take(page, "portal-unread")
    page = await shots.open(f"{PORTAL}#/channel/old")
    await shots.take(page, "portal-archived")


async def test_portal_patients(shots: Shots, clinic: Clinic, middle: Middle) -> None:
    await channels(clinic)
    page = await shots.open(PORTAL)
    middle.faults.late.add("patient.list")
    await page.locator("#to-patients").click()
    await shots.take(page, "portal-patients-loading")
    middle.release("patient.list")
    await page.locator("#patient-list [data-patient-id]").first.wait_for()
    await shots.take(page, "portal-patients")
    await page.locator("#new-patient").click()
    await page.get_by_label("Legal name").fill("Demo Patient")
    await page.get_by_label("Email").fill("demo-nurse@demo.invalid")
    await page.get_by_role("button", name="Create patient").click()
    await page.locator("dialog .failure:not(:empty)").wait_for()
    await shots.take(page, "portal-new-patient")


async def test_portal_empty(shots: Shots, clinic: Clinic) -> None:
    await clinic.colleague("demo-alone", "Demo Alone", "NURSE")
    page = await shots.open("/portal?as=demo-alone")
    await shots.take(page, "portal-empty")


async def test_changing_messages(shots: Shots, clinic: Clinic) -> None:
    await converse(clinic)
    page = await shots.open(CARE)
    await page.locator("[data-message-id]").last.wait_for()
    button = page.locator(".message-more").nth(-2)
    await button.focus()
    await shots.take(page, "portal-message-button")
    await button.press("Enter")
    await shots.take(page, "portal-message-offers")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Message").fill("Was I asleep?")
    await page.get_by_role("dialog").get_by_label("Why").fill("Shorter")
    await shots.take(page, "portal-message-edit")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await button.press("Enter")
    await page.get_by_role("button", name="Earlier versions").click()
    await page.get_by_role("dialog").locator("li").first.wait_for()
    await shots.take(page, "portal-message-versions")
    await page.get_by_role("button", name="Close").last.click()
    await button.press("Enter")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Why").fill("Of no use")
    await shots.take(page, "portal-message-delete")
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator(".instead")).to_have_count(1)
    await shots.take(page, "portal-message-deleted")
    patient = await shots.open(PATIENT)
    await patient.locator(".instead").wait_for()
    await shots.take(patient, "patient-message-deleted")


async def test_new_channels(shots: Shots, clinic: Clinic) -> None:
    await channels(clinic)
    page = await shots.open(PORTAL)
    for kind in ("Direct message", "Staff channel", "Group channel"):
        await page.locator("#new-button").click()
        await shots.take(page, "portal-new")
        await page.get_by_role("menuitem", name=kind).click()
        await page.get_by_role("dialog").wait_for()
        await shots.take(page, f"portal-new-{kind.split()[0].lower()}")
        await page.keyboard.press("Escape")


async def test_places(shots: Shots, clinic: Clinic) -> None:
    await channels(clinic)
    await clinic.colleague("demo-admin", "Demo Admin", "ADMIN")
    page = await shots.open("/portal?as=demo-admin#/patients/" + clinic.people["demo-patient"])
    await page.locator("#patient .panel").first.wait_for()
    await shots.take(page, "portal-patient")
    await page.get_by_role("button", name="Change", exact=True).click()
    await page.get_by_role("dialog").wait_for()
    await shots.take(page, "portal-patient-change")
    await page.keyboard.press("Escape")
    await page.locator("#to-team").click()
    await page.locator("#team .panel").first.wait_for()
    await shots.take(page, "portal-team")
    await page.get_by_role("button", name="Archive Demo Clinician").click()
    await page.locator(".preview li").first.wait_for()
    await shots.take(page, "portal-team-archive")
    await page.keyboard.press("Escape")
    await page.locator("#to-administration").click()
    for name in ("activation-rules", "contact", "patient-groups", "roles"):
        await page.evaluate(f"location.hash = '#/administration/{name}'")
        await page.locator(f"#{name} .panel").first.wait_for()
        await shots.take(page, f"portal-{name}")
    await page.evaluate("location.hash = '#/administration/activation-rules'")
    await page.get_by_role("button", name="Change (care team)").click()
    await page.get_by_role("dialog").wait_for()
    await shots.take(page, "portal-rule")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Apply to existing patients (service team)").click()
    await page.get_by_role("dialog").wait_for()
    await shots.take(page, "portal-backfill")


async def test_how_others_see_me(shots: Shots, clinic: Clinic) -> None:
    await channels(clinic)
    page = await shots.open(PATIENT)
    await page.locator("#account-button").click()
    await page.get_by_role("menuitem", name="How others see me").click()
    await page.get_by_role("dialog").locator("h3").nth(1).wait_for()
    await shots.take(page, "patient-profile")

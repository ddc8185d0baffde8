"""axe-core finds nothing to object to: on every page and in every state, light and dark, narrow and wide."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.support.middle import Middle
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, write

PATIENT, PORTAL = "/?as=demo-patient", "/portal?as=demo-clinician"
CARE = f"{PORTAL}#/channel/care"
AXE = Axe()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = [(320, "light"), (320, "dark"), (1280, "light"), (1280, "dark")]


async def sound(page: Page, rules: list[str]) -> None:
    """Nothing to object to."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.axe_script)
    flaws: list[Any] = await page.evaluate(
        "async (runOnly) => (await axe.run({runOnly, resultTypes: ['violations']})).violations", rules
    )
    assert [(flaw["id"], node["html"][:160], node["failureSummary"]) for flaw in flaws for node in flaw["nodes"]] == []


class Looking:
    """A page that is looked at in every size and scheme, in the state it is in."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def everywhere(self) -> None:
        for width, scheme in LOOKS:
            await self.page.set_viewport_size({"width": width, "height": 760})
            await self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, scheme)
            # The scheme changes colours and nothing else.
            await sound(self.page, RULES if scheme == "light" else ["color-contrast", "link-in-text-block"])


@asynccontextmanager
async def down(middle: Middle, page: Page) -> AsyncIterator[None]:
    """The server is away."""
    middle.faults.down = True
    await middle.cut()
    await page.locator("#connection").wait_for()
    yield
    middle.faults.down = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator("#connection")).to_be_hidden()


@pytest.fixture
async def look(open_page: OpenPage) -> Any:
    async def look(path: str, **options: Any) -> Looking:
        return Looking(await open_page(path, bypass_csp=True, **options))

    return look


@pytest.mark.parametrize("path", ["/", "/portal"])
async def test_signing_in(look: Any, path: str) -> None:
    looking = await look(path, ready=False)
    await looking.page.locator("#people button").first.wait_for()
    await looking.everywhere()


async def test_the_patients_page(look: Any, clinic: Clinic, middle: Middle) -> None:
    looking = await look(PATIENT)
    page = looking.page
    await expect(page.locator("#empty")).not_to_be_empty()
    await looking.everywhere()
    await clinic.say("care", "demo-clinician", "Good morning. See https://example.org/", "x" * 300)
    await write(page, "Hello")
    await expect(page.locator('[data-state="sent"]')).to_have_count(1)
    await looking.everywhere()
    await page.locator("#account-button").click()
    await looking.everywhere()
    await page.keyboard.press("Escape")
    await page.locator("#details-toggle").click()
    await looking.everywhere()
    await page.locator("#details-close").click()
    await page.locator("#text").fill("x" * 8001)
    middle.faults.refuse["message.send"] = {"code": 403, "message": "This conversation was closed by the clinic."}
    await looking.everywhere()
    await write(page, "Once more")
    await page.locator('[data-state="failed"]').wait_for()
    async with down(middle, page):
        await looking.everywhere()
    await page.locator("#text").fill("half a thought")
    await clinic.archive("care")
    await page.locator("#closed").wait_for()
    await looking.everywhere()


async def test_a_patient_without_a_conversation_and_with_several(look: Any, clinic: Clinic) -> None:
    await clinic.patient("demo-new", "Demo Newcomer", "New")
    await (await look("/?as=demo-new")).everywhere()
    await clinic.channel("service", "service_team", "demo-patient", "demo-nurse", patient="demo-patient")
    await clinic.say("service", "demo-nurse", "Hello")
    looking = await look(PATIENT)
    await looking.everywhere()
    await looking.page.set_viewport_size({"width": 320, "height": 760})
    await looking.page.locator("#back").click()
    await looking.everywhere()


async def test_the_message_centre(look: Any, clinic: Clinic) -> None:
    await clinic.channel("dm", "direct", "demo-clinician", "demo-nurse")
    await clinic.fill("review", "demo-nurse", 120)
    looking = await look(PORTAL)
    page = looking.page
    await looking.everywhere()
    await page.set_viewport_size({"width": 1280, "height": 760})
    await page.locator(clinic.row("review")).click()
    await page.locator("[data-message-id]").first.wait_for()
    await page.locator("#first-new").wait_for()
    await looking.everywhere()
    await page.locator("#find").fill("nobody of this name")
    await looking.everywhere()
    await page.locator("#find").fill("")
    await page.locator("#channel-more").click()
    await looking.everywhere()
    await page.keyboard.press("Escape")
    await page.locator("#scroller").press("?")
    await page.locator("dialog").wait_for()
    await looking.everywhere()


async def test_details_and_dialogs(look: Any, clinic: Clinic, middle: Middle) -> None:
    looking = await look(CARE)
    page = looking.page
    await page.locator("#details-toggle").click()
    await page.locator("#add-person option").nth(1).wait_for(state="attached")
    await looking.everywhere()
    await page.get_by_role("button", name="Leave").click()
    await looking.everywhere()
    await page.keyboard.press("Escape")
    middle.faults.late.add("patient.list")
    await page.set_viewport_size({"width": 1280, "height": 760})
    await page.locator("#to-patients").click()
    await page.locator(".skeleton").first.wait_for()
    await looking.everywhere()
    middle.release("patient.list")
    await page.locator("#patient-list [data-patient-id]").first.wait_for()
    await looking.everywhere()
    await page.locator("#new-patient").click()
    await page.get_by_label("Legal name").fill("Demo Patient")
    await page.get_by_label("Email").fill("demo-nurse@demo.invalid")
    await page.get_by_role("button", name="Create patient").click()
    await page.locator("dialog .failure:not(:empty)").wait_for()
    await looking.everywhere()


async def test_a_colleague_without_channels(look: Any) -> None:
    await (await look("/portal?as=demo-receptionist")).everywhere()


async def test_changing_a_message(look: Any, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "one", "two")
    looking = await look(CARE)
    page = looking.page
    await page.locator(".message-more").last.focus()
    await looking.everywhere()
    await page.keyboard.press("Enter")
    await looking.everywhere()
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Message").fill("three")
    await page.get_by_role("dialog").get_by_label("Why").fill("Wrong number")
    await looking.everywhere()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.locator(".message-more").last.press("Enter")
    await page.get_by_role("button", name="Earlier versions").click()
    await page.get_by_role("dialog").locator("li").first.wait_for()
    await looking.everywhere()
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await page.locator(".message-more").last.press("Enter")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await looking.everywhere()


async def test_new_channels_and_closed_ones(look: Any, clinic: Clinic) -> None:
    await clinic.archive("review")
    looking = await look(CARE)
    page = looking.page
    for kind in ("Direct message", "Staff channel", "Group channel"):
        await page.locator("#new-button").click()
        await page.get_by_role("menuitem", name=kind).click()
        await page.get_by_role("dialog").wait_for()
        await looking.everywhere()
        await page.keyboard.press("Escape")
        await page.set_viewport_size({"width": 1280, "height": 760})
    await page.get_by_role("button", name="Archived channels").click()
    await page.locator(clinic.row("review")).click()
    await page.locator("#closed-way").wait_for()
    await looking.everywhere()


async def test_every_place(look: Any, clinic: Clinic) -> None:
    await clinic.colleague("demo-admin", "Demo Admin", "ADMIN")
    looking = await look(f"/portal?as=demo-admin#/patients/{clinic.people['demo-patient']}")
    page = looking.page
    await page.locator("#patient .panel").first.wait_for()
    await looking.everywhere()
    for name in ("activation-rules", "contact", "notifications", "patient-groups", "roles"):
        await page.evaluate(f"location.hash = '#/administration/{name}'")
        await page.locator(f"#{name} .panel").first.wait_for()
        await looking.everywhere()
        await page.locator(f"#{name}").get_by_role("button", name="Change").first.click()
        await page.get_by_role("dialog").wait_for()
        await looking.everywhere()
        await page.keyboard.press("Escape")
    await page.evaluate("location.hash = '#/team'")
    await page.locator("#team .panel").first.wait_for()
    await looking.everywhere()
    await page.get_by_role("button", name="Archive Demo Clinician").click()
    await page.locator(".preview li").first.wait_for()
    await looking.everywhere()


async def test_how_others_see_me(look: Any, clinic: Clinic) -> None:
    await clinic.channel("group", "group", "demo-clinician", "demo-patient", title="Tuesday group")
    looking = await look(PATIENT)
    page = looking.page
    await page.locator("#account-button").click()
    await page.get_by_role("menuitem", name="How others see me").click()
    await page.get_by_role("dialog").get_by_label("Display name").first.fill("Demo Clinician")
    await page.get_by_role("dialog").get_by_role("button", name="Save").first.click()
    await page.get_by_role("dialog").locator(".field-error:not(:empty)").wait_for()
    await looking.everywhere()


async def test_how_one_is_told(look: Any, clinic: Clinic) -> None:
    for host in ("fcm.googleapis.com", "push.of-a-browser-that-nobody-has-heard-of.example"):
        await clinic.device("demo-patient", host)
    looking = await look(f"{PATIENT}#/settings")
    page = looking.page
    await page.get_by_role("switch", name="Push").click()
    await page.get_by_role("dialog").locator(".switches .changed").wait_for()
    await expect(page.get_by_role("dialog").locator(".devices li")).to_have_count(2)
    await looking.everywhere()
    await page.get_by_role("button", name="Set quiet hours").click()
    await looking.everywhere()
    await clinic.words.sql("update memberships set muted = true where channel_id = $1", clinic.channels["care"])
    looking = await look(CARE)
    await looking.page.locator("#warning:not(:empty)").wait_for()
    await looking.everywhere()


async def test_who_was_told_and_why(look: Any, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "Is somebody there?")
    await clinic.plan()
    looking = await look(CARE)
    page = looking.page
    await page.locator(".message-more").last.press("Enter")
    await page.get_by_role("button", name="Who was told, and why").click()
    await page.get_by_role("dialog").locator(".why > li").nth(2).wait_for()
    await looking.everywhere()

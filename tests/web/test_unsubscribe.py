"""The unsubscribe pages in a browser: without script, by the keyboard alone, sound in every size and scheme."""

import os
import secrets

import pytest
from playwright.async_api import Page, expect

from server.ids import MailId
from tests.support.browser import Pages
from tests.support.site import Gateway
from tests.web.clinic import Clinic
from tests.web.test_axe import Looking


@pytest.fixture
async def code(clinic: Clinic) -> str:
    """The code in an email that the patient got."""
    made = secrets.token_urlsafe(24)
    await clinic.words.sql(
        """insert into mails (organization_id, id, person_id, unsubscribe_code, status, settled_at)
           values ($1, $2, $3, $4, 'sent', now())""",
        *(clinic.words.organization_id, MailId.new(), clinic.people["demo-patient"], made),
    )
    return made


async def picture(page: Page, name: str) -> None:
    """For whoever wants to look: UNSUBSCRIBE_PICTURES names a folder."""
    if folder := os.environ.get("UNSUBSCRIBE_PICTURES"):
        for width, scheme in ((360, "light"), (360, "dark"), (1280, "light")):
            await page.set_viewport_size({"width": width, "height": 700})
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png")


async def test_a_patient_stops_the_emails_and_has_them_again_by_keyboard_and_without_script(
    pages: Pages, gateway: Gateway, clinic: Clinic, code: str
) -> None:
    page = await pages.open(f"{gateway.url}/unsubscribe/{code}", java_script_enabled=False)
    for title, button in (
        ("Stop emails about new messages?", "Stop the emails"),
        ("You get no more of these emails", "Send me emails again"),
    ):
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name=button)).to_be_focused()
        await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("You get emails again")
    [row] = await clinic.words.sql(
        "select unread_email, unread_email_by from notice_preferences where person_id = $1",
        clinic.people["demo-patient"],
    )
    assert tuple(row) == (True, clinic.people["demo-patient"])
    said = gateway.log.read_text()
    assert "/unsubscribe/{code}" in said
    assert code not in said


async def test_every_page_is_sound_in_every_size_and_scheme(pages: Pages, gateway: Gateway, code: str) -> None:
    page = await pages.open(f"{gateway.url}/unsubscribe/{code}", bypass_csp=True)
    await Looking(page).everywhere()
    await picture(page, "ask")
    for name in ("stopped", "again"):
        await page.get_by_role("button").click()
        await Looking(page).everywhere()
        await picture(page, name)


async def test_a_link_that_does_not_work_says_so_calmly(pages: Pages, gateway: Gateway) -> None:
    page = await pages.open(f"{gateway.url}/unsubscribe/{'x' * 32}", bypass_csp=True)
    await expect(page.get_by_role("heading", level=1)).to_have_text("This link does not work")
    await Looking(page).everywhere()
    await picture(page, "unknown")

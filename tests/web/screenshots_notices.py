"""Pictures of how people are told while they are away: settings, the offer, warnings, and why somebody was (not) told."""

import pytest
from playwright.async_api import Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage
from tests.web.device import registered_elsewhere, taking_pushes
from tests.web.screenshots import KINDS, Shots, write
from tests.web.test_notices import gateway

__all__ = ["gateway"]
PATIENT, PORTAL = "/?as=demo-patient", "/portal?as=demo-clinician"


@pytest.fixture(params=KINDS, ids=["-".join(kind) for kind in KINDS])
def shots(request: pytest.FixtureRequest, open_page: OpenPage) -> Shots:
    return Shots(*request.param, open_page)


async def settings(page: Page, name: str) -> None:
    await page.locator("#account-button").click()
    await page.get_by_role("menuitem", name=name).click()
    await expect(page.get_by_role("switch")).to_have_count(2)


async def test_settings(shots: Shots, clinic: Clinic) -> None:
    page = await shots.open(PATIENT, before=taking_pushes(registered_elsewhere()))
    await page.locator("#account-button").click()
    await shots.take(page, "notices-account")
    await page.keyboard.press("Escape")
    await settings(page, "Settings")
    await shots.take(page, "notices-settings")
    await page.get_by_role("switch", name="Push").click()
    await expect(page.get_by_role("switch", name="Push")).not_to_be_checked()
    await page.get_by_role("button", name="Set quiet hours").click()
    await shots.take(page, "notices-quiet")
    await page.get_by_role("dialog").last.get_by_role("button", name="Save").click()
    await expect(page.locator("dialog")).to_have_count(1)
    await page.get_by_role("dialog").get_by_role("button", name="Close").scroll_into_view_if_needed()
    await shots.take(page, "notices-settings-changed")
    await page.keyboard.press("Escape")
    await write(page, "Hello")
    await page.locator("#offer p").first.wait_for()
    await shots.take(page, "notices-offer")


async def test_devices(shots: Shots, clinic: Clinic) -> None:
    for host in ("fcm.googleapis.com", "updates.push.services.mozilla.com", "push.example"):
        await clinic.device("demo-patient", host)
    page = await shots.open(PATIENT, before=taking_pushes(registered_elsewhere()))
    await settings(page, "Settings")
    await page.locator(".devices").scroll_into_view_if_needed()
    await shots.take(page, "notices-devices")
    await page.locator(".devices button").first.click()
    await shots.take(page, "notices-devices-remove")
    await page.get_by_role("dialog").last.get_by_role("button", name="Remove").click()
    await expect(page.locator(".devices li")).to_have_count(2)
    await shots.take(page, "notices-devices-removed")


async def test_why(shots: Shots, clinic: Clinic) -> None:
    await clinic.device("demo-nurse", "push.example")
    await clinic.say("care", "demo-patient", "Good morning. May I take the tablets earlier?")
    await clinic.plan()
    page = await shots.open(f"{PORTAL}#/channel/care")
    await page.locator(".message-more").last.press("Enter")
    await page.get_by_role("button", name="Who was told, and why").click()
    await page.locator(".why > li").nth(2).wait_for()
    await shots.take(page, "notices-why")


async def test_portal(shots: Shots, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "Good morning. May I take the tablets earlier?", "Is somebody there?")
    await clinic.words.sql(
        "update memberships set muted = true where channel_id = $1 and person_kind = 'team_member'",
        clinic.channels["care"],
    )
    await clinic.words.sql(
        "insert into unattended values ($1, $2, $3, now() - interval '25 hours', 'noticed', now())",
        *(clinic.words.organization_id, clinic.channels["care"], await clinic.top("care")),
    )
    page = await shots.open(PORTAL)
    await shots.take(page, "notices-unattended")
    page = await shots.open(f"{PORTAL}#/channel/care")
    await page.locator("#warning:not(:empty)").wait_for()
    await shots.take(page, "notices-nobody-told")
    await page.locator("#channel-more").click()
    await shots.take(page, "notices-menu")
    await clinic.colleague("demo-admin", "Demo Admin", "ADMIN")
    page = await shots.open(f"/portal?as=demo-admin#/patients/{clinic.people['demo-patient']}")
    await page.get_by_role("switch").first.scroll_into_view_if_needed()
    await shots.take(page, "notices-patient")
    await page.evaluate("location.hash = '#/administration/notifications'")
    await page.locator("#notifications .panel").wait_for()
    await shots.take(page, "notices-administration")
    await page.get_by_role("button", name="Change", exact=True).click()
    await page.get_by_role("dialog").wait_for()
    await shots.take(page, "notices-administration-change")

"""How people are told while they are away, as they set it: switches, this device, quiet hours, mute; and what they look at."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from server.notices import vapid
from tests.support.middle import Middle
from tests.support.site import Gateway, Site
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, until, write
from tests.web.device import registered_elsewhere, taking_pushes

PATIENT, PORTAL = "/?as=demo-patient", "/portal?as=demo-clinician"
Open = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="module")
async def gateway(site: Site, port: int, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """One that has a key for pushes."""
    key = tmp_path_factory.mktemp("vapid") / "key"
    vapid.make(key)
    return await site.gateway(
        WARMLINE_ALLOWED_ORIGINS=f"http://127.0.0.1:{port}",
        WARMLINE_VAPID_KEY_FILE=str(key),
        WARMLINE_VAPID_SUBJECT="mailto:operator@clinic.invalid",
    )


@pytest.fixture
async def device(open_page: OpenPage) -> Open:
    """A page in a browser that can take pushes."""

    async def device(path: str, **options: Any) -> Page:
        return await open_page(path, before=taking_pushes(registered_elsewhere()), **options)

    return device


async def settings(page: Page, name: str = "Settings") -> Locator:
    """Open them, by keyboard."""
    await page.locator("#account-button").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("menuitem").first).to_be_focused()
    assert await page.get_by_role("menuitem").first.inner_text() == name
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("switch")).to_have_count(2)
    return dialog


async def devices(clinic: Clinic, person: str) -> list[Any]:
    return await clinic.words.sql(
        "select endpoint, removed_why from devices where person_id = $1 order by added_at", clinic.people[person]
    )


async def test_switches_by_keyboard_and_who_changed_them_is_shown_to_both(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PATIENT)
    dialog = await settings(page)
    email = dialog.get_by_role("switch", name="Emails about unread messages")
    await expect(email).to_be_checked()
    await email.focus()
    await page.keyboard.press("Space")
    await expect(email).not_to_be_checked()
    await expect(email).to_be_focused()
    await expect(dialog.locator(".switches")).to_contain_text("Saved.")
    await expect(dialog.locator(".changed")).to_contain_text("Changed by you, ")
    portal = await open_page(f"{PORTAL}#/patients/{clinic.people['demo-patient']}")
    panel = portal.locator(".panel", has_text="Notifications").last
    await expect(panel.get_by_role("switch", name="Emails")).not_to_be_checked()
    await expect(panel.locator(".changed")).to_contain_text("Changed by Demo Patient, ")
    await panel.get_by_role("switch", name="Push").click()
    await expect(panel.get_by_role("switch", name="Push")).not_to_be_checked()
    await page.keyboard.press("Escape")
    await expect(page.locator("#account-button")).to_be_focused()
    dialog = await settings(page)
    await expect(dialog.get_by_role("switch", name="Push")).not_to_be_checked()
    await expect(dialog.locator(".changed").first).to_contain_text("Changed by Demo Clinician, ")


async def test_a_refused_switch_stays_as_it_was_and_says_why(open_page: OpenPage, middle: Middle) -> None:
    page = await open_page(PATIENT)
    dialog = await settings(page)
    middle.faults.refuse["notice.set_preferences"] = {"code": 403, "message": "Not now."}
    await dialog.get_by_role("switch", name="Push").click()
    await expect(dialog.locator(".switches [role=status]")).to_have_text("Not now.")
    await expect(dialog.get_by_role("switch", name="Push")).to_be_checked()


async def test_a_nurse_without_the_right_sees_a_patients_switches_and_cannot_turn_them(
    open_page: OpenPage, clinic: Clinic
) -> None:
    page = await open_page(f"/portal?as=demo-nurse#/patients/{clinic.people['demo-patient']}")
    panel = page.locator(".panel", has_text="Notifications").last
    await expect(panel.get_by_role("switch")).to_have_count(2)
    await expect(panel.get_by_role("switch").first).to_be_disabled()


async def test_quiet_hours_are_in_the_browsers_own_time_zone_unless_one_says_otherwise(
    open_page: OpenPage, clinic: Clinic
) -> None:
    page = await open_page(PORTAL, timezone_id="Australia/Sydney")
    dialog = await settings(page, "My Profile")
    await dialog.get_by_role("button", name="Set quiet hours").click()
    ask = page.get_by_role("dialog").last
    await expect(ask.get_by_label("From")).to_have_value("22:00")
    await expect(ask.get_by_label("Time zone")).to_have_value("Australia/Sydney")
    await ask.get_by_label("From").fill("07:00")
    await ask.get_by_role("button", name="Save").click()
    await expect(ask.locator(".failure:not(:empty)")).to_have_count(1)
    await ask.get_by_label("From").fill("21:30")
    await ask.get_by_label("Time zone").select_option("Europe/Berlin")
    await ask.get_by_role("button", name="Save").click()
    block = page.locator(".profile-block", has_text="Quiet hours")
    await expect(block).to_contain_text("21:30 to 07:00 (Europe/Berlin)")
    await expect(block).to_contain_text("Changed by you")
    await expect(block.get_by_role("button", name="Change")).to_be_focused()
    await block.get_by_role("button", name="No quiet hours").click()
    await expect(block).to_contain_text("None: you are told at any time.")


async def test_permission_is_never_asked_for_on_load_and_offered_once_after_the_first_message(
    device: Open, clinic: Clinic
) -> None:
    await clinic.say("care", "demo-clinician", "Good morning")
    page = await device(PATIENT)
    await expect(page.locator("#messages .text")).to_have_text("Good morning")
    await expect(page.locator("#offer")).to_be_hidden()
    await write(page, "Hello")
    await expect(page.locator("#offer")).to_contain_text("Be told when your team answers?")
    await page.locator("#offer").get_by_role("button", name="Not now").click()
    await expect(page.locator("#offer")).to_be_hidden()
    await expect(page.locator("#text")).to_be_focused()
    await write(page, "Once more")
    await expect(page.locator('[data-state="sent"]')).to_have_count(2)
    await page.reload()
    await expect(page.locator("#messages .text")).to_have_count(3)
    await write(page, "And after a reload")
    await expect(page.locator('[data-state="sent"]')).to_have_count(3)
    await expect(page.locator("#offer")).to_be_hidden()
    assert await page.evaluate("window.asked") == 0
    assert await devices(clinic, "demo-patient") == []


async def test_the_offer_taken_makes_this_browser_a_device_until_one_signs_out(device: Open, clinic: Clinic) -> None:
    page = await device(PATIENT)
    await write(page, "Hello")
    await page.context.grant_permissions(["notifications"])
    await page.locator("#offer").get_by_role("button", name="Turn on notifications").click()
    await expect(page.locator("#offer")).to_contain_text("This device is told of new messages.")
    assert await page.evaluate("window.asked") == 1
    assert [row["removed_why"] for row in await devices(clinic, "demo-patient")] == [None]
    await page.reload()
    await page.locator("body[data-view]").wait_for()
    dialog = await settings(page)
    block = dialog.locator(".profile-block", has_text="This device")
    await expect(block.get_by_role("button")).to_have_text("Turn off on this device")
    assert len(await devices(clinic, "demo-patient")) == 1, "the same browser is the same device"
    await page.keyboard.press("Escape")
    await page.locator("#account-button").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await page.locator("#people button").first.wait_for()
    assert [row["removed_why"] for row in await devices(clinic, "demo-patient")] == ["person"]
    await page.goto(await page.evaluate("location.origin") + PATIENT)
    await until(page, "localStorage.getItem('test.push') !== null")
    await page.locator("body[data-view]").wait_for()
    assert await page.evaluate("window.asked") == 0, "the same person takes it up again without being asked"


async def test_what_is_looked_at_is_said_at_once_and_taken_back(
    open_page: OpenPage, clinic: Clinic, middle: Middle
) -> None:
    page = await open_page(f"{PORTAL}#/channel/care")
    care, review = clinic.channels["care"], clinic.channels["review"]

    async def told(*expected: tuple[str, bool]) -> None:
        def calls() -> list[tuple[str, bool]]:
            return [(call["channel_id"], call["visible"]) for call in middle.calls("channel.viewing")]

        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                while calls() != list(expected):
                    await asyncio.sleep(0.02)
        names = {care: "care", review: "review"}
        assert [(names[channel], seen) for channel, seen in calls()] == [(names[c], seen) for c, seen in expected]

    await told((care, True))
    await page.locator(clinic.row("review")).click()
    await told((care, True), (care, False), (review, True))
    await page.locator("#to-patients").click()
    first = [(care, True), (care, False), (review, True), (review, False)]
    await told(*first)
    other = await open_page(f"{PORTAL}#/channel/care")
    await told(*first, (care, True))
    hide = "Object.defineProperty(document, 'visibilityState', {get: () => 'hidden', configurable: true});"
    change = "document.dispatchEvent(new Event('visibilitychange'))"
    await other.evaluate(hide + change)
    await told(*first, (care, True), (care, False))
    pages = {call["page"] for call in middle.calls("channel.viewing")}
    assert len(pages) == 2, "two pages do not take back what the other says"
    await other.evaluate("delete document.visibilityState;" + change)
    await told(*first, (care, True), (care, False), (care, True))
    await middle.cut()
    await told(*first, (care, True), (care, False), (care, True), (care, True))
    await other.goto("about:blank")
    await told(*first, (care, True), (care, False), (care, True), (care, True), (care, False))


async def test_mute_and_mark_unread_stand_in_the_list_on_all_pages(open_page: OpenPage, clinic: Clinic) -> None:
    one, two = await open_page(f"{PORTAL}#/channel/care"), await open_page(PORTAL)
    await one.locator("#channel-more").click()
    await one.get_by_role("menuitem", name="Mute").click()
    for page in (one, two):
        await expect(page.locator(clinic.row("care"))).to_contain_text("Muted")
    await expect(one.locator("#subtitle")).to_contain_text("Muted")
    await one.locator("#channel-more").click()
    await one.get_by_role("menuitem", name="Unmute").click()
    for page in (one, two):
        await expect(page.locator(clinic.row("care"))).not_to_contain_text("Muted")
    await clinic.say("care", "demo-patient", "Hello")
    await expect(one.locator("#messages .text")).to_have_text("Hello")
    await expect(one.locator(clinic.row("care"))).not_to_contain_text("unread")
    await one.locator("#channel-more").click()
    await one.get_by_role("menuitem", name="Mark unread").click()
    for page in (one, two):
        await expect(page.locator(clinic.row("care"))).to_contain_text("marked unread")
    await one.locator(clinic.row("care")).click()
    for page in (one, two):
        await expect(page.locator(clinic.row("care"))).not_to_contain_text("unread")


async def test_staff_are_warned_where_nobody_would_be_told(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.words.sql(
        "update memberships set muted = true where channel_id = $1 and person_id = $2",
        *(clinic.channels["care"], clinic.people["demo-nurse"]),
    )
    page = await open_page(f"{PORTAL}#/channel/care")
    await expect(page.locator("#title")).to_have_text("Demo Patient")
    await expect(page.locator("#warning")).to_be_hidden()
    await page.locator("#channel-more").click()
    await page.get_by_role("menuitem", name="Mute").click()
    await expect(page.locator("#warning")).to_contain_text("Nobody in this channel would be told of a new message")
    await page.locator("#channel-more").click()
    await page.get_by_role("menuitem", name="Unmute").click()
    await expect(page.locator("#warning")).to_be_hidden()


async def test_the_organisation_says_when_people_are_told(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.colleague("demo-admin", "Demo Admin", "ADMIN")
    page = await open_page("/portal?as=demo-admin#/administration/notifications")
    await expect(page.locator("#notifications")).to_contain_text("5 minutes")
    await expect(page.locator("#notifications")).to_contain_text("24 hours")
    await page.locator("#notifications").get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Minutes until").fill("10")
    await dialog.get_by_label("Hours until").fill("48")
    await dialog.get_by_label("Emails name the organisation").select_option("yes")
    await dialog.get_by_role("button", name="Save").click()
    for words in ("10 minutes", "48 hours", "they say “Demo Clinic”"):
        await expect(page.locator("#notifications")).to_contain_text(words)


async def test_the_address_in_an_email_opens_the_settings(open_page: OpenPage) -> None:
    for path, title in ((f"{PATIENT}#/settings", "Settings"), (f"{PORTAL}#/settings", "My Profile")):
        page = await open_page(path)
        await expect(page.get_by_role("dialog").get_by_role("heading", level=2)).to_have_text(title)
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog")).to_have_count(0)  # closed a moment after it is hidden
        await page.evaluate("location.hash = '#/settings'")
        await expect(page.get_by_role("dialog").get_by_role("heading", level=2)).to_have_text(title)


async def test_a_clinic_whose_server_has_no_push_says_so(open_page: OpenPage, middle: Middle) -> None:
    page = await open_page(
        PATIENT,
        before="""
        const fetched = window.fetch;
        window.fetch = async (path, ...more) => {
            const answer = await fetched(path, ...more);
            return path === "/sign-in" ? new Response(JSON.stringify({...await answer.json(), push_key: null})) : answer;
        };""",
    )
    block = (await settings(page)).locator(".profile-block", has_text="This device")
    await expect(block).to_contain_text("This server sends no push notifications.")


async def test_what_stands_unattended_is_on_top_until_somebody_has_read_it(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.say("care", "demo-patient", "Is somebody there?")
    await clinic.words.sql(
        "insert into unattended values ($1, $2, $3, now() - interval '25 hours', 'noticed', now())",
        *(clinic.words.organization_id, clinic.channels["care"], await clinic.top("care")),
    )
    doctor, nurse = await open_page(PORTAL), await open_page("/portal?as=demo-nurse")
    for page in (doctor, nurse):
        await expect(page.locator("#channels h2")).to_have_text(["Unattended · 1 unread", "Staff"])
        await expect(page.locator("#section-unattended + ul a")).to_have_count(1)
    await doctor.locator(clinic.row("care")).click()
    await expect(doctor.locator("#channels h2")).to_have_text(["Care team", "Staff"])
    await expect(nurse.locator("#channels h2")).to_have_text(["Care team · 1 unread", "Staff"])
    patient = await open_page(PATIENT)
    await expect(patient.locator("body")).not_to_contain_text("Unattended")

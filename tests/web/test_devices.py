"""One's devices in the settings: this one turned on and off, others removed for good, and a browser that changes its address."""

import asyncio
import json
from contextlib import suppress

import pytest
from playwright.async_api import Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, until, write
from tests.web.device import Worker, registered_elsewhere, taking_pushes
from tests.web.test_notices import Open, device, devices, gateway, settings

__all__ = ["device", "gateway"]
PATIENT, PORTAL = "/?as=demo-patient", "/portal?as=demo-clinician"


async def test_a_device_is_turned_on_and_off_in_the_settings(device: Open, clinic: Clinic) -> None:
    page = await device(PORTAL)
    await page.context.grant_permissions(["notifications"])
    dialog = await settings(page, "My Profile")
    block = dialog.locator(".profile-block", has_text="This device")
    push = dialog.get_by_role("switch", name="Push")
    await push.click()
    await expect(push).not_to_be_checked()
    await block.get_by_role("button", name="Turn on for this device").click()
    await expect(block).to_contain_text("This device is told of new messages.")
    await expect(push).to_be_checked()
    await push.click()
    await expect(block).to_contain_text("switched off above")
    await block.get_by_role("button", name="Turn off on this device").click()
    await expect(block).to_contain_text("This device is not told of new messages.")
    assert [row["removed_why"] for row in await devices(clinic, "demo-clinician")] == ["person"]


@pytest.mark.parametrize(
    ("before", "words"),
    {
        "Object.defineProperty(Notification, 'permission', {get: () => 'denied'})": "are blocked in this browser",
        "delete window.PushManager": "This browser cannot show notifications.",
        "delete window.PushManager; Object.defineProperty(navigator, 'userAgent', {get: () => 'iPhone'})": "home screen",
    }.items(),
)
async def test_where_it_cannot_be_turned_on_the_settings_say_why_and_nothing_is_offered(
    open_page: OpenPage, before: str, words: str
) -> None:
    page = await open_page(PATIENT, before=before)
    await write(page, "Hello")
    await expect(page.locator('[data-state="sent"]')).to_have_count(1)
    await expect(page.locator("#offer")).to_be_hidden()
    block = (await settings(page)).locator(".profile-block", has_text="This device")
    await expect(block).to_contain_text(words)
    await expect(block.get_by_role("button")).to_be_hidden()


async def turn_on(page: Page, name: str = "Settings") -> None:
    """This browser takes pushes from now on."""
    await page.context.grant_permissions(["notifications"])
    dialog = await settings(page, name)
    await dialog.get_by_role("button", name="Turn on for this device").click()
    await expect(dialog).to_contain_text("This device is told of new messages.")


@pytest.mark.parametrize(
    ("path", "person", "menu"), [(PATIENT, "demo-patient", "Settings"), (PORTAL, "demo-clinician", "My Profile")]
)
async def test_other_devices_are_listed_and_removed_by_keyboard(
    device: Open, clinic: Clinic, path: str, person: str, menu: str
) -> None:
    page = await device(path)
    await turn_on(page, menu)
    dialog = page.get_by_role("dialog")
    block = dialog.locator(".profile-block", has_text="Other devices")
    await expect(block).to_be_hidden()
    await page.keyboard.press("Escape")
    await clinic.device(person, "push.example")
    await clinic.device(person, "updates.push.services.mozilla.com")
    await settings(page, menu)
    await expect(block.locator("li")).to_contain_text(["Firefox", "push.example"])
    await block.get_by_role("button", name="Remove: Firefox, Added ").focus()
    await page.keyboard.press("Enter")
    asked = page.get_by_role("dialog", name="Remove this device?")
    await page.keyboard.press("Escape")
    await expect(asked).to_have_count(0)
    await expect(block.get_by_role("button", name="Remove: Firefox")).to_be_focused()
    for left in (["push.example"], []):
        await page.keyboard.press("Enter")
        await asked.get_by_role("button", name="Remove").focus()
        await page.keyboard.press("Enter")
        await expect(block.locator("li")).to_contain_text(left)
        await expect(block.get_by_role("status")).to_have_text("Removed.")
        await expect(block.get_by_role("button") if left else block.get_by_role("heading")).to_be_focused()
    assert [row["removed_why"] for row in await devices(clinic, person)] == [None, "elsewhere", "elsewhere"]


async def test_a_device_that_was_removed_from_another_stays_so_until_somebody_turns_it_on_there(
    open_page: OpenPage, clinic: Clinic
) -> None:
    closed, there = [await open_page(PATIENT, before=taking_pushes(registered_elsewhere())) for _ in range(2)]
    for phone in (closed, there):
        await turn_on(phone)
        await phone.keyboard.press("Escape")
    page = await open_page(PATIENT)
    dialog = await settings(page)
    for left in (1, 0):
        await dialog.get_by_role("button", name="Remove: Chrome").first.click()
        await page.get_by_role("dialog").last.get_by_role("button", name="Remove").click()
        await expect(dialog.locator(".devices li")).to_have_count(left)
    await closed.reload()
    await closed.locator("body[data-view]").wait_for()
    for phone in (closed, there):
        await expect(await settings(phone)).to_contain_text("This device is not told of new messages.")
        await until(phone, "localStorage.getItem('test.push') === null")
    assert [row["removed_why"] for row in await devices(clinic, "demo-patient")] == ["elsewhere", "elsewhere"]
    await there.keyboard.press("Escape")
    await turn_on(there)
    assert [row["removed_why"] for row in await devices(clinic, "demo-patient")] == ["elsewhere", "elsewhere", None]


async def test_what_is_turned_off_in_one_tab_is_off_in_the_other(open_page: OpenPage) -> None:
    page = await open_page(PATIENT, before=taking_pushes(registered_elsewhere()))
    await turn_on(page)
    another = await page.context.new_page()
    await another.goto(page.url.partition("#")[0])
    await another.locator("body[data-view]").wait_for()
    await expect(await settings(another)).to_contain_text("This device is told of new messages.")
    await another.keyboard.press("Escape")
    await page.get_by_role("button", name="Turn off on this device").click()
    await expect(page.get_by_role("dialog")).to_contain_text("This device is not told of new messages.")
    await expect(await settings(another)).to_contain_text("This device is not told of new messages.")


@pytest.mark.parametrize("leaves", [False, True], ids=["looks at the settings", "signs out"])
async def test_whose_browser_somebody_else_has_taken_up_since_in_another_tab_leaves_it_to_them(
    open_page: OpenPage, clinic: Clinic, leaves: bool
) -> None:
    page = await open_page(PATIENT, before=taking_pushes(registered_elsewhere()))
    await turn_on(page)
    await page.keyboard.press("Escape")
    theirs = await page.context.new_page()
    await theirs.goto(page.url.partition("/?")[0] + PORTAL)
    await theirs.locator("body[data-view]").wait_for()
    await turn_on(theirs, "My Profile")
    if leaves:
        await page.locator("#account-button").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await expect(page.locator("#signin")).to_be_visible()
    else:
        await expect(await settings(page)).to_contain_text("This device is not told of new messages.")
    kept = "['test.push', 'warmline.device'].every((name) => localStorage.getItem(name) !== null)"
    assert await theirs.evaluate(kept)
    assert [row["removed_why"] for row in await devices(clinic, "demo-patient")] == ["moved"]
    assert [row["removed_why"] for row in await devices(clinic, "demo-clinician")] == [None]


_CHANGE = """async (gives) => {
    self.subscribed = [];
    PushManager.prototype.subscribe = async (options) => void self.subscribed.push(options.applicationServerKey);
    const given = { oldSubscription: { options: { userVisibleOnly: true, applicationServerKey: "the key" } } };
    if (gives) given.newSubscription = {};
    let work; // whoever made an event, waitUntil() takes that of the browser alone
    const event = Object.assign(new ExtendableEvent("pushsubscriptionchange"), given, { waitUntil: (done) => (work = done) });
    self.dispatchEvent(event);
    await work;
    return self.subscribed;
}"""


async def addresses(clinic: Clinic, *wanted: tuple[str, str | None]) -> None:
    """Wait until the patient's devices are these: endpoint, and why it was removed."""

    async def found() -> list[tuple[str, str | None]]:
        return [(row["endpoint"], row["removed_why"]) for row in await devices(clinic, "demo-patient")]

    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while await found() != list(wanted):
                await asyncio.sleep(0.02)
    assert await found() == list(wanted)


@pytest.mark.parametrize("gives", [False, True], ids=["the worker subscribes anew", "the browser has done so"])
async def test_a_browser_that_changes_its_subscription_is_the_same_device_at_its_new_address(
    open_page: OpenPage, clinic: Clinic, gives: bool
) -> None:
    """DevTools cannot raise the event: it is dispatched in the worker, to the listener that the browser calls."""
    before, after, later = (registered_elsewhere() for _ in range(3))
    page = await open_page(PATIENT, before=taking_pushes(before))
    address = page.url
    await turn_on(page)
    worker = await Worker.of(page)
    change = f"({_CHANGE})({json.dumps(gives)})"
    await page.evaluate(taking_pushes(after))
    assert await worker.run(change) == ([] if gives else ["the key"])
    await addresses(clinic, (before.endpoint, "moved"), (after.endpoint, None))
    # With no page to tell, the next one does it.
    await page.goto("about:blank")
    assert await worker.run(change) == ([] if gives else ["the key"])
    await page.context.add_init_script(taking_pushes(later))
    await page.goto(address)
    await addresses(clinic, (before.endpoint, "moved"), (after.endpoint, "moved"), (later.endpoint, None))

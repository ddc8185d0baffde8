"""The service worker and the pushes it is handed: what stands on the device, what it counts, where a click leads."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, until
from tests.web.device import Worker

PATIENT, PORTAL = "/?as=demo-patient", "/portal?as=demo-clinician"
# The smaller the count, the longer it takes to put it there: what is done side by side comes in the wrong order.
_WATCHED = """
self.counted = [];
self.navigator.setAppBadge = (count) => new Promise((done) => setTimeout(() => done(self.counted.push(count)), 100 / count));
self.navigator.clearAppBadge = async () => void self.counted.push(0);
self.opened = [];
self.clients.openWindow = async (path) => void self.opened.push(path);
null;
"""

Open = Callable[..., Awaitable[tuple[Page, Worker]]]


@pytest.fixture
async def device(open_page: OpenPage) -> Open:
    """A page whose browser shows notifications, and its worker."""

    async def device(path: str) -> tuple[Page, Worker]:
        page = await open_page(path, permissions=["notifications"])
        worker = await Worker.of(page)
        await worker.run(_WATCHED)
        return page, worker

    return device


async def test_one_notification_stands_for_a_channel_until_it_is_read(device: Open) -> None:
    _, worker = await device(PATIENT)
    await worker.push({"type": "message", "channel": "ch_one", "badge": 1})
    [shown] = await worker.standing(1)
    assert shown["title"] == "You have a new message"
    assert shown["body"] == "Open your messages to read it."
    await worker.push({"type": "message", "channel": "ch_one", "badge": 2})
    await worker.push({"type": "message", "channel": "ch_two", "badge": 3})
    assert {one["tag"] for one in await worker.standing(2)} == {"ch_one", "ch_two"}
    await worker.push({"type": "read", "channel": "ch_one", "badge": 1})
    [left] = await worker.standing(1)
    assert left["tag"] == "ch_two"
    await worker.push({"type": "read", "channel": "ch_two", "badge": 0})
    await worker.standing(0)
    assert await worker.counted(5) == [1, 2, 3, 1, 0]


@pytest.mark.parametrize("payload", ["", "no json", "null", '{"type": "message"}'])
async def test_a_push_that_cannot_be_read_still_says_that_there_is_something(device: Open, payload: str) -> None:
    _, worker = await device(PATIENT)
    await worker.push(payload)
    [shown] = await worker.standing(1)
    assert shown["title"] == "You have a new message"


async def test_a_click_leads_to_the_channel_in_the_page_that_is_open_or_in_a_new_one(
    device: Open, clinic: Clinic
) -> None:
    page, worker = await device(PORTAL)
    await worker.run(
        """caches.open("warmline-device").then((cache) => cache.put("/device/kind", new Response("team_member")))"""
    )
    await worker.push({"type": "message", "channel": clinic.channels["review"], "badge": 1})
    [shown] = await worker.standing(1)
    assert shown["body"] == "Open the message centre to read it."
    click = "self.registration.getNotifications().then(([one]) => clicked(one)).catch(() => {})"
    await worker.run(click)
    await until(page, f"location.hash === '#/channel/{clinic.channels['review']}'")
    await expect(page.locator("#title")).to_have_text("Medication review")
    await worker.standing(0)
    await worker.run(
        """caches.open("warmline-device").then((cache) => cache.put("/device/kind", new Response("patient")))"""
    )
    await worker.push({"type": "message", "channel": clinic.channels["care"], "badge": 1})
    await worker.standing(1)
    await worker.run(click)
    assert await worker.run("self.opened") == [f"/#/channel/{clinic.channels['care']}"], "no patient's page is open"

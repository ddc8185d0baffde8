"""The whole way, but for the browser's vendor: a message is written, planned and pushed by a real worker, decrypted
at a real endpoint, handed to the browser's service worker, and stands on the device until it is read elsewhere.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from server.notices import vapid
from tests.support.push_endpoint import PushEndpoint, Registration, certify, serving
from tests.support.site import Gateway, Site
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage
from tests.web.device import Json, Worker, taking_pushes

PATIENT = "/?as=demo-patient"
HIDE = """
    Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'});
    document.dispatchEvent(new Event('visibilitychange'));
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certify(tmp_path_factory.mktemp("provider"))


@pytest.fixture(scope="module")
async def endpoint(certificate: tuple[Path, Path]) -> AsyncIterator[PushEndpoint]:
    """A provider, to which the processes here may push."""
    async with serving(certificate) as made:
        yield made


@pytest.fixture(scope="module")
def pushing(
    endpoint: PushEndpoint, certificate: tuple[Path, Path], port: int, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Their settings."""
    key = tmp_path_factory.mktemp("vapid") / "key"
    vapid.make(key)
    return {
        "SSL_CERT_FILE": str(certificate[0]),
        "WARMLINE_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
        "WARMLINE_VAPID_KEY_FILE": str(key),
        "WARMLINE_VAPID_SUBJECT": "mailto:operator@clinic.invalid",
        "WARMLINE_PUSH_LOCAL": endpoint.origin,
    }


@pytest.fixture(scope="module")
async def gateway(site: Site, pushing: dict[str, str]) -> Gateway:
    """One that has a key for pushes, and takes this provider's endpoints."""
    return await site.gateway(**pushing)


@pytest.fixture(scope="module")
async def worker(site: Site, pushing: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """A worker process, which plans and pushes."""
    path = tmp_path_factory.mktemp("worker") / "log"
    environment = os.environ | site.environment | pushing
    with path.open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "workers"], env=environment, stdout=log, stderr=log)
    yield
    process.terminate()
    assert await asyncio.to_thread(process.wait, 30) == 0, path.read_text()[-2000:]


async def arrived(endpoint: PushEndpoint, registration: Registration, count: int) -> Json:
    """The newest of so many pushes, decrypted."""
    async with asyncio.timeout(20):
        while len(found := endpoint.at(registration)) < count:
            await asyncio.sleep(0.02)
    assert len(found) == count
    return found[-1].payload


@pytest.mark.usefixtures("worker")
async def test_from_what_is_written_to_what_stands_on_the_device(
    open_page: OpenPage, clinic: Clinic, endpoint: PushEndpoint
) -> None:
    registration = endpoint.register()
    page = await open_page(f"{PATIENT}#/settings", before=taking_pushes(registration), permissions=["notifications"])
    await page.get_by_role("button", name="Turn on for this device").click()
    await expect(page.get_by_role("dialog")).to_contain_text("This device is told of new messages.")
    await page.keyboard.press("Escape")
    browser = await Worker.of(page)
    await page.evaluate(HIDE)
    await clinic.say("care", "demo-clinician", "Take two of them")
    told = await arrived(endpoint, registration, 1)
    assert told == {"type": "message", "channel": clinic.channels["care"], "badge": 1}
    await browser.push(told)
    [shown] = await browser.standing(1)
    assert (shown["title"], shown["tag"]) == ("You have a new message", clinic.channels["care"])
    await clinic.say("care", "demo-nurse", "In the evening")
    told = await arrived(endpoint, registration, 2)
    assert told["badge"] == 2
    await browser.push(told)
    await browser.standing(1)
    elsewhere = await open_page(PATIENT)
    await expect(elsewhere.locator("#messages .text")).to_have_count(2)
    # Read on another page: the device is told, and takes its notification away.
    told = await arrived(endpoint, registration, 3)
    assert told == {"type": "read", "channel": clinic.channels["care"], "badge": 0}
    await browser.push(told)
    await browser.standing(0)
    nurse = await open_page("/portal?as=demo-nurse#/channel/care")
    await nurse.locator("li.message", has_text="Take two").hover()
    await nurse.locator("li.message", has_text="Take two").locator(".message-more").click()
    await nurse.get_by_role("button", name="Who was told, and why").click()
    told_of = nurse.get_by_role("dialog").locator(".why > li")
    await expect(told_of.filter(has_text="Demo Patient (Sunny)")).to_contain_text("PushIt was sent.")
    await expect(told_of.filter(has_text="Demo Clinician")).to_contain_text("It was their own message.")
    await expect(told_of.filter(has_text="Demo Nurse")).to_contain_text("None of their devices takes pushes")
    await nurse.get_by_role("button", name="Close").last.click()
    await expect(nurse.get_by_role("dialog")).to_have_count(0)

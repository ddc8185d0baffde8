"""A browser, a clinic in memory, and pages of it. Every page must stay free of script errors and policy violations."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.web.clinic import Clinic
from tests.web.standin import Standin, serving

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# What a page says when a value is missing that should not be.
SLIPS = re.compile(r"\b(?:null|undefined|NaN)\b|\[object")

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: the pages were not opened")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program)
        yield browser
        await browser.close()


@pytest.fixture
def clinic() -> Clinic:
    """One patient with a care team of two, a colleague outside it, and a staff channel about the patient."""
    clinic = Clinic()
    may = ["patient.create", "messaging.manage"]
    doctor = clinic.person("demo-clinician", "team_member", "Demo Clinician", role="DOCTOR", permissions=may)
    nurse = clinic.person("demo-nurse", "team_member", "Demo Nurse", role="NURSE")
    clinic.person("demo-receptionist", "team_member", "Demo Receptionist", role="RECEPTIONIST")
    patient = clinic.person("demo-patient", "patient", "Demo Patient", display_name="Sunny")
    clinic.channel("care", "care_team", patient, doctor, nurse)
    clinic.channel("review", "staff", doctor, nurse, name="Medication review", patient=patient)
    return clinic


@pytest.fixture
async def standin(clinic: Clinic) -> AsyncIterator[Standin]:
    async with serving(Standin(clinic)) as standin:
        yield standin


@pytest.fixture
async def open_page(browser: Browser, standin: Standin) -> AsyncIterator[OpenPage]:
    """open_page(path, **context options) → a page that knows its channels; each in a context of its own."""
    contexts, errors = [], []

    async def open_page(path: str, *, ready: bool = True, **options: Any) -> Page:
        context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and not expected(said.text) and errors.append(said.text))
        await page.goto(standin.url + path)
        if ready:
            await page.locator("body[data-view]").wait_for()
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            errors += SLIPS.findall(await page.locator("body").inner_text())
        await context.close()
    assert errors == []


def expected(text: str) -> bool:
    """A refused handshake, or a status that the test asked for, is logged by the browser itself."""
    return "WebSocket connection to" in text or "Failed to load resource" in text


async def texts(page: Page) -> list[str]:
    """What the messages on the page say, in order."""
    return await page.locator("#messages .text").all_inner_texts()


async def stats(page: Page) -> dict[str, int]:
    return await page.evaluate("window.warmline.stats")


async def write(page: Page, text: str) -> None:
    await page.locator("#text").fill(text)
    await page.locator("#text").press("Enter")


async def until(page: Page, expression: str) -> None:
    """Waits until a JavaScript expression is true. (wait_for_function would need eval, which the policy refuses.)"""
    async with asyncio.timeout(10):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.03)

"""The product with a browser in front: one gateway for all tests here, a clinic of its own for each, and pages of it.

The pages reach the gateway through tests/support/middle.py, which lets a test break things on the way. Every page must stay free
of script errors and policy violations.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Browser, Page

from server.bus import Bus
from server.chat.batcher import Batcher
from server.db import Database
from server.dev.embedded import free_port
from tests.support import browser as chromium
from tests.support.browser import write as write
from tests.support.cast import MASTER
from tests.support.cluster import Databases
from tests.support.middle import Middle
from tests.support.middle import middle as in_the_middle
from tests.support.site import Gateway, Site
from tests.web.clinic import Clinic

# What a page says when a value is missing that should not be.
SLIPS = re.compile(r"\b(?:null|undefined|NaN)\b|\[object")

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = chromium.program()
    if program is None:
        pytest.skip(chromium.MISSING)
    async with chromium.running(program) as browser:
        yield browser


@pytest.fixture(scope="session")
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """The database of all the tests here."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture(scope="session")
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def bus(redis_url: str) -> AsyncIterator[Bus]:
    """The test process rings the doorbell itself, as every process of the product does."""
    made = Bus(redis_url)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(scope="session")
async def database(database_url: str, bus: Bus) -> AsyncIterator[Database]:
    made = Database(database_url, MASTER, bus.publish)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(scope="session")
async def batcher(database: Database, bus: Bus) -> AsyncIterator[Batcher]:
    made = Batcher(database, bus.publish)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"), database_url, redis_url, bytes(range(32)))
    yield made
    await made.close()


@pytest.fixture(scope="session")
def port() -> int:
    """Where the pages look for their server."""
    return free_port()


@pytest.fixture(scope="session")
async def gateway(site: Site, port: int) -> Gateway:
    """The gateway; it takes connections from the pages' address."""
    return await site.gateway(WARMLINE_ALLOWED_ORIGINS=f"http://127.0.0.1:{port}")


@pytest.fixture
async def clinic(database: Database, batcher: Batcher, owner: asyncpg.Connection) -> AsyncIterator[Clinic]:
    """One patient with a care team of two, a colleague outside it, and a staff channel about the patient."""
    clinic = await Clinic.found(database, batcher, owner)
    await clinic.colleague("demo-nurse", "Demo Nurse", "NURSE")
    await clinic.colleague("demo-receptionist", "Demo Receptionist", "RECEPTIONIST")
    await clinic.patient("demo-patient", "Demo Patient", "Sunny")
    await clinic.care_team("care", "demo-patient", "demo-clinician", "demo-nurse")
    await clinic.channel(
        "review", "staff", "demo-clinician", "demo-nurse", patient="demo-patient", title="Medication review"
    )
    yield clinic
    await clinic.forget()


@pytest.fixture
async def middle(gateway: Gateway, port: int) -> AsyncIterator[Middle]:
    async with in_the_middle(gateway, port) as middle:
        yield middle


@pytest.fixture
async def pages(browser: Browser) -> AsyncIterator[chromium.Pages]:
    """Pages of any address; at the end none of them may have had an error, or say what it should not."""
    pages = chromium.Pages(browser)
    yield pages
    slips = [slip for page in pages.all for slip in SLIPS.findall(await page.locator("body").inner_text())]
    await pages.close()
    assert pages.errors == []
    assert slips == []


@pytest.fixture
async def open_page(clinic: Clinic, middle: Middle, pages: chromium.Pages, port: int) -> OpenPage:
    """open_page(path, **context options) → a page that knows its channels; each in a context of its own.

    In `#/channel/…` the path names a channel as the test does.
    """

    async def open_page(path: str, *, ready: bool = True, **options: Any) -> Page:
        base, _, name = path.partition("#/channel/")
        path = f"{base}#/channel/{clinic.channels[name]}" if name else path
        page = await pages.open(f"http://127.0.0.1:{port}{path}", **options)
        page.set_default_timeout(10_000)
        if ready:
            await page.locator("body[data-view]").wait_for()
        return page

    return open_page


async def texts(page: Page) -> list[str]:
    """What the messages on the page say, in order."""
    return await page.locator("#messages .text").all_inner_texts()


async def stats(page: Page) -> dict[str, int]:
    return await page.evaluate("window.warmline.stats")


async def until(page: Page, expression: str) -> None:
    """Waits until a JavaScript expression is true. (wait_for_function would need eval, which the policy refuses.)"""
    await chromium.until(page, expression, within=10)

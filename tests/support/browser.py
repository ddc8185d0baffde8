"""Real pages in a real browser, which must stay free of script errors and policy violations whatever happens around them."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium on this machine: the pages were not opened"
# What the browser itself complains of when a server is away; the last is a look for a newer service worker.
AWAY = (
    "WebSocket connection to",
    "Failed to load resource",
    "An unknown error occurred when fetching the script.",
)


def program() -> str | None:
    """The Chromium of this machine, if it has one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@asynccontextmanager
async def running(executable: str) -> AsyncIterator[Browser]:
    """A browser, for as long as the block lasts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable)
        yield browser
        await browser.close()


class Pages:
    """Pages, each in a context of its own, and what went wrong on any of them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.all: list[Page] = []
        self.errors: list[str] = []

    async def open(self, url: str, *, before: str | None = None, **options: Any) -> Page:
        """Open a page; `before` is a script that runs ahead of its own; `options` are those of a playwright context."""
        context = await self._browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        if before is not None:
            await context.add_init_script(before)
        page = await context.new_page()
        self.all.append(page)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self._said(said.type, said.text))
        await page.goto(url)
        return page

    async def close(self) -> None:
        """Close them all."""
        for page in self.all:
            await page.context.close()

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and not any(complaint in text for complaint in AWAY):
            self.errors.append(text)


async def write(page: Page, text: str) -> None:
    """Write a message and send it with Enter."""
    field = page.locator("#text")
    await field.fill(text)
    await field.press("Enter")


async def until(page: Page, expression: str, within: float = 60) -> None:
    """Wait until something is true on the page. (playwright's own way needs eval, which our policy forbids.)"""
    async with asyncio.timeout(within):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.02)


_DRAWN = """() => [...document.querySelectorAll("#messages [data-message-id]")]
    .map((row) => [row.dataset.messageId, Number(row.dataset.offset), row.querySelector(".text").textContent])"""
_SCROLL = """async (to) => {
    const scroller = document.getElementById("scroller");
    const before = scroller.scrollTop;
    scroller.scrollTop = to === null ? before + scroller.clientHeight : to;
    await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
    return scroller.scrollTop !== before || to !== null;
}"""


async def shown(page: Page) -> list[tuple[str, int, str]]:
    """The messages that the page has, from top to bottom: id, offset, words. Scrolls through them, as few are drawn."""
    found: dict[str, tuple[str, int, str]] = {}
    await page.evaluate(_SCROLL, 0)
    more = True
    while more:
        for id, offset, text in await page.evaluate(_DRAWN):
            found.pop(id, None)
            found[str(id)] = (str(id), int(offset), str(text))
        more = await page.evaluate(_SCROLL, None)
    return list(found.values())


async def stats(page: Page) -> dict[str, int]:
    """What the page counted: recoveries, recoveredPublications, gaps, duplicates, reconnects."""
    return dict(await page.evaluate("window.warmline.stats"))

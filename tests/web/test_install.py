"""The pages can be installed, and opened offline they say so instead of showing the browser's error."""

import json
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops
from playwright.async_api import expect

from tests.support.site import Gateway
from tests.web.conftest import OpenPage, until
from tests.web.icons import FOLDER, ICONS, icon


@pytest.mark.parametrize("path", ["/?as=demo-patient", "/portal?as=demo-clinician"])
async def test_the_browser_finds_nothing_that_is_missing(open_page: OpenPage, path: str) -> None:
    """Chromium's own judgement: the manifest parses without an error, and the page may be installed."""
    page = await open_page(path)
    cdp = await page.context.new_cdp_session(page)
    manifest: dict[str, Any] = await cdp.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert json.loads(manifest["data"])["start_url"] == path.partition("?")[0]
    flaws = (await cdp.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [flaw for flaw in flaws if flaw["errorId"] != "in-incognito"] == []  # which every context of a test is


@pytest.mark.parametrize("name", ICONS)
def test_the_icons_are_what_the_script_draws(name: str) -> None:
    drawn, kept = icon(*ICONS[name]), Image.open(FOLDER / f"{name}.png")
    assert kept.size == drawn.size
    differences = ImageChops.difference(drawn, kept.convert("RGBA")).getextrema()
    assert max(high for _, high in differences) <= 8, "run python -m tests.web.icons"


async def test_the_icons_of_the_manifest_are_there(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        for name in ("patient", "portal"):
            answer = await http.get(f"/static/{name}.webmanifest")
            assert answer.headers["content-type"].startswith("application/manifest+json")
            for drawn in answer.json()["icons"]:
                found = await http.get(drawn["src"])
                assert found.headers["content-type"].startswith(drawn["type"])


async def test_offline_it_says_so_and_comes_back(open_page: OpenPage) -> None:
    page = await open_page("/?as=demo-patient")
    await until(page, "navigator.serviceWorker.controller !== null")
    await page.context.set_offline(True)
    await page.reload()
    await expect(page.locator("h1")).to_have_text("You are offline")
    assert await page.locator("main").evaluate("(main) => getComputedStyle(main).textAlign") == "center", "it is styled"
    await page.context.set_offline(False)
    await page.get_by_role("link", name="Try again").click()
    await expect(page.locator("#title")).to_have_text("Your care team")


async def test_the_worker_keeps_nothing_that_anybody_wrote(open_page: OpenPage) -> None:
    page = await open_page("/?as=demo-patient")
    await until(page, "navigator.serviceWorker.controller !== null")
    kept = await page.evaluate("""async () => {
        const found = [];
        for (const name of await caches.keys())
            for (const { url } of await (await caches.open(name)).keys()) found.push(new URL(url).pathname);
        return found.sort();
    }""")
    assert kept == [
        "/static/away.html",
        *(f"/static/{part}" for part in ("base.css", "icon.svg", "palette.css", "parts.css")),
    ]

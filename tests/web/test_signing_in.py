"""Signing in with a real provider, in a real browser: both pages, silent refresh, sign-out in all windows, what goes wrong."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from server.ids import PersonId
from server.people import identities
from tests.support.browser import Pages
from tests.support.provider import Provider, providing
from tests.support.site import Gateway, Site
from tests.web.clinic import Clinic
from tests.web.conftest import stats, until

TOKEN = re.compile(r"eyJ[\w-]+\.")
PEOPLE = ("demo-patient", "demo-clinician", "demo-nurse")


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with providing() as made:
        yield made


@pytest.fixture(scope="module")
async def gateway(site: Site, provider: Provider) -> AsyncIterator[Gateway]:
    """A gateway that trusts the provider; its pages are its own."""
    made = await site.gateway(**provider.environment())
    provider.redirects = {f"{made.url}/", f"{made.url}/portal"}
    yield made
    log = made.log.read_text()
    assert TOKEN.search(log) is None, "no token in the log"
    assert "code=" not in log


@pytest.fixture(autouse=True)
async def known(clinic: Clinic, provider: Provider) -> AsyncIterator[None]:
    """The provider knows the people of the clinic, and one whom the clinic does not know."""
    provider.people = {key: {} for key in (*PEOPLE, "stranger")}
    async with clinic.words.database.transaction() as tx:
        for key in PEOPLE:
            person = PersonId(clinic.people[key])
            await identities.link(tx, clinic.words.organization_id, person, provider.issuer, key)
    yield
    async with clinic.words.database.transaction() as tx:
        for key in PEOPLE:
            person = PersonId(clinic.people[key])
            await identities.unlink(tx, clinic.words.organization_id, person, provider.issuer, key)
    provider.seconds, provider.away, provider.gives_refresh_tokens = 300, False, True
    provider.fetched.clear()


async def sign_in(page: Page, who: str) -> None:
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name=who, exact=True).click()


async def sign_out(page: Page) -> None:
    await page.locator("#account-button").click()
    await page.locator("#signout").click()


def watched(page: Page) -> list[str]:
    """The addresses that a page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


@pytest.mark.parametrize(
    ("path", "who", "name"), [("/", "demo-patient", "Demo Patient"), ("/portal", "demo-nurse", "Demo Nurse")]
)
async def test_both_pages_sign_in_and_nothing_of_it_stays_in_addresses_or_storage(
    pages: Pages, gateway: Gateway, path: str, who: str, name: str
) -> None:
    page = await pages.open(gateway.url + path)
    asked = watched(page)
    await sign_in(page, who)
    await expect(page.locator("#whoami")).to_have_text(name)
    assert "code=" not in page.url
    assert "state=" not in page.url
    assert [url for url in asked if TOKEN.search(url) or ("code=" in url and gateway.url in url.split("#")[0])] == []
    kept = await page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])")
    assert TOKEN.search(kept) is None
    assert await page.evaluate("Object.keys(sessionStorage)") == ["warmline.signed-in"]


async def test_a_link_to_a_channel_leads_there_through_the_sign_in_and_a_reload_stays(
    pages: Pages, gateway: Gateway, clinic: Clinic
) -> None:
    place = f"#/channel/{clinic.channels['care']}"
    page = await pages.open(f"{gateway.url}/portal{place}")
    await sign_in(page, "demo-clinician")
    await expect(page.locator("#title")).to_contain_text("Demo Patient")
    assert page.url == f"{gateway.url}/portal{place}"
    await page.reload()
    await expect(page.locator("#title")).to_contain_text("Demo Patient")
    assert page.url == f"{gateway.url}/portal{place}"


async def test_the_end_of_a_token_is_nothing_that_one_sees(pages: Pages, gateway: Gateway, provider: Provider) -> None:
    provider.seconds = 3
    page = await pages.open(f"{gateway.url}/")
    await sign_in(page, "demo-patient")
    await expect(page.locator("#whoami")).to_have_text("Demo Patient")
    async with asyncio.timeout(20):
        while provider.fetched["/token"] < 3:  # the code, and two refreshes
            await asyncio.sleep(0.05)
    await expect(page.locator("#connection")).to_be_hidden()
    assert (await stats(page))["reconnects"] == 0, "the same connection all the time"
    assert provider.fetched["/authorize"] == 2, "and nobody was asked anything: one page, one click"


async def test_without_a_new_token_the_sign_in_ends_in_words_and_a_button(
    pages: Pages, gateway: Gateway, provider: Provider
) -> None:
    provider.seconds, provider.gives_refresh_tokens = 2, False
    page = await pages.open(f"{gateway.url}/")
    await sign_in(page, "demo-patient")
    await expect(page.locator("#signin-words")).to_have_text("Your sign-in has ended. Sign in again.")
    await expect(page.locator("#app")).to_be_hidden()
    provider.seconds = 300
    await page.get_by_role("button", name="Sign in again").click()
    await expect(page.locator("#whoami")).to_have_text("Demo Patient")


@pytest.mark.catalogue("S06")
async def test_signing_out_in_one_window_signs_out_of_all_and_of_the_provider(
    pages: Pages, gateway: Gateway, provider: Provider, clinic: Clinic
) -> None:
    one = await pages.open(f"{gateway.url}/portal#/channel/{clinic.channels['care']}")
    await sign_in(one, "demo-nurse")
    await expect(one.locator("#whoami")).to_have_text("Demo Nurse")
    two = await one.context.new_page()
    await two.goto(f"{gateway.url}/portal")
    await two.get_by_role("button", name="Sign in").click()
    await expect(two.locator("#whoami")).to_have_text("Demo Nurse")

    await sign_out(one)
    await expect(two.locator("#signin-words")).to_have_text("You have been signed out.")
    await expect(two.locator("#app")).to_be_hidden()
    await expect(one.locator("#signin-words")).to_have_text("You are signed out.")
    assert provider.fetched["/end_session"] == 1
    await one.reload()
    await expect(one.get_by_role("button", name="Sign in")).to_be_visible()

    await two.get_by_role("button", name="Sign in again").click()
    assert provider.asked[-1]["prompt"] == "login", "what began before is over: one proves anew who one is"
    await two.get_by_role("link", name="demo-nurse", exact=True).click()
    await expect(two.locator("#whoami")).to_have_text("Demo Nurse")


async def test_who_is_unknown_here_is_told_so_and_may_try_as_somebody_else(pages: Pages, gateway: Gateway) -> None:
    page = await pages.open(f"{gateway.url}/")
    await sign_in(page, "stranger")
    await expect(page.locator("#signin-words")).to_contain_text("You could not be signed in here.")
    await page.get_by_role("button", name="Sign in again").click()
    await page.get_by_role("link", name="demo-patient", exact=True).click()
    await expect(page.locator("#whoami")).to_have_text("Demo Patient")


async def test_what_goes_wrong_on_the_way_is_said_in_words(pages: Pages, gateway: Gateway, provider: Provider) -> None:
    page = await pages.open(f"{gateway.url}/")
    words = page.locator("#signin-words")
    await sign_in(page, "nobody")
    await expect(words).to_have_text("Sign-in was cancelled.")

    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Sign in").wait_for()
    await page.goto(f"{gateway.url}/#code=stolen&state=of-somebody-else")
    await expect(words).to_contain_text("begun somewhere else")
    assert page.url == f"{gateway.url}/#/", "and the address is clean"

    await page.goto(f"{gateway.url}/?code=stolen&state=of-somebody-else")
    await expect(words).to_contain_text("begun somewhere else")
    assert "code" not in page.url
    assert provider.fetched.get("/token", 0) == 0, "no code of a stranger is ever redeemed"

    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Sign in").wait_for()
    link = page.get_by_role("link", name="demo-patient", exact=True)
    provider.gives_away = True
    await link.click()
    await expect(words).to_have_text("The sign-in service cannot be reached just now.")
    provider.gives_away = False
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#whoami")).to_have_text("Demo Patient")


async def test_the_pages_connect_to_the_provider_and_to_nobody_else(
    pages: Pages, gateway: Gateway, provider: Provider
) -> None:
    page = await pages.open(f"{gateway.url}/")
    await page.get_by_role("button", name="Sign in").wait_for()
    answer = await page.request.get(f"{gateway.url}/portal")
    policy = answer.headers["content-security-policy"]
    assert f"connect-src 'self' {provider.issuer};" in policy
    assert "unsafe" not in policy
    blocked = "fetch('http://127.0.0.1:1/').then(() => 'fetched', (error) => error.name)"
    found: list[str] = []
    await page.evaluate("document.addEventListener('securitypolicyviolation', e => window.blocked = e.blockedURI)")
    found.append(await page.evaluate(blocked))
    await until(page, "window.blocked")
    assert found == ["TypeError"]
    pages.errors.clear()  # the browser told us about what we tried


async def test_what_was_typed_can_be_taken_along_when_the_sign_in_runs_out(
    pages: Pages, gateway: Gateway, provider: Provider, clinic: Clinic
) -> None:
    provider.seconds, provider.gives_refresh_tokens = 14, False
    here = f"{gateway.url}/#/channel/{clinic.channels['care']}"
    page = await pages.open(here, permissions=["clipboard-read", "clipboard-write"])
    await sign_in(page, "demo-patient")
    await expect(page.locator("#text")).to_be_visible()
    await page.locator("#text").fill("half a thought")
    await expect(page.locator("#signin-words")).to_have_text(
        "Your sign-in has ended. Sign in again. What you had not sent is lost when this page is left.", timeout=30_000
    )
    await expect(page.locator("body")).not_to_contain_text("half a thought", use_inner_text=True)
    await page.get_by_role("button", name="Copy what you had not sent").click()
    await expect(page.locator("#signin-words")).to_contain_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == "half a thought"
    page.on("dialog", lambda dialog: dialog.accept())
    provider.seconds = 300
    await page.get_by_role("button", name="Sign in again").click()
    await expect(page.locator("#whoami")).to_have_text("Demo Patient")

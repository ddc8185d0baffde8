"""What every page must be, in both colour schemes and from narrow to wide: readable, named, inside its window, without motion."""

import pytest
from playwright.async_api import expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage

PLACES = [
    "/",
    "/?as=demo-patient",
    "/portal?as=demo-clinician",
    "/portal?as=demo-clinician#/channel/care",
    "/portal?as=demo-clinician#/channel/review",
    "/portal?as=demo-clinician#/patients",
    "/portal?as=demo-clinician#/groups",
    "/portal?as=demo-clinician#/guests",
    "/portal?as=demo-clinician#/encounters",
]

# Text below 4.5:1 (3:1 when large) against the nearest painted background, as WCAG 2.2 AA has it.
FAINT = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgb = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgb(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return rgb("white");
    };
    const words = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.body.querySelectorAll("*")].filter((element) => words(element) && element.checkVisibility())
        .map((element) => {
            const style = getComputedStyle(element);
            const [a, b] = [light(rgb(style.color)), light(behind(element))].sort((x, y) => y - x);
            const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
            return [(a + 0.05) / (b + 0.05), large ? 3 : 4.5, element.textContent.slice(0, 40)];
        }).filter(([ratio, least]) => ratio < least);
}"""

# What can be used has a name and room for a finger (44 px); ids are single; one main, one h1; nothing moves.
FLAWS = """() => {
    const flaws = [];
    const name = (e) => e.getAttribute("aria-label") || e.textContent.trim() || (e.labels?.length && e.labels[0].textContent);
    for (const e of document.querySelectorAll("a, button, input, textarea, select, [tabindex='0']")) {
        if (!e.checkVisibility() || e.matches(".skip")) continue;
        const { width, height } = e.getBoundingClientRect();
        if (!name(e)) flaws.push(`no name: ${e.outerHTML.slice(0, 80)}`);
        const inText = getComputedStyle(e).display === "inline";
        if (Math.min(width, height) < 44 && !inText) flaws.push(`small: ${e.outerHTML.slice(0, 80)}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    if (new Set(ids).size !== ids.length) flaws.push("an id stands twice");
    for (const tag of ["h1", "main"]) {
        const there = [...document.querySelectorAll(tag)].filter((element) => element.checkVisibility()).length;
        if (there !== 1) flaws.push(`${there} of ${tag}`);
    }
    if (document.getAnimations().length) flaws.push("something moves");
    return flaws;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("place", PLACES)
async def test_every_place(open_page: OpenPage, clinic: Clinic, place: str, width: int, scheme: str) -> None:
    await clinic.show_as("demo-patient", "Longlonglonglonglonglonglonglonglonglonglonglonglonglong name")
    await clinic.say("care", "demo-patient", "A" * 300 + " https://example.org/" + "b" * 300)
    await clinic.say("care", "demo-clinician", "Good morning 🌼\n\nשלום")
    page = await open_page(place, ready="as=" in place, viewport={"width": width, "height": 700}, color_scheme=scheme)
    if "#/channel" in place or place == "/?as=demo-patient":
        await expect(page.locator("#messages li").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    assert await page.locator("#scroller").evaluate("(log) => log.scrollWidth <= log.clientWidth")
    assert await page.evaluate(FAINT) == []
    assert await page.evaluate(FLAWS) == []

"""Writing: pending, sent, not delivered; and that nothing typed is ever lost, doubled or taken for markup."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.support.middle import Middle
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, texts, until, write

CARE = "/portal?as=demo-clinician#/channel/care"
NO_LONGER = "You can no longer write here. Your message was not delivered."
TOO_MUCH = "Too many commands at once. Try again in a moment."


def sent_ids(middle: Middle) -> list[str]:
    """The client_id of every message.send that came in, in order."""
    return [send["client_id"] for send in middle.calls("message.send")]


async def test_a_message_is_pending_then_sent_and_stays_one_element(
    open_page: OpenPage, middle: Middle, clinic: Clinic
) -> None:
    middle.faults.hold.add("message.send")
    page = await open_page("/?as=demo-patient")
    await write(page, "Good morning")
    pending = page.locator('[data-state="pending"]')
    await expect(pending).to_contain_text("Sending…")
    await expect(page.locator("#text")).to_have_value("")
    await expect(page.locator("#text")).to_be_focused()
    handle = await pending.element_handle()
    middle.release("message.send")
    await expect(page.locator('[data-state="sent"]')).to_contain_text("Good morning")
    assert handle is not None
    assert await handle.get_attribute("data-state") == "sent", "the same element, so that nothing jumps"
    [written] = await clinic.messages("care")
    assert await handle.get_attribute("data-message-id") == written["id"]
    assert await handle.get_attribute("data-offset") == str(written["offset"]) == "2"


async def test_both_sides_see_what_is_written(open_page: OpenPage) -> None:
    patient, clinician = await open_page("/?as=demo-patient"), await open_page(CARE)
    await write(patient, "Hello")
    await expect(clinician.locator("#messages .author")).to_contain_text("Demo Patient (Sunny) · Patient")
    await write(clinician, "Hello, how are you?")
    await expect(patient.locator("#messages .author")).to_have_text("Demo Clinician: ")
    assert await texts(patient) == await texts(clinician) == ["Hello", "Hello, how are you?"]


async def test_an_event_that_overtakes_the_answer_is_not_shown_twice(open_page: OpenPage, middle: Middle) -> None:
    middle.faults.late.add("message.send")
    page = await open_page("/?as=demo-patient")
    await write(page, "ok")
    await write(page, "ok")
    await expect(page.locator("[data-message-id]")).to_have_count(1)
    assert await texts(page) == ["ok", "ok"]
    middle.release("message.send")
    await expect(page.locator("[data-message-id]")).to_have_count(2)
    await expect(page.locator('[data-state="pending"]')).to_have_count(0)
    assert await texts(page) == ["ok", "ok"]


async def test_a_lost_answer_makes_no_second_message(open_page: OpenPage, middle: Middle, clinic: Clinic) -> None:
    page = await open_page("/?as=demo-patient")
    await expect(page.locator("#messages li.system")).to_have_count(1)
    middle.faults.lose.add("message.send")
    await write(page, "Did you get this?")
    await asyncio.sleep(0.1)
    middle.faults.lose.clear()
    await expect(page.locator('[data-state="sent"]')).to_have_count(1)
    await until(page, "window.warmline.stats.reconnects === 1")
    await asyncio.sleep(0.3)
    assert await texts(page) == ["Did you get this?"]
    assert len(set(sent_ids(middle))) == 1
    assert len(await clinic.messages("care")) == 1


async def test_what_is_written_while_away_is_kept_and_sent_in_order(open_page: OpenPage, middle: Middle) -> None:
    page = await open_page("/?as=demo-patient")
    await expect(page.locator("#connection")).to_be_hidden()
    middle.faults.down = True
    await middle.cut()
    for text in ("one", "two", "three"):
        await write(page, text)
    await expect(page.locator("#connection-words")).to_have_text(
        "Reconnecting… Your messages are kept here and will be sent."
    )
    await expect(page.locator('[data-state="pending"]')).to_have_count(3)
    middle.faults.down = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator('[data-state="sent"]')).to_have_count(3)
    assert await texts(page) == ["one", "two", "three"]
    await expect(page.locator("#connection")).to_be_hidden()


async def test_a_passing_refusal_is_said_and_tried_again_with_the_same_id(open_page: OpenPage, middle: Middle) -> None:
    page = await open_page("/?as=demo-patient")
    middle.faults.refuse["message.send"] = {"code": 111, "message": TOO_MUCH, "temporary": True}
    await write(page, "Patience")
    pending = page.locator('[data-state="pending"]')
    await expect(pending).to_contain_text("Not sent yet: " + TOO_MUCH, timeout=20_000)
    middle.faults.refuse.clear()
    await expect(page.locator('[data-state="sent"]')).to_have_count(1, timeout=20_000)
    assert len(set(sent_ids(middle))) == 1 < len(sent_ids(middle))


async def test_a_final_refusal_shows_why_and_gives_the_text_back(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page("/?as=demo-patient")
    await clinic.status("demo-patient", "archived")
    await write(page, "Please read this")
    failed = page.locator('[data-state="failed"]')
    await expect(failed.locator(".failure")).to_have_text(NO_LONGER)
    await expect(page.get_by_role("log").locator("p").last).to_have_text(NO_LONGER)
    await page.locator("#text").fill("and this")
    await failed.get_by_role("button", name="Edit").click()
    await expect(page.locator("#text")).to_have_value("and this\nPlease read this")
    await expect(failed).to_have_count(0)


async def test_a_failed_message_can_be_tried_again(open_page: OpenPage, middle: Middle, clinic: Clinic) -> None:
    page = await open_page("/?as=demo-patient")
    await clinic.status("demo-patient", "archived")
    await write(page, "Once more")
    await expect(page.locator('[data-state="failed"]')).to_have_count(1)
    await clinic.status("demo-patient", "active")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator('[data-state="sent"] .text')).to_have_text("Once more")
    assert len(set(sent_ids(middle))) == 1


async def test_an_archived_channel_says_so_and_keeps_what_was_typed(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page("/?as=demo-patient")
    await page.locator("#text").fill("half a thought")
    await clinic.archive("care")
    await expect(page.locator("#closed-words")).to_contain_text("This conversation is closed.")
    await expect(page.locator("#composer")).to_be_hidden()
    await expect(page.locator("#kept-text")).to_have_text("half a thought")
    await expect(page.locator("#title")).to_be_focused()


# Hints do not arrive: one that is older than the read mark is passed over.
WITHOUT_HINTS = """window.WebSocket = class extends WebSocket {
    set onmessage(take) {
        const kept = (line) => !line.includes('"type":"channel"');
        super.onmessage = ({ data }) => take({ data: data.split("\\n").filter(kept).join("\\n") });
    }
};"""


async def test_what_was_archived_when_one_came_can_be_written_in_once_a_colleague_unarchives_it(
    open_page: OpenPage, clinic: Clinic
) -> None:
    await clinic.archive("care")
    nurse = await open_page("/portal?as=demo-nurse#/channel/care", before=WITHOUT_HINTS)
    patient = await open_page("/?as=demo-patient", before=WITHOUT_HINTS)
    for page in (nurse, patient):
        await expect(page.locator("#messages li.system")).to_have_count(2)
        await expect(page.locator("#closed-words")).not_to_be_empty()
    await clinic.words.call(clinic.words.clinician, "channel.unarchive", channel_id=clinic.channels["care"])
    for page in (nurse, patient):
        await expect(page.locator("#messages li.system")).to_have_count(3)
        await expect(page.locator("#composer")).to_be_visible()


async def test_a_draft_stays_with_its_channel(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(CARE)
    await expect(page.locator("#readers")).to_have_text("Visible to the patient")
    await page.locator("#text").fill("for the patient")
    await page.get_by_role("link", name="Medication review").click()
    await expect(page.locator("#readers")).to_have_text("Staff only")
    await expect(page.locator("#text")).to_have_value("")
    await page.locator("#text").fill("for colleagues")
    await page.locator(clinic.row("care")).click()
    await expect(page.locator("#text")).to_have_value("for the patient")


async def test_enter_sends_but_not_with_shift_nor_while_composing(open_page: OpenPage) -> None:
    page = await open_page("/?as=demo-patient")
    field = page.locator("#text")
    await field.press_sequentially("two")
    await field.press("Shift+Enter")
    await field.press_sequentially("lines")
    await page.evaluate("""document.getElementById("text").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter",
        isComposing: true, bubbles: true, cancelable: true}))""")
    await expect(field).to_have_value("two\nlines")
    await field.press("Enter")
    await expect(page.locator("#messages .text")).to_have_text("two\nlines", use_inner_text=True)


async def test_on_a_phone_the_button_sends(open_page: OpenPage) -> None:
    page = await open_page("/?as=demo-patient", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    await page.locator("#text").fill("one")
    await page.locator("#text").press("Enter")
    await expect(page.locator("#text")).to_have_value("one\n")
    await page.get_by_role("button", name="Send").tap()
    await expect(page.locator("#messages .text")).to_have_text("one")


async def test_the_limit_is_shown_only_near_it_and_counts_code_points(open_page: OpenPage) -> None:
    page = await open_page("/?as=demo-patient")
    await page.locator("#text").fill("🌼" * 7400)
    await expect(page.locator("#limit")).to_be_empty()
    await page.locator("#text").fill("🌼" * 7990)
    await expect(page.locator("#limit")).to_have_text("10 characters left")
    await page.locator("#text").fill("🌼" * 8001)
    await page.locator("#text").press("Enter")
    await expect(page.locator("#limit")).to_contain_text("1 character too long.")
    await expect(page.locator("#messages .text")).to_have_count(0)


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "&lt;b&gt; &amp;", "[x](javascript:alert(1))"])
async def test_text_stays_text(open_page: OpenPage, text: str) -> None:
    page = await open_page("/?as=demo-patient")
    await write(page, text)
    await expect(page.locator("#messages .text")).to_have_text(text)
    assert await page.locator("#messages .text *").count() == 0


async def test_web_links_are_links_and_nothing_else_is(open_page: OpenPage) -> None:
    page = await open_page("/?as=demo-patient")
    text = "See https://example.org/a_(b)?c=1. Not javascript:alert(1) nor data:text/html,x (http://example.org)."
    await write(page, text)
    links = page.locator("#messages .text a")
    await expect(links).to_have_count(2)
    assert [await link.get_attribute("href") for link in await links.all()] == [
        "https://example.org/a_(b)?c=1",
        "http://example.org/",
    ]
    assert await links.first.get_attribute("rel") == "noopener noreferrer"


async def asks_before_leaving(page: Page) -> bool:
    return await page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))")


async def test_the_page_asks_before_it_takes_unsent_text_away(open_page: OpenPage, middle: Middle) -> None:
    page = await open_page("/?as=demo-patient")
    await expect(page.locator("#messages li.system")).to_have_count(1)
    assert not await asks_before_leaving(page)
    middle.faults.hold.add("message.send")
    await write(page, "wait for me")
    assert await asks_before_leaving(page)
    middle.release("message.send")
    await expect(page.locator('[data-state="sent"]')).to_have_count(1)
    assert not await asks_before_leaving(page)
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


async def test_what_is_not_delivered_elsewhere_is_said_where_one_is(
    open_page: OpenPage, middle: Middle, clinic: Clinic
) -> None:
    await clinic.channel("group", "group", "demo-clinician", "demo-patient", title="Tuesday group")
    page = await open_page("/?as=demo-patient#/channel/care")
    await expect(page.locator("#messages li.system")).to_have_count(1)
    middle.faults.down = True
    await middle.cut()
    await write(page, "Can you call me?")
    await page.get_by_role("link", name="Tuesday group").click()
    await clinic.archive("care")
    middle.faults.down = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator(clinic.row("care"))).to_contain_text("A message was not delivered")
    await expect(page.locator("#connection-words")).to_have_text(
        "A message that you wrote elsewhere was not delivered."
    )
    await page.locator(clinic.row("care")).click()
    await expect(page.locator('[data-state="failed"] .text')).to_have_text("Can you call me?")
    await expect(page.locator("#connection")).to_be_hidden()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.locator(clinic.row("care"))).not_to_contain_text("not delivered")


async def test_no_failed_message_is_said_to_be_sent_later(open_page: OpenPage, middle: Middle, clinic: Clinic) -> None:
    page = await open_page("/?as=demo-patient")
    await clinic.status("demo-patient", "archived")
    await write(page, "Once more")
    await expect(page.locator('[data-state="failed"]')).to_have_count(1)
    middle.faults.down = True
    await middle.cut()
    await expect(page.locator("#connection-words")).to_have_text(
        "Reconnecting… What you write is kept here and will be sent."
    )


async def test_an_archived_patient_without_a_channel_sees_how_else_to_reach_the_clinic(
    open_page: OpenPage, clinic: Clinic
) -> None:
    await clinic.patient("demo-second", "Second Patient", "Moon")
    await clinic.status("demo-second", "archived")
    await clinic.words.sql(
        "insert into organization_settings (organization_id, contact_text) values ($1, $2)",
        *(clinic.words.organization_id, "Call the front desk."),
    )
    page = await open_page("/?as=demo-second")
    await expect(page.locator("#none")).to_contain_text("Your record with this clinic is closed")
    await expect(page.locator("#none")).to_contain_text("Call the front desk.")
    await expect(page.locator("#none")).not_to_contain_text("appears here")

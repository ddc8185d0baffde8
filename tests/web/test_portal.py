"""The message centre around the conversation: sections, members, patients; and all of it by keyboard."""

from playwright.async_api import Page, expect

from tests.support.browser import Pages
from tests.support.site import Site
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage, texts, until

PORTAL = "/portal?as=demo-clinician"


async def test_sections_stand_in_order_and_archived_ones_below(open_page: OpenPage, clinic: Clinic) -> None:
    doctor, nurse, patient = "demo-clinician", "demo-nurse", "demo-patient"
    await clinic.channel("dm", "direct", doctor, nurse)
    await clinic.channel("group", "group", doctor, patient, title="Tuesday group")
    await clinic.channel("service", "service_team", patient, doctor, patient=patient)
    await clinic.channel("old", "staff", doctor, patient=patient, title="Old review")
    await clinic.archive("old")
    page = await open_page(PORTAL)
    await expect(page.locator("#channels h2")).to_have_text(
        ["Care team", "Service team", "Staff", "Group", "Direct messages", "Archived channels"]
    )
    await expect(page.locator(clinic.row("dm"))).to_have_text("Demo Nurse")
    await expect(page.locator(clinic.row("old"))).to_be_hidden()
    await page.get_by_role("button", name="Archived channels").click()
    await page.locator(clinic.row("old")).click()
    await expect(page.locator("#closed-words")).to_contain_text("This channel is archived")
    await expect(page.locator("#composer")).to_be_hidden()
    for channel, words in {
        "group": "Visible to the patients in this group",
        "dm": "Staff only",
        "care": "Visible",
    }.items():
        await page.locator(clinic.row(channel)).click()
        await expect(page.locator("#readers")).to_contain_text(words)


async def open_members(page: Page) -> None:
    await page.get_by_role("button", name="Details").click()
    await expect(page.locator("#members li")).not_to_have_count(0)


async def test_a_colleague_is_added_and_taken_out(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(f"{PORTAL}#/channel/care")
    await open_members(page)
    await page.get_by_label("Add a colleague").select_option(label="Demo Receptionist (Receptionist)")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator("#details-words")).to_have_text("Demo Receptionist (Receptionist) was added.")
    await expect(page.locator("#members li")).to_have_count(4)
    await expect(page.locator("li.system").last).to_contain_text("Demo Receptionist joined")
    await page.get_by_role("button", name="Remove Demo Receptionist").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.locator("#members li")).to_have_count(3)
    await expect(page.locator("li.system").last).to_contain_text("Demo Receptionist left")


async def test_the_last_one_cannot_leave_and_is_told_why(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.remove("care", "demo-nurse")
    page = await open_page(f"{PORTAL}#/channel/care")
    await open_members(page)
    await page.get_by_role("button", name="Leave").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Leave").click()
    await expect(dialog.locator(".field-error")).to_contain_text("You are the last team member here")
    await expect(dialog.get_by_label("Who takes over from you")).to_be_focused()
    await dialog.get_by_label("Who takes over from you").select_option(label="Demo Receptionist (Receptionist)")
    await dialog.get_by_role("button", name="Leave").click()
    await expect(page.locator(clinic.row("care"))).to_have_count(0)
    other = await open_page("/portal?as=demo-receptionist#/channel/care")
    await expect(other.locator("li.system").last).to_contain_text("Demo Clinician left")


async def test_without_the_permission_nobody_else_can_be_removed(open_page: OpenPage) -> None:
    page = await open_page("/portal?as=demo-nurse#/channel/care")
    await open_members(page)
    await expect(page.get_by_role("button", name="Remove")).to_have_count(0)
    await expect(page.get_by_role("button", name="Leave")).to_have_count(1)


async def test_a_new_patient_and_their_channel_by_keyboard_alone(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PORTAL)
    press = page.keyboard.press

    async def tab_to(name: str) -> None:
        for _ in range(40):
            await press("Tab")
            focused = await page.evaluate("document.activeElement.textContent + (document.activeElement.name ?? '')")
            if name in focused:
                return
        raise AssertionError(f"no way to {name} by Tab")

    await tab_to("Patients")
    await press("Enter")
    await tab_to("New patient")
    await press("Enter")
    await expect(page.get_by_label("Legal name")).to_be_focused()
    await page.keyboard.type("Newly Arrived")
    await tab_to("email")
    await page.keyboard.type("not an address@")
    await press("Enter")
    await until(page, "document.querySelector('dialog input[type=email]').matches(':invalid')")
    await page.locator("dialog input[type=email]").fill("newly@example.org")
    await press("Enter")
    await expect(page.locator("#patients-words")).to_have_text("Newly Arrived was created.")
    await tab_to("Activate care team channel")
    await press("Enter")
    await expect(page.get_by_role("checkbox", name="Demo Clinician")).to_be_checked()
    await tab_to("Activate")
    await press("Enter")
    await expect(page.locator("#title")).to_have_text("Newly Arrived")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("Welcome")
    await press("Enter")
    await expect(page.locator('[data-state="sent"]')).to_have_count(1)
    assert await texts(page) == ["Welcome"]


async def test_a_refused_form_keeps_what_was_typed(open_page: OpenPage) -> None:
    page = await open_page(f"{PORTAL}#/patients")
    await page.get_by_role("button", name="New patient").click()
    await page.get_by_label("Legal name").fill("Newly Arrived")
    await page.get_by_label("Email").fill("demo-nurse@demo.invalid")
    await page.get_by_role("button", name="Create patient").click()
    await expect(page.get_by_role("alert")).to_have_text(
        "Somebody in this organisation has this email address already. Use another one."
    )
    await expect(page.get_by_label("Legal name")).to_have_value("Newly Arrived")


async def test_channels_by_keyboard_and_back(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PORTAL, viewport={"width": 390, "height": 844})
    await page.locator(clinic.row("review")).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    await page.go_back()
    await expect(page.locator(clinic.row("review"))).to_be_focused()


async def test_signing_in_lists_the_demo_people_of_this_page(open_page: OpenPage) -> None:
    page = await open_page("/portal", ready=False)
    await expect(page.locator("#people button")).to_have_text(["Demo Clinician", "Demo Nurse", "Demo Receptionist"])
    await page.get_by_role("button", name="Demo Nurse").click()
    await expect(page.locator("#whoami")).to_have_text("Demo Nurse")
    assert page.url.endswith("?as=demo-nurse"), "a reload stays signed in; there is no token in the address"


async def test_without_sign_in_the_page_says_so(pages: Pages, site: Site) -> None:
    without = await site.gateway(WARMLINE_DEV_KEY_FILE="")
    page = await pages.open(without.url)
    await expect(page.locator("#signin-words")).to_contain_text("Sign-in is not set up on this server yet.")


async def test_the_wrong_page_shows_the_way(open_page: OpenPage) -> None:
    page = await open_page("/portal?as=demo-patient", ready=False)
    await expect(page.locator("#signin-words")).to_have_text("This page is for the clinic’s team.")
    await page.get_by_role("link", name="Go to the patients’ page").click()
    await expect(page.locator("#title")).to_have_text("Your care team")

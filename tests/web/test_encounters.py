"""Encounters on the pages: begun with a group, written about, answered forms recorded, finalised; and whom notes are shown to."""

from playwright.async_api import Page, expect

from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage
from tests.web.test_roster import GROUPS, asked, group_of, guest_of, join, says

TEXT = "Discussed sleep and coping.\n\nNext time: breathing."


async def encounter_of(clinic: Clinic, group: str, **more: object) -> str:
    """An encounter of a group, now: its id."""
    given = {"encounter_date": "2024-12-12T10:00:00Z", "type": "group-therapy"} | more
    made = await clinic.words.call(clinic.words.clinician, "encounter.create_for_group", group_id=group, **given)
    return str(made["id"])


async def full_group(clinic: Clinic) -> str:
    """A group with a patient and a guest."""
    group = await group_of(clinic, "demo-patient", name="Monday")
    await join(clinic, group, guest_id=await guest_of(clinic, "Demo Spouse"))
    return group


async def note(page: Page, text: str, about: str | None = None) -> None:
    """Write a note and save it."""
    await page.get_by_label("New note").fill(text)
    if about:
        await page.get_by_label("About").select_option(label=about)
    await page.get_by_role("button", name="Save note").click()


async def test_an_encounter_is_documented_from_start_to_finalise(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(f"{GROUPS}/{await full_group(clinic)}")
    await page.locator("#new-encounter").click()
    await expect(asked(page, "Type")).to_have_value("support-group")
    await asked(page, "Topic").fill("Coping strategies")
    await page.get_by_role("button", name="Create encounter").click()
    await expect(page.locator("#encounter-title")).to_be_focused()
    facts = page.locator("#encounter .facts")
    await expect(facts).to_contain_text(
        "GroupMondayTypeSupport groupPractitionersDemo ClinicianDocumentationNot started"
    )
    await expect(facts).to_contain_text("Coping strategies")
    await expect(page.locator("#attendees-title")).to_have_text("Attendees: 2")
    await expect(page.locator("#attendees li")).to_have_text(["Demo Patient", "Demo SpouseGuest"])
    await note(page, TEXT)
    await says(page, "The note is saved.")
    await expect(facts).to_contain_text("In progress")
    await note(page, "Quieter than last week.", "Demo Patient")
    await expect(page.locator("#notes li")).to_have_count(2)
    await expect(page.locator("#notes .written").first).to_have_text(TEXT)
    await expect(page.locator("#notes .name").last).to_have_text("Session note about Demo Patient")
    await note(page, "Asked about parking.", "Demo Spouse (guest)")
    await expect(page.locator("#notes li")).to_have_count(3)
    await page.get_by_role("combobox", name="Show").select_option(label="What concerns Demo Spouse (guest)")
    await expect(page.locator("#notes .written")).to_have_text([TEXT, "Asked about parking."])
    await page.get_by_role("combobox", name="Show").select_option(label="Everything")
    await page.get_by_role("button", name="Record an answer").click()
    await asked(page, "Who has answered").select_option(label="Demo Patient")
    await asked(page, "Form").first.fill("phq-9")
    await page.get_by_role("button", name="Record", exact=True).click()
    await says(page, "Recorded.")
    await expect(page.locator("#forms li")).to_contain_text("phq-9Not yet: Demo Spouse")
    await expect(page.locator("#forms .count")).to_have_text("1 of 2 answered")
    await page.get_by_role("button", name="Practitioners").click()
    await page.get_by_role("checkbox", name="Demo Nurse (Nurse)").check()
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(facts).to_contain_text("Demo Clinician and Demo Nurse")
    await page.get_by_role("button", name="Finalise").click()
    await page.get_by_role("dialog").get_by_role("button", name="Finalise").click()
    await says(page, "The encounter is finalised.")
    await expect(page.locator("#encounter-title")).to_be_focused()
    await expect(facts).to_contain_text("by Demo Clinician")
    for gone in ("Edit", "Practitioners", "Finalise"):
        await expect(page.get_by_role("button", name=gone)).to_have_count(0)
    await expect(page.get_by_label("Type of note").locator("option")).to_have_text(["Addendum"])
    await note(page, "A detail that was forgotten.")
    await expect(page.locator("#notes .name").last).to_have_text("Addendum")


async def test_an_encounter_changes_and_a_late_change_is_refused(open_page: OpenPage, clinic: Clinic) -> None:
    encounter = await encounter_of(clinic, await full_group(clinic))
    page = await open_page(
        f"/portal?as=demo-clinician#/encounters/{encounter}", timezone_id="Asia/Tokyo", locale="en-GB"
    )
    await expect(page.locator("#encounter-title")).to_have_text("12 December 2024, 19:00")
    await page.get_by_role("button", name="Edit").click()
    await expect(asked(page, "When")).to_have_value("2024-12-12T19:00")
    await asked(page, "When").fill("2024-12-13T18:30")
    await asked(page, "Documentation").select_option("In progress")
    await page.get_by_role("button", name="Save", exact=True).click()
    await says(page, "Saved.")
    await expect(page.locator("#encounter-title")).to_have_text("13 December 2024, 18:30")
    await page.get_by_role("button", name="Edit").click()
    await clinic.words.call(clinic.words.clinician, "encounter.finalize", encounter_id=encounter)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("This encounter is finalised")


async def test_what_was_typed_stays_with_its_encounter(open_page: OpenPage, clinic: Clinic) -> None:
    group = await full_group(clinic)
    first, second = await encounter_of(clinic, group), await encounter_of(clinic, group)
    page = await open_page(f"/portal?as=demo-clinician#/encounters/{first}")
    await page.get_by_label("New note").fill("half a thought")
    await page.evaluate("(id) => { location.hash = `#/encounters/${id}` }", second)
    await expect(page.locator("#encounter-title")).to_be_focused()
    await expect(page.get_by_label("New note")).to_have_value("")
    await page.evaluate("(id) => { location.hash = `#/encounters/${id}` }", first)
    await expect(page.get_by_label("New note")).to_have_value("half a thought")
    await clinic.words.call(clinic.words.clinician, "encounter.finalize", encounter_id=first)
    await page.get_by_role("button", name="Save note").click()
    await expect(page.locator(".note-form .asking")).to_contain_text("This encounter is finalised")
    await expect(page.get_by_label("New note")).to_have_value("half a thought")
    await expect(page.get_by_label("Type of note").locator("option")).to_have_text(["Addendum"])
    await page.get_by_role("button", name="Save note").click()
    await expect(page.locator("#notes .written")).to_have_text("half a thought")


async def test_encounters_of_the_organisation(open_page: OpenPage, clinic: Clinic) -> None:
    await encounter_of(clinic, await full_group(clinic))
    about = {"encounter_date": "2024-12-13T10:00:00Z", "type": "home_visit"}
    await clinic.words.call(
        clinic.words.clinician, "encounter.create_for_patient", patient_id=clinic.people["demo-patient"], **about
    )
    page = await open_page("/portal?as=demo-clinician#/encounters")
    rows = page.locator("[data-encounter-id]")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Patient: Demo Patient · Home visit")
    await expect(rows.last).to_contain_text("Group: Monday · Group therapy")
    await page.get_by_role("combobox", name="With").select_option("Groups")
    await expect(rows).to_have_count(1)
    await page.get_by_role("combobox", name="Documentation").select_option("Complete")
    await expect(page.locator(".nothing-title:visible")).to_have_text("No such encounters")
    await page.get_by_role("combobox", name="Documentation").select_option("Any")
    await page.get_by_role("combobox", name="With").select_option("Patients")
    await rows.first.get_by_role("link").click()
    await expect(page.locator("#encounter .facts")).to_contain_text("PatientDemo Patient")
    await expect(page.locator("#attendees")).to_be_hidden()
    await note(page, "Seen at home.")
    await expect(page.locator("#notes .written")).to_have_text("Seen at home.")


async def test_nurse_and_receptionist_see_no_notes_of_an_encounter(open_page: OpenPage, clinic: Clinic) -> None:
    encounter = await encounter_of(clinic, await full_group(clinic))
    written = {"note_type": "session_note", "content": "Only for clinicians"}
    await clinic.words.call(clinic.words.clinician, "encounter_note.create", encounter_id=encounter, **written)
    for who in ("demo-nurse", "demo-receptionist"):
        page = await open_page(f"/portal?as={who}#/encounters/{encounter}")
        await expect(page.locator("#attendees li")).to_have_count(2)
        await expect(page.locator("#notes")).to_be_hidden()
        await expect(page.locator("#encounter").get_by_role("button")).to_have_count(0)
        assert "Only for clinicians" not in await page.content()

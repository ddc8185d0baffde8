"""The roster's pages for everybody: nothing for axe-core to object to in any state, no scrolling sideways, keys alone suffice."""

from typing import Any

from playwright.async_api import Page, expect

from tests.support.middle import Middle
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage
from tests.web.test_axe import look as look
from tests.web.test_encounters import encounter_of, full_group, note
from tests.web.test_roster import change, group_of, guest_of, says

PORTAL = "/portal?as=demo-clinician"


async def test_groups_in_every_state(look: Any, clinic: Clinic, middle: Middle) -> None:
    looking = await look(f"{PORTAL}#/groups")
    page = looking.page
    await page.locator(".nothing-title:visible").wait_for()
    await looking.everywhere()
    group = await group_of(clinic, "demo-patient", name="A" * 90, max_participants=1, description="b" * 200)
    middle.faults.late.add("group.list")
    await page.get_by_role("combobox", name="Kind").select_option("Support")
    await page.locator(".skeleton").first.wait_for()
    await looking.everywhere()
    middle.release("group.list")
    await page.locator("[data-group-id]").wait_for()
    await looking.everywhere()
    await page.locator("#new-group").click()
    await looking.everywhere()
    await page.keyboard.press("Escape")
    await page.locator("[data-group-id] a").click()
    await page.locator("#members-of-group li").wait_for()
    assert group in page.url
    await looking.everywhere()


async def test_one_group_in_every_state(look: Any, clinic: Clinic) -> None:
    for number in range(9):
        await clinic.patient(f"demo-{number}", f"Demo Member {number}", f"M{number}")
    guest = await guest_of(clinic, "Longlonglonglonglonglonglonglonglonglong guest")
    group = await group_of(clinic, "demo-patient", "demo-1", max_participants=4)
    looking = await look(f"{PORTAL}#/groups/{group}")
    page = looking.page
    await change(page, "Demo Member 1", "Remove from the group")
    await looking.everywhere()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await page.locator("details.left summary").click()
    await looking.everywhere()
    await page.locator("#add-members").click()
    await looking.everywhere()
    await page.get_by_role("menuitem", name="Many at once").click()
    await page.get_by_role("checkbox", name="Longlong").check()
    await page.get_by_role("checkbox", name="Demo Member 2").check()
    await looking.everywhere()
    await clinic.words.call(clinic.words.clinician, "guest.deactivate", guest_id=guest)
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await page.locator("#batch-errors").wait_for()
    await looking.everywhere()


async def test_guests_in_every_state(look: Any, clinic: Clinic) -> None:
    looking = await look(f"{PORTAL}#/guests")
    page = looking.page
    await page.locator(".nothing-title:visible").wait_for()
    await looking.everywhere()
    await guest_of(clinic, "Longlonglonglonglonglonglonglonglonglong guest")
    await page.get_by_role("combobox", name="Status").select_option("Any")
    await page.get_by_role("button", name="Change").click()
    await looking.everywhere()
    await page.get_by_role("menuitem", name="Has become a patient").click()
    await page.get_by_role("dialog").wait_for()
    await looking.everywhere()


async def test_encounters_in_every_state(look: Any, clinic: Clinic) -> None:
    group = await full_group(clinic)
    encounter = await encounter_of(clinic, group, chief_complaint="c" * 150)
    about = {
        "note_type": "a_type_of_another_program",
        "content": "d" * 150,
        "patient_id": clinic.people["demo-patient"],
    }
    await clinic.words.call(clinic.words.clinician, "encounter_note.create", encounter_id=encounter, **about)
    answer = {"participant_type": "patient", "patient_id": clinic.people["demo-patient"], "form_id": "f" * 90}
    await clinic.words.call(clinic.words.clinician, "form_submission.create", encounter_id=encounter, **answer)
    looking = await look(f"{PORTAL}#/encounters")
    page = looking.page
    await page.locator("[data-encounter-id]").wait_for()
    await looking.everywhere()
    await page.locator("[data-encounter-id] a").click()
    await page.locator("#forms li").wait_for()
    await looking.everywhere()
    for button in ("Edit", "Practitioners", "Record an answer", "Finalise"):
        await page.locator("#encounter").get_by_role("button", name=button).click()
        await page.get_by_role("dialog").wait_for()
        await looking.everywhere()
        await page.keyboard.press("Escape")
    await clinic.words.call(clinic.words.clinician, "encounter.finalize", encounter_id=encounter)
    await note(page, "Too late")
    await page.locator(".note-form .asking:not(:empty)").wait_for()
    await looking.everywhere()
    await page.get_by_label("New note").fill("")


async def test_a_patients_groups_and_every_place_in_the_main_line(look: Any, clinic: Clinic) -> None:
    await clinic.colleague("demo-admin", "Demo Admin", "ADMIN")
    await group_of(clinic, "demo-patient", name="A" * 80)
    looking = await look(f"/portal?as=demo-admin#/patients/{clinic.people['demo-patient']}")
    page = looking.page
    await page.locator("#patients-groups li").wait_for()
    await looking.everywhere()
    await expect(page.locator("#places a")).to_have_text(["Messages", "Patients", "Groups", "Team", "Administration"])
    for width in (840, 1000):
        await page.set_viewport_size({"width": width, "height": 640})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        assert await page.locator(".brand").evaluate("(brand) => brand.offsetHeight") < 40, "the title breaks"


async def tab_to(page: Page, name: str) -> None:
    """By Tab alone to what has this name."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        named = "(e) => e.textContent + (e.name ?? '') + (e.labels?.[0]?.textContent ?? '')"
        if name in await page.evaluate(f"({named})(document.activeElement)"):
            return
    raise AssertionError(f"no way to {name} by Tab")


async def test_a_group_is_made_and_filled_by_keyboard_alone(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(PORTAL)
    press, write = page.keyboard.press, page.keyboard.type
    await tab_to(page, "Groups")
    await press("Enter")
    await tab_to(page, "New group")
    await press("Enter")
    await expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    await write("Monday")
    await tab_to(page, "max_participants")
    await write("1")
    await press("Enter")
    await expect(page.locator("#group-title")).to_have_text("Monday")
    await expect(page.locator("#group-title")).to_be_focused()
    await tab_to(page, "Add members")
    await press("Enter")
    await press("Enter")
    await expect(page.get_by_role("dialog").get_by_label("Patient")).to_be_focused()
    await write("Demo Pat")
    await press("Tab")
    await tab_to(page, "Add")
    await press("Enter")
    await says(page, "Demo Patient was added.")
    await expect(page.locator("#add-members")).to_be_focused()
    await tab_to(page, "Change Demo Patient")
    await press("Enter")
    await press("End")
    await press("Enter")
    await tab_to(page, "Remove")
    await press("Enter")
    await says(page, "Demo Patient has left the group.")
    await expect(page.locator("#members-title")).to_be_focused()
    await tab_to(page, "People who left (1)")
    await press("Enter")
    await tab_to(page, "Add again")
    await press("Enter")
    await says(page, "Demo Patient is in the group again.")


async def test_an_encounter_is_documented_by_keyboard_alone(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(f"{PORTAL}#/groups/{await full_group(clinic)}")
    press, write = page.keyboard.press, page.keyboard.type
    await page.locator("#new-encounter").wait_for()
    await tab_to(page, "New encounter")
    await press("Enter")
    await expect(page.get_by_role("dialog").get_by_label("When")).to_be_focused()
    await tab_to(page, "chief_complaint")
    await write("Coping")
    await tab_to(page, "Create encounter")
    await press("Enter")
    await expect(page.locator("#encounter-title")).to_be_focused()
    await tab_to(page, "content")
    await write("Discussed sleep.")
    await tab_to(page, "about")
    await press("ArrowDown")
    await tab_to(page, "Save note")
    await press("Enter")
    await expect(page.locator("#notes .name")).to_have_text("Session note about Demo Patient")
    await expect(page.locator("#notes-title")).to_be_focused()
    await tab_to(page, "Record an answer")
    await press("Enter")
    await expect(page.get_by_role("dialog").get_by_label("Who has answered")).to_be_focused()
    await press("ArrowDown")
    await tab_to(page, "form_id")
    await write("phq-9")
    await press("Enter")
    await says(page, "Recorded.")
    await page.locator("#encounter-title").focus()
    await tab_to(page, "Finalise")
    await press("Enter")
    await tab_to(page, "Finalise")
    await press("Enter")
    await says(page, "The encounter is finalised.")

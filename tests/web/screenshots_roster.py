"""Pictures of the roster's pages: `make screenshots`; see screenshots.py."""

from tests.web.clinic import Clinic
from tests.web.screenshots import PORTAL, Shots
from tests.web.screenshots import shots as shots
from tests.web.test_encounters import encounter_of, note
from tests.web.test_roster import add, guest_of, join

LONG = "Maximiliane-Alexandra von Hohenstein-Wittelsbacher zu Donaueschingen"


async def roster(clinic: Clinic) -> str:
    """Groups as they may be, and one with everything in it: its id."""
    ask, doctor = clinic.words.call, clinic.words.clinician
    trees = ["Adler", "Birch", "Cedar", "Dahlia", "Elm", "Fern", "Gorse", "", "Iris", "Juniper"]
    names = [f"Demo {tree}" if tree else LONG for tree in trees]
    for at, name in enumerate(names):
        await clinic.patient(f"demo-{at}", name, name.split()[-1][:20])
    description = (
        "Eight weeks of cognitive behavioural therapy, with exercises between the sessions.\nRoom 2, first floor."
    )
    made_groups = []
    for number, (name, kind, most) in enumerate(
        [
            ("Anxiety management – Thursdays", "therapy", 9),
            ("Grief", "support", None),
            (
                "Living with diabetes: a course for people who have just been diagnosed, and their families",
                "education",
                12,
            ),
            ("Depression support – Monday AM", "support", 2),
        ]
    ):
        leads = {"facilitator_id": [doctor, clinic.people["demo-nurse"]][number]} if number < 2 else {}
        made = await ask(
            doctor, "group.create", name=name, type=kind, max_participants=most, description=description, **leads
        )
        for at in range((8, 3, 0, 2)[number]):
            await join(clinic, made["id"], patient_id=clinic.people[f"demo-{at}"])
        made_groups.append(str(made["id"]))
    group = made_groups[0]
    guest = await ask(
        doctor,
        "guest.create",
        display_name="Demo Adler’s mother",
        contact={"phone": "555-0100", "email": "mother@example.org"},
        notes="Prefers to be called in the morning.",
    )
    await join(clinic, group, guest_id=guest["id"])
    await guest_of(clinic, "Demo Neighbour")
    await guest_of(clinic, "Demo Sister")
    await ask(doctor, "guest.deactivate", guest_id=await guest_of(clinic, LONG))
    rows = (await ask(doctor, "group_member.list", group_id=group))["members"]
    for row in rows[:2]:
        await ask(doctor, "group_member.remove", group_id=group, group_member_id=row["id"])
    await ask(doctor, "group_member.rejoin", group_id=group, group_member_id=rows[0]["id"])
    await ask(
        doctor,
        "group_member.update",
        group_id=group,
        group_member_id=rows[3]["id"],
        notes="Arrives ten minutes late; agreed.",
    )
    return group


async def test_groups(shots: Shots, clinic: Clinic) -> None:
    page = await shots.open(f"{PORTAL}#/groups")
    await page.locator(".nothing-title:visible").wait_for()
    await shots.take(page, "groups-none")
    group = await roster(clinic)
    page = await shots.open(f"{PORTAL}#/groups")
    await page.locator("[data-group-id]").first.wait_for()
    await shots.take(page, "groups")
    await page.locator("#new-group").click()
    await shots.take(page, "groups-new")
    page = await shots.open(f"{PORTAL}#/groups/{group}")
    await page.locator("#members-of-group li").first.wait_for()
    await shots.take(page, "group")
    await page.locator("details.left summary").click()
    await page.locator("details.left").scroll_into_view_if_needed()
    await page.locator("#group").evaluate("(view) => view.scrollTo(0, 1e6)")
    await shots.take(page, "group-end")
    await page.locator("#group").evaluate("(view) => view.scrollTo(0, 0)")
    await page.locator("#add-members").click()
    await shots.take(page, "group-menu")
    await page.keyboard.press("Escape")
    await add(page, "Many at once")
    await page.locator("dialog .choices").wait_for()
    await page.get_by_role("checkbox", name="Demo Iris").check()
    await page.get_by_role("checkbox", name="Demo Neighbour").check()
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await page.get_by_role("alert").filter(has_text="Nobody").wait_for()
    await shots.take(page, "group-many-refused")
    await page.get_by_role("checkbox", name="Demo Neighbour").uncheck()
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await page.locator("#batch-created").wait_for()
    await shots.take(page, "group-many-summary")
    page = await shots.open(f"{PORTAL}#/guests")
    await page.locator("[data-guest-id]").first.wait_for()
    await page.get_by_role("combobox", name="Status").select_option("Any")
    await page.locator(".tag:visible").wait_for()
    await shots.take(page, "guests")
    await page.get_by_role("button", name="Change").first.click()
    await shots.take(page, "guests-menu")


async def test_encounters(shots: Shots, clinic: Clinic) -> None:
    group = await roster(clinic)
    for hour in (8, 9):
        await encounter_of(clinic, group, encounter_date=f"2026-11-12T{hour:02}:00:00Z")
    row = {"encounter_date": "2026-11-13T10:00:00Z", "type": "consultation"}
    ask, doctor = clinic.words.call, clinic.words.clinician
    await ask(doctor, "encounter.create_for_patient", patient_id=clinic.people["demo-2"], **row)
    topic = "Weekly session: coping strategies, and what helped during the holidays"
    encounter = await encounter_of(clinic, group, encounter_date="2027-01-12T10:00:00Z", chief_complaint=topic)
    about = {"participant_type": "patient", "patient_id": clinic.people["demo-2"]}
    text = "Everybody had tried the breathing exercise at least once.\n\nThe sleep diary was hard for two of them."
    await ask(doctor, "encounter_note.create", encounter_id=encounter, note_type="session_note", content=text)
    alone = "Spoke about the new job; less tense than last week."
    await ask(doctor, "encounter_note.create", encounter_id=encounter, note_type="observation", content=alone, **about)
    await ask(doctor, "form_submission.create", encounter_id=encounter, form_id="phq-9", **about)
    page = await shots.open(f"{PORTAL}#/encounters")
    await page.locator("[data-encounter-id]").first.wait_for()
    await shots.take(page, "encounters")
    page = await shots.open(f"{PORTAL}#/groups/{group}")
    await page.locator("[data-encounter-id]").first.wait_for()
    await page.locator("#new-encounter").scroll_into_view_if_needed()
    await shots.take(page, "group-encounters")
    await page.locator("#new-encounter").click()
    await shots.take(page, "encounter-new")
    page = await shots.open(f"{PORTAL}#/encounters/{encounter}")
    await page.locator("#notes li").first.wait_for()
    await shots.take(page, "encounter")
    await page.locator("#notes-title").evaluate("(title) => title.scrollIntoView()")
    await shots.take(page, "encounter-notes")
    await page.locator("#forms").evaluate("(forms) => forms.scrollIntoView({ block: 'end' })")
    await shots.take(page, "encounter-forms")
    await ask(doctor, "encounter.finalize", encounter_id=encounter)
    await note(page, "Too late for a session note.")
    await page.locator(".note-form .asking:not(:empty)").wait_for()
    await page.locator(".note-form").evaluate("(form) => form.scrollIntoView({ block: 'end' })")
    await shots.take(page, "encounter-refused")
    await page.get_by_label("New note").fill("")
    await page.reload()
    await page.locator("#encounter-title .tag").wait_for()
    await shots.take(page, "encounter-final")

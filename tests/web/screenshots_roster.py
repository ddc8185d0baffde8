"""Pictures of the roster's pages: `make screenshots`; see screenshots.py."""

from tests.web.clinic import Clinic
from tests.web.screenshots import PORTAL, Shots
from tests.web.screenshots import shots as shots
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

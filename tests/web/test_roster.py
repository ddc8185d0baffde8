"""The roster's pages: groups, who is in them and who was, guests; refusals where they arise; and all of it by keyboard."""

from playwright.async_api import Locator, Page, expect

from server.roster import following
from tests.web.clinic import Clinic
from tests.web.conftest import OpenPage

GROUPS = "/portal?as=demo-clinician#/groups"


async def group_of(clinic: Clinic, *patients: str, **more: object) -> str:
    """A group with these patients in it: its id."""
    made = await clinic.words.call(
        clinic.words.clinician, "group.create", **{"name": "Monday", "type": "support"} | more
    )
    for patient in patients:
        await join(clinic, made["id"], patient_id=clinic.people[patient])
    return str(made["id"])


async def join(clinic: Clinic, group: str, **who: str) -> str:
    """Somebody comes into a group: their row."""
    kind = next(iter(who)).removesuffix("_id")
    row = await clinic.words.call(clinic.words.clinician, "group_member.add", group_id=group, member_type=kind, **who)
    return str(row["id"])


async def guest_of(clinic: Clinic, name: str) -> str:
    made = await clinic.words.call(clinic.words.clinician, "guest.create", display_name=name)
    return str(made["id"])


async def add(page: Page, what: str) -> None:
    """Open one of the ways into a group."""
    await page.locator("#add-members").click()
    await page.get_by_role("menuitem", name=what, exact=True).click()


async def change(page: Page, name: str, what: str) -> None:
    """Choose what is done with one of a list."""
    await page.get_by_role("button", name=f"Change {name}").click()
    await page.get_by_role("menuitem", name=what).click()


def asked(page: Page, label: str) -> Locator:
    """A field of the form that is open."""
    return page.get_by_role("dialog").get_by_label(label)


async def says(page: Page, words: str) -> None:
    await expect(page.locator(".asking:visible", has_text=words).first).to_have_text(words)


async def test_a_group_is_created_found_and_opened(open_page: OpenPage, clinic: Clinic) -> None:
    await group_of(clinic, name="Grief", facilitator_id=clinic.people["demo-nurse"])
    page = await open_page(GROUPS)
    await expect(page.locator("[data-group-id]")).to_have_count(1)
    await page.get_by_role("button", name="New group").click()
    await asked(page, "Name").fill("Anxiety management")
    await asked(page, "Kind").select_option("Therapy")
    await asked(page, "Places").fill("12")
    await asked(page, "Facilitator").select_option(label="Demo Clinician (Doctor)")
    await asked(page, "Description").fill("Twelve weeks")
    await page.get_by_role("button", name="Create group").click()
    await expect(page.locator("#group-title")).to_have_text("Anxiety management")
    await expect(page.locator("#group-title")).to_be_focused()
    await expect(page.locator("#group .facts")).to_contain_text("0 of 12 places taken")
    await page.get_by_role("link", name="All groups").click()
    await expect(page.locator("#groups-title")).to_be_focused()
    await expect(page.locator("[data-group-id] a")).to_have_text(["Anxiety management", "Grief"])
    await page.get_by_role("combobox", name="Kind").select_option("Support")
    await expect(page.locator("[data-group-id] a")).to_have_text(["Grief"])
    await page.get_by_role("combobox", name="Kind").select_option("Any")
    await page.get_by_role("combobox", name="Facilitator").select_option("Demo Clinician")
    await expect(page.locator("[data-group-id] a")).to_have_text(["Anxiety management"])
    await page.get_by_role("combobox", name="Status").select_option("Archived")
    await expect(page.locator(".nothing-title:visible")).to_have_text("No such groups")


async def test_a_group_changes_is_archived_and_taken_up_again(open_page: OpenPage, clinic: Clinic) -> None:
    group = await group_of(clinic, "demo-patient", max_participants=3, description="Old words")
    page = await open_page(f"{GROUPS}/{group}")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await asked(page, "Places").fill("")
    await asked(page, "Description").fill("")
    await asked(page, "Name").fill("Tuesday")
    await page.get_by_role("button", name="Save").click()
    await says(page, "Saved.")
    await expect(page.locator("#group-title")).to_have_text("Tuesday")
    await expect(page.locator("#group .facts")).to_have_text("KindSupportFacilitatorNobodyPlaces1 member")
    await page.get_by_role("button", name="Archive").click()
    await page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    await says(page, "The group is archived.")
    await expect(page.locator("#add-members")).to_be_hidden()
    await page.get_by_role("button", name="Unarchive").click()
    await page.get_by_role("dialog").get_by_role("button", name="Unarchive").click()
    await says(page, "The group is active again.")
    await expect(page.locator("#add-members")).to_be_visible()


async def test_a_group_fills_up_and_somebody_leaves_and_comes_back(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.patient("demo-second", "Demo Second", "Second")
    await guest_of(clinic, "Demo Spouse")
    group = await group_of(clinic, max_participants=2)
    page = await open_page(f"{GROUPS}/{group}")
    await add(page, "A patient")
    await asked(page, "Patient").select_option(label="Demo Patient")
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await says(page, "Demo Patient was added.")
    await expect(page.locator("#members-title")).to_have_text("Members: 1 of 2")
    await add(page, "A guest")
    await asked(page, "Guest").select_option(label="Demo Spouse (guest)")
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await expect(page.locator("#members-title")).to_have_text("Members: 2 of 2")
    await expect(page.locator("#members-of-group .note")).to_contain_text("This group is full.")
    await add(page, "A patient")
    await asked(page, "Patient").select_option(label="Demo Second")
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await expect(page.get_by_role("alert")).to_have_text(
        "This group is full: 2 of 2 places are taken. Remove somebody first, or raise the number of places."
    )
    await page.keyboard.press("Escape")
    await change(page, "Demo Patient", "Remove from the group")
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await says(page, "Demo Patient has left the group.")
    await expect(page.locator("#members-title")).to_be_focused()
    await page.get_by_text("People who left (1)").click()
    await page.get_by_role("button", name="Add again Demo Patient").click()
    await says(page, "Demo Patient is in the group again.")
    await expect(page.locator("#members-title")).to_have_text("Members: 2 of 2")
    await expect(page.get_by_role("button", name="Add again")).to_have_count(0)
    await expect(page.locator("details.left li")).to_have_count(1)


async def test_a_new_guest_is_made_in_place(open_page: OpenPage, clinic: Clinic) -> None:
    group = await group_of(clinic, max_participants=5)
    page = await open_page(f"{GROUPS}/{group}")
    await add(page, "A new guest")
    await asked(page, "Name").fill("Demo Spouse")
    await asked(page, "Telephone").fill("555-0100")
    await asked(page, "Note").fill("Comes every second week")
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await says(page, "Demo Spouse was added.")
    await expect(page.locator("#members-of-group li")).to_contain_text("Demo SpouseGuest")
    await expect(page.locator("#members-of-group .noted")).to_have_text("Comes every second week")
    await change(page, "Demo Spouse", "Edit note")
    await asked(page, "Note").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#members-of-group .noted")).to_have_count(0)
    await expect(page.get_by_role("button", name="Change Demo Spouse")).to_be_focused()


async def test_many_are_added_at_once_and_the_summary_says_what_came_of_it(open_page: OpenPage, clinic: Clinic) -> None:
    for number in range(1, 11):
        await clinic.patient(f"demo-{number}", f"Demo Member {number}", f"M{number}")
    spouse = await guest_of(clinic, "Demo Spouse")
    group = await group_of(clinic, "demo-10", max_participants=4)
    page = await open_page(f"{GROUPS}/{group}")
    dialog = page.get_by_role("dialog")
    await add(page, "Many at once")
    await expect(dialog).to_contain_text("3 places are free.")
    for name in ("Demo Member 1", "Demo Member 2", "Demo Member 3", "Demo Spouse guest"):
        await dialog.get_by_role("checkbox", name=name, exact=True).check()
    await expect(dialog).to_contain_text("4 chosen")
    await dialog.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("alert")).to_contain_text("Nobody was added.")
    await dialog.get_by_label("Find by name").fill("member 3")
    await expect(dialog.get_by_role("checkbox")).to_have_count(1)
    await dialog.get_by_role("checkbox").uncheck()
    await join(clinic, group, patient_id=clinic.people["demo-1"])
    await clinic.words.call(clinic.words.clinician, "guest.deactivate", guest_id=spouse)
    await dialog.get_by_role("button", name="Add").click()
    await expect(dialog.get_by_role("heading", level=2)).to_have_text("1 member added, 1 skipped, 1 error.")
    await expect(dialog.locator("#batch-created")).to_have_text("Added: 1Demo Member 2")
    await expect(dialog.locator("#batch-skipped li")).to_have_text("Demo Member 1")
    await expect(dialog.locator("#batch-errors li")).to_have_text("Demo Spouse – This guest is not active any more.")
    await dialog.get_by_role("button", name="Close").click()
    await says(page, "1 member added, 1 skipped, 1 error.")
    await expect(page.locator("#members-title")).to_have_text("Members: 3 of 4")


async def test_somebody_who_came_in_meanwhile_is_refused_in_words(open_page: OpenPage, clinic: Clinic) -> None:
    group = await group_of(clinic)
    page = await open_page(f"{GROUPS}/{group}")
    await add(page, "A patient")
    await asked(page, "Patient").select_option(label="Demo Patient")
    await join(clinic, group, patient_id=clinic.people["demo-patient"])
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    await expect(page.get_by_role("alert")).to_have_text("This patient is an active member of this group already.")


async def test_guests_are_changed_retired_taken_back_and_linked(open_page: OpenPage, clinic: Clinic) -> None:
    group = await group_of(clinic)
    page = await open_page("/portal?as=demo-clinician#/guests")
    await expect(page.locator("#to-groups")).to_have_attribute("aria-current", "page")
    await expect(page.locator(".nothing-title:visible")).to_have_text("No guests yet")
    await page.locator("#new-guest").click()
    await asked(page, "Name").fill("Demo Spouse")
    await asked(page, "Email").fill("spouse@example.org")
    await page.get_by_role("button", name="Create guest").click()
    await says(page, "Demo Spouse was created.")
    [guest] = (await clinic.words.call(clinic.words.clinician, "guest.list"))["guests"]
    await join(clinic, group, guest_id=guest["id"])

    await change(page, "Demo Spouse", "Edit")
    await asked(page, "Telephone").fill("555-0100")
    await asked(page, "Notes").fill("Prefers mornings")
    await page.get_by_role("button", name="Save").click()
    await says(page, "Saved.")
    row = page.locator(f'[data-guest-id="{guest["id"]}"]')
    await expect(row).to_contain_text("spouse@example.org · 555-0100")
    await expect(row.locator(".noted")).to_have_text("Prefers mornings")
    await change(page, "Demo Spouse", "Deactivate")
    await page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    await says(page, "Demo Spouse is not active any more.")
    await page.get_by_role("combobox", name="Status").select_option("Not active")
    await change(page, "Demo Spouse", "Make active again")
    await page.get_by_role("combobox", name="Status").select_option("Active")
    await change(page, "Demo Spouse", "Has become a patient")
    await asked(page, "Patient").select_option(label="Demo Patient")
    await page.get_by_role("button", name="Link").click()
    await says(page, "Demo Spouse is linked to the patient.")
    await page.get_by_role("combobox", name="Status").select_option("Any")
    await expect(row.locator(".tag")).to_have_text("Became a patient")
    await expect(row.get_by_role("link", name="The patient")).to_be_visible()


async def test_nurse_and_receptionist_see_no_notes_and_what_they_may(open_page: OpenPage, clinic: Clinic) -> None:
    group = await group_of(clinic)
    await clinic.words.call(
        clinic.words.clinician, "group_member.add", group_id=group, member_type="patient",
        patient_id=clinic.people["demo-patient"], notes="Only for clinicians",
    )  # fmt: skip
    for who, adds in (("demo-nurse", 1), ("demo-receptionist", 0)):
        page = await open_page(f"/portal?as={who}#/groups/{group}")
        await expect(page.locator("#members-of-group li")).to_have_count(1)
        await expect(page.locator("#add-members")).to_have_count(adds)
        for button in ("Change", "Edit", "Archive"):
            await expect(page.get_by_role("button", name=button)).to_have_count(0)
        assert "Only for clinicians" not in await page.content()


async def test_who_may_not_see_groups_has_no_way_there(open_page: OpenPage, clinic: Clinic) -> None:
    await clinic.words.sql(
        "update roles set permissions = '{patient.read}' where name = 'NURSE' and organization_id = $1",
        clinic.words.organization_id,
    )
    page = await open_page("/portal?as=demo-nurse#/groups")
    await expect(page.locator("#to-patients")).to_be_visible()
    await expect(page.locator("#to-groups")).to_have_count(0)
    assert page.url.endswith("#/")


async def test_a_group_that_is_not_there(open_page: OpenPage) -> None:
    page = await open_page(f"{GROUPS}/grp_00000000000000000000")
    await says(page, "There is no such group.")
    await expect(page.locator("#members-of-group")).to_be_hidden()


async def test_a_group_is_given_a_channel_and_lets_it_go(open_page: OpenPage, clinic: Clinic) -> None:
    doctor = clinic.words.clinician
    group = await group_of(clinic, "demo-patient", name="Monday", facilitator_id=doctor)
    page = await open_page(f"{GROUPS}/{group}")
    await page.get_by_role("button", name="Give it a channel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Give it a channel").click()
    await says(page, "The channel is being made.")
    await expect(page.locator("#group .facts")).to_contain_text("Group channelBeing made")
    async with clinic.words.database.transaction() as tx:  # the worker's part
        await following.carry_out(tx, {"organization_id": clinic.words.organization_id, "group_id": group})
    await expect(page.get_by_role("link", name="Open the channel")).to_be_visible()
    await expect(page.locator("#members-of-group li")).to_contain_text("in the group’s channel")
    await page.get_by_role("button", name="Let the channel go").click()
    await page.get_by_role("button", name="Let it go").click()
    await expect(page.locator("#group .facts")).to_contain_text("does not follow the roster")
    await page.get_by_role("link", name="Open the channel").click()
    await expect(page.locator("#title")).to_have_text("Monday")


async def test_a_group_without_a_facilitator_is_refused_a_channel(open_page: OpenPage, clinic: Clinic) -> None:
    page = await open_page(f"{GROUPS}/{await group_of(clinic)}")
    await page.get_by_role("button", name="Give it a channel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Give it a channel").click()
    await says(page, "Give the group a facilitator first: they are in its channel from the start.")


async def test_the_groups_of_a_patient(open_page: OpenPage, clinic: Clinic) -> None:
    guest = await guest_of(clinic, "Demo Spouse")
    left = await group_of(clinic, name="Grief", type="therapy")
    row = await join(clinic, left, guest_id=guest)
    await group_of(clinic, "demo-patient", name="Monday")
    ask, doctor = clinic.words.call, clinic.words.clinician
    await ask(doctor, "group_member.remove", group_id=left, group_member_id=row)
    await ask(doctor, "guest.link", guest_id=guest, patient_id=clinic.people["demo-patient"])
    page = await open_page(f"/portal?as=demo-clinician#/patients/{clinic.people['demo-patient']}")
    rows = page.locator("#patients-groups li")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("MondaySupport · Since")
    await expect(rows.last).to_contain_text("GriefLeftTherapy · From")
    await expect(rows.last).to_contain_text("as a guest")
    await rows.first.get_by_role("link").click()
    await expect(page.locator("#members-of-group").get_by_role("link", name="Demo Patient")).to_be_visible()
    await page.locator("#members-of-group").get_by_role("link", name="Demo Patient").click()
    await expect(page.locator("#patient-title")).to_be_focused()

"""What the schema itself keeps of the roster: rows that make no sense cannot be written, whoever writes them."""

from typing import Any

import asyncpg

from server.chat import reencryption
from server.crypto import KeyRing
from server.ids import EncounterId, GroupId, GroupMemberId, GuestId, NoteId, SubmissionId
from tests.roster.test_encounters import session, visit
from tests.roster.test_members import add, group, guest
from tests.roster.test_notes import note, notes
from tests.support.cast import MASTER, Clinic
from tests.test_schema_rules import broken

INDEXES = {
    "ix_groups_org_status": "(organization_id, status)",
    "ix_group_members_group_status": "(organization_id, group_id, status)",
    "ix_group_members_unique_patient":
        "(organization_id, group_id, patient_id) WHERE ((status = 'active'::text) AND (member_type = 'patient'::text))",
    "ix_group_members_unique_guest":
        "(organization_id, group_id, guest_id) WHERE ((status = 'active'::text) AND (member_type = 'guest'::text))",
    "ix_encounters_group_id": "(organization_id, group_id)",
    "ix_encounters_org_subject_type": "(organization_id, subject_type)",
}  # fmt: skip
COLUMNS = {
    "guests": "id organization_id display_name contact notes is_active created_by_user",
    "groups": "id organization_id name description type status max_participants facilitator_id custom_data created_by_user",
    "group_members": "id organization_id group_id member_type patient_id guest_id joined_at left_at status notes",
    "group_form_submissions": "id organization_id encounter_id group_id participant_type patient_id guest_id form_id "
    "external_submission_id submitted_at submission_metadata",
    "encounters": "organization_id subject_type group_id patient_id",
}
"""Of the seed; organization_id stands on every one (domain.md §5)."""


async def insert(clinic: Clinic, table: str, **values: Any) -> str:
    """Write a row that a rule forbids; the name of the rule."""
    values = {"organization_id": clinic.organization_id} | values
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    return await broken(clinic, f"insert into {table} ({', '.join(values)}) values ({places})", *values.values())


async def test_indexes_and_columns_have_the_names_that_the_seed_gives_them(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("select indexname, indexdef from pg_indexes where indexname = any ($1)", list(INDEXES))
    assert {row["indexname"]: row["indexdef"].partition(" USING btree ")[2] for row in rows} == INDEXES
    unique = {row["indexname"] for row in rows if "UNIQUE" in row["indexdef"]}
    assert unique == {"ix_group_members_unique_patient", "ix_group_members_unique_guest"}
    for table, columns in COLUMNS.items():
        found = await owner.fetch(
            "select column_name from information_schema.columns where table_schema = 'public' and table_name = $1",
            table,
        )
        assert set(columns.split()) <= {row["column_name"] for row in found}, table


async def test_a_member_is_one_patient_or_one_guest_and_that_once(clinic: Clinic) -> None:
    group_id, patient, who = await group(clinic), await clinic.patient(), await guest(clinic)
    for wrong in (
        {"member_type": "patient"}, {"member_type": "patient", "guest_id": who}, {"member_type": "guest", "patient_id": patient},
        {"member_type": "patient", "patient_id": patient, "guest_id": who},
    ):  # fmt: skip
        name = await insert(clinic, "group_members", id=GroupMemberId.new(), group_id=group_id, **wrong)
        assert name == "group_members_one_reference"
    for one, index in ((patient, "ix_group_members_unique_patient"), (who, "ix_group_members_unique_guest")):
        await add(clinic, group_id, one)
        kind = "patient" if one == patient else "guest"
        again = {"member_type": kind, f"{kind}_id": one}
        assert await insert(clinic, "group_members", id=GroupMemberId.new(), group_id=group_id, **again) == index
    update = "update group_members set {} where group_id = $1"
    assert await broken(clinic, update.format("status = 'left'"), group_id) == "group_members_left_once"
    assert await broken(clinic, update.format("left_at = now()"), group_id) == "group_members_left_once"
    early = update.format("status = 'left', left_at = joined_at - interval '1 second'")
    assert await broken(clinic, early, group_id) == "group_members_check"
    assert await broken(clinic, update.format("notes = ''"), group_id) == "group_members_notes_closed"
    assert await broken(clinic, update.format("status = 'gone'"), group_id) == "group_members_status_check"


async def test_an_encounter_is_with_one_patient_or_one_group(clinic: Clinic) -> None:
    group_id, patient = await group(clinic), await clinic.patient()
    more = {
        "encounter_date": (await clinic.sql("select now() as at"))[0]["at"],
        "type": "x",
        "created_by_user": clinic.clinician,
    }
    for wrong in (
        {"subject_type": "group"}, {"subject_type": "group", "patient_id": patient}, {"group_id": group_id}, {},
        {"subject_type": "group", "group_id": group_id, "patient_id": patient},
        {"subject_type": "patient", "group_id": group_id, "patient_id": patient},
    ):  # fmt: skip
        assert await insert(clinic, "encounters", id=EncounterId.new(), **more, **wrong) == "encounters_one_subject"
    made = await session(clinic, group_id)
    update = "update encounters set {} where id = $1"
    for change, name in (
        ("finalized_at = now(), documentation_status = 'complete'", "encounters_finalized_by_somebody"),
        ("finalized_at = now(), finalized_by = created_by_user", "encounters_finalized_are_documented"),
        ("documentation_status = 'other'", "encounters_documentation_status_check"),
        ("chief_complaint = ''", "encounters_chief_complaint_closed"),
    ):
        assert await broken(clinic, update.format(change), made["id"]) == name


async def test_notes_and_submissions_name_one_participant(clinic: Clinic) -> None:
    group_id, patient, who = await group(clinic), await clinic.patient(), await guest(clinic)
    made, alone = await session(clinic, group_id), await visit(clinic, patient)
    [key] = await clinic.sql("select id from organization_keys where organization_id = $1", clinic.organization_id)
    written = {"note_type": "x", "author_id": clinic.clinician, "key_id": key["id"], "content": b""}
    answered = {"group_id": group_id, "form_id": "x"}
    for wrong in (
        {"participant_type": "patient"}, {"participant_type": "guest", "patient_id": patient}, {"patient_id": patient},
        {"participant_type": "patient", "patient_id": patient, "guest_id": who}, {"guest_id": who},
    ):  # fmt: skip
        found = await insert(clinic, "encounter_notes", id=NoteId.new(), encounter_id=made["id"], **written, **wrong)
        assert found == "encounter_notes_one_participant"
        if "participant_type" in wrong:
            where = {"id": SubmissionId.new(), "encounter_id": made["id"]}
            found = await insert(clinic, "group_form_submissions", **where, **answered, **wrong)
            assert found == "group_form_submissions_one_reference"
    of_another = {"id": SubmissionId.new(), "participant_type": "patient", "patient_id": patient, "form_id": "x"}
    for encounter, where in ((alone, group_id), (made, await group(clinic))):
        found = await insert(
            clinic, "group_form_submissions", encounter_id=encounter["id"], group_id=where, **of_another
        )
        assert found == "group_form_submissions_organization_id_encounter_id_group__fkey"


async def test_groups_and_guests_are_what_they_may_be(clinic: Clinic) -> None:
    who = {"created_by_user": clinic.clinician}
    for wrong, name in (
        ({"type": "other"}, "groups_type_check"), ({"status": "gone"}, "groups_status_check"),
        ({"name": ""}, "groups_name_check"),
        ({"max_participants": 0}, "groups_max_participants_check"), ({"custom_data": "[]"}, "groups_custom_data_check"),
        ({"channel_status": "active"}, "groups_channel_followed"), ({"id": "grp25121304229e0j"}, "groups_id_check"),
    ):  # fmt: skip
        values = {"id": GroupId.new(), "name": "Group", "type": "therapy"} | who | wrong
        assert await insert(clinic, "groups", **values) == name
    care = await clinic.care_team(await clinic.patient())
    tied = {
        "id": GroupId.new(),
        "name": "Group",
        "type": "therapy",
        "channel_id": care,
        "channel_status": "active",
    } | who
    assert await insert(clinic, "groups", **tied) == "groups_organization_id_channel_id_channel_kind_fkey"
    patient = await clinic.patient()
    linked = {"id": GuestId.new(), "display_name": "Guest", "patient_id": patient} | who
    assert await insert(clinic, "guests", **linked) == "guests_linked_are_over"


async def test_what_is_written_is_closed_anew_under_a_new_key(clinic: Clinic, owner: asyncpg.Connection) -> None:
    group_id, patient = await group(clinic), await clinic.patient()
    await add(clinic, group_id, patient, notes="Of the member")
    who = await guest(clinic, notes="Of the guest")
    made = await session(clinic, group_id, chief_complaint="Of the session")
    await note(clinic, made, "Of all")

    async def words() -> list[str | None]:
        members = await clinic.call(clinic.clinician, "group_member.list", group_id=group_id)
        shown = await clinic.call(clinic.clinician, "guest.get", guest_id=who)
        encounter = await clinic.call(clinic.clinician, "encounter.get", encounter_id=made["id"])
        return [
            members["members"][0]["notes"],
            shown["notes"],
            encounter["chief_complaint"],
            *await notes(clinic, made),
        ]

    expected = ["Of the member", "Of the guest", "Of the session", "Of all"]
    assert await words() == expected
    await owner.execute(
        "update organization_keys set retired_at = now() where organization_id = $1", clinic.organization_id
    )
    await owner.execute(
        "insert into organization_keys (organization_id, id, wrapped) values ($1, $2, $3)",
        *(clinic.organization_id, *MASTER.make(clinic.organization_id)),
    )
    for dry_run in (True, False, False):
        progress = reencryption.Progress()
        while await reencryption.next_batch(owner, KeyRing(MASTER, owner), progress, dry_run):
            pass
        mine = [id for id in progress.unopened if id in (group_id, who, made["id"])]
        assert mine == []
    for table in ("encounter_notes", "encounters", "group_members", "guests"):
        left = await owner.fetchval(
            f"""select count(*) from {table} r
                  join organization_keys k on (k.organization_id, k.id) = (r.organization_id, r.key_id)
                 where k.retired_at is not null and r.organization_id = $1""",
            clinic.organization_id,
        )
        assert left == 0, table
    clinic.database.keys = KeyRing(MASTER, clinic.database)
    assert await words() == expected

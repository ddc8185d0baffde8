"""Notes: encrypted, on record, about the whole or about one, and then in nobody else's view; and form submissions."""

import json
from typing import Any

import asyncpg
import pytest

from server.errors import Conflict, Invalid, NotFound, Unavailable
from server.ids import EncounterId, GuestId, PatientId
from tests.roster.test_encounters import DATE, session, visit
from tests.roster.test_members import add, add_batch, group, guest, patients
from tests.support.cast import Clinic


async def note(
    clinic: Clinic, encounter: dict[str, Any], content: str, kind: str = "session_note", **more: Any
) -> dict[str, Any]:
    params = {"encounter_id": encounter["id"], "note_type": kind, "content": content} | more
    return dict(await clinic.call(clinic.clinician, "encounter_note.create", **params))


async def notes(clinic: Clinic, encounter: dict[str, Any], **view: str) -> list[str]:
    found = await clinic.call(clinic.clinician, "encounter_note.list", encounter_id=encounter["id"], **view)
    return [one["content"] for one in found["notes"]]


async def submit(clinic: Clinic, encounter: dict[str, Any], who: str, form: str, **more: Any) -> dict[str, Any]:
    kind = "patient" if who.startswith("pa_") else "guest"
    params = {"encounter_id": encounter["id"], "participant_type": kind, f"{kind}_id": who, "form_id": form} | more
    return dict(await clinic.call(clinic.clinician, "form_submission.create", **params))


async def entries(owner: asyncpg.Connection, word: str) -> list[tuple[str | None, str]]:
    """On whose record, and about which encounter, this was recorded."""
    rows = await owner.fetch("select patient_id, facts from audit_entries where operation = $1 order by id", word)
    return [(row["patient_id"], json.loads(row["facts"])["encounter_id"]) for row in rows]


async def test_what_is_about_one_is_in_nobody_elses_view(clinic: Clinic) -> None:
    group_id, spouse = await group(clinic), await guest(clinic)
    one, two = await patients(clinic, 2)
    await add_batch(clinic, group_id, [one, two, spouse])
    made = await session(clinic, group_id)
    await note(clinic, made, "Of all")
    about = await note(clinic, made, "Of one", patient_id=one)
    await note(clinic, made, "Of two", participant_type="patient", patient_id=two)
    await note(clinic, made, "Of the spouse", guest_id=spouse)
    assert (about["participant_type"], about["patient_id"], about["guest_id"]) == ("patient", one, None)
    assert about["author_id"] == clinic.clinician
    assert await notes(clinic, made) == ["Of all", "Of one", "Of two", "Of the spouse"]
    assert await notes(clinic, made, patient_id=one) == ["Of all", "Of one"]
    assert await notes(clinic, made, patient_id=two) == ["Of all", "Of two"]
    assert await notes(clinic, made, guest_id=spouse) == ["Of all", "Of the spouse"]
    assert await notes(clinic, made, patient_id=PatientId.new()) == ["Of all"]
    became = await clinic.patient()
    await clinic.call(clinic.clinician, "guest.link", guest_id=spouse, patient_id=became)
    assert await notes(clinic, made, patient_id=became) == ["Of all", "Of the spouse"]
    assert await notes(clinic, made, guest_id=spouse) == ["Of all", "Of the spouse"]


async def test_notes_are_kept_encrypted_each_for_its_own_place(clinic: Clinic, owner: asyncpg.Connection) -> None:
    made = await session(clinic, await group(clinic))
    first, second = [await note(clinic, made, f"Word-{number}") for number in (1, 2)]
    rows = await owner.fetch("select content from encounter_notes where encounter_id = $1", made["id"])
    assert not [row for row in rows if b"Word" in row["content"]]
    await owner.execute(
        "update encounter_notes set content = (select content from encounter_notes where id = $2) where id = $1",
        *(first["id"], second["id"]),
    )
    with pytest.raises(Unavailable, match="does not open where it stands"):
        await notes(clinic, made)


async def test_who_wrote_and_who_read_is_on_each_ones_record(clinic: Clinic, owner: asyncpg.Connection) -> None:
    group_id, (one, two) = await group(clinic), await patients(clinic, 2)
    await add_batch(clinic, group_id, [one, two])
    made = await session(clinic, group_id)
    await note(clinic, made, "Of all")
    for who in (one, two):
        await note(clinic, made, "Of one", patient_id=who)
    written = [entry for entry in await entries(owner, "encounter_note.create") if entry[1] == made["id"]]
    assert written == [(None, made["id"]), (one, made["id"]), (two, made["id"])]
    await notes(clinic, made)
    await notes(clinic, made, patient_id=two)
    read = [entry for entry in await entries(owner, "encounter_note.read") if entry[1] == made["id"]]
    assert read == [
        *((who, made["id"]) for who in sorted([one, two])),
        (None, made["id"]),
        (two, made["id"]),
        (None, made["id"]),
    ]
    alone = await visit(clinic, one)
    await note(clinic, alone, "Of them")
    assert await notes(clinic, alone) == ["Of them"]
    assert [entry for entry in await entries(owner, "encounter_note.read") if entry[1] == alone["id"]] == [
        (one, alone["id"])
    ]


async def test_a_first_note_begins_the_documentation_and_after_the_end_there_are_addenda(clinic: Clinic) -> None:
    made = await session(clinic, await group(clinic))

    async def documented() -> str:
        found = await clinic.call(clinic.clinician, "encounter.get", encounter_id=made["id"])
        return str(found["documentation_status"])

    await note(clinic, made, "First")
    assert await documented() == "in_progress"
    await clinic.call(clinic.clinician, "encounter.update", encounter_id=made["id"], documentation_status="complete")
    await note(clinic, made, "Second")
    assert await documented() == "complete"
    await clinic.call(clinic.clinician, "encounter.finalize", encounter_id=made["id"])
    with pytest.raises(Conflict, match="finalised"):
        await note(clinic, made, "Third")
    await note(clinic, made, "Fourth", "addendum")
    assert await notes(clinic, made) == ["First", "Second", "Fourth"]


async def test_what_a_note_cannot_be(clinic: Clinic, elsewhere: Clinic) -> None:
    group_id, (member, stranger) = await group(clinic), await patients(clinic, 2)
    await add(clinic, group_id, member)
    made, alone = await session(clinic, group_id), await visit(clinic, member)
    for content in ("", " \n", "\0", "\ud800", "x" * 20_001):
        with pytest.raises(Invalid):
            await note(clinic, made, content)
    assert (await note(clinic, made, f" {'x' * 20_000} "))["content"] == "x" * 20_000
    for nobody in (stranger, PatientId.new(), await elsewhere.patient()):
        for encounter in (made, alone):
            with pytest.raises(Invalid, match="takes no part"):
                await note(clinic, encounter, "Text", patient_id=nobody)
    for nobody in (GuestId.new(), await guest(elsewhere), await guest(clinic)):
        with pytest.raises(Invalid, match="takes no part"):
            await note(clinic, made, "Text", guest_id=nobody)
    assert await note(clinic, alone, "Text", patient_id=member)
    for wrong in (
        {"participant_type": "patient"}, {"participant_type": "guest", "patient_id": member},
        {"patient_id": member, "guest_id": GuestId.new()},
    ):  # fmt: skip
        with pytest.raises(Invalid):
            await note(clinic, made, "Text", **wrong)
    with pytest.raises(Invalid, match="note_type"):
        await note(clinic, made, "Text", "Two words")
    for nowhere in ({"id": EncounterId.new()}, await session(elsewhere, await group(elsewhere))):
        with pytest.raises(NotFound, match="no such encounter"):
            await note(clinic, nowhere, "Text")
        with pytest.raises(NotFound, match="no such encounter"):
            await notes(clinic, nowhere)


async def test_who_has_answered_which_form_and_who_has_not(clinic: Clinic, elsewhere: Clinic) -> None:
    group_id, spouse, (one, two) = await group(clinic), await guest(clinic, "Zoe"), await patients(clinic, 2)
    await add_batch(clinic, group_id, [one, two, spouse])
    made = await session(clinic, group_id)

    async def status() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        found = await clinic.call(clinic.clinician, "form_submission.status", encounter_id=made["id"])
        by_person = {who["patient_id"] or who["guest_id"]: who["form_ids"] for who in found["participants"]}
        missing = {
            form["form_id"]: [w["patient_id"] or w["guest_id"] for w in form["outstanding"]] for form in found["forms"]
        }
        return by_person, missing

    assert await status() == ({one: [], two: [], spouse: []}, {})
    first = await submit(
        clinic,
        made,
        one,
        "phq-9",
        external_submission_id="sub-1",
        submission_metadata={"language": "en"},
        submitted_at=DATE,
    )
    assert first["id"].startswith("gfs_")
    assert (first["group_id"], first["submitted_at"], first["submission_metadata"]) == (
        group_id,
        DATE,
        {"language": "en"},
    )
    await submit(clinic, made, spouse, "phq-9", submitted_at="2025-01-01T00:00:00Z")
    second = await submit(clinic, made, one, "srs")
    assert await status() == (
        {one: ["phq-9", "srs"], two: [], spouse: ["phq-9"]}, {"phq-9": [two], "srs": [two, spouse]},
    )  # fmt: skip
    with pytest.raises(Conflict, match="recorded already"):
        await submit(clinic, made, two, "phq-9", external_submission_id="sub-1")
    await submit(clinic, made, two, "srs", external_submission_id="sub-1")

    async def listed(verb: str, **params: str) -> list[str]:
        found = await clinic.call(clinic.clinician, f"form_submission.{verb}", **params)
        return [one["id"] for one in found["submissions"]]

    assert len(await listed("list", encounter_id=made["id"])) == 4
    assert await listed("list", encounter_id=made["id"], patient_id=one) == [first["id"], second["id"]]
    assert await listed("list_of_patient", patient_id=one) == [first["id"], second["id"]]
    theirs = await listed("list_of_guest", guest_id=spouse)
    assert theirs == await listed("list", encounter_id=made["id"], guest_id=spouse)
    became = await clinic.patient()
    await clinic.call(clinic.clinician, "guest.link", guest_id=spouse, patient_id=became)
    assert await listed("list_of_patient", patient_id=became) == theirs
    with pytest.raises(Invalid, match="encounters with groups"):
        await submit(clinic, await visit(clinic, one), one, "phq-9")
    for nobody in (await clinic.patient(), PatientId.new(), await elsewhere.patient()):
        with pytest.raises(Invalid, match="takes no part"):
            await submit(clinic, made, nobody, "phq-9")
    for wrong in (
        {"form_id": "two words"},
        {"form_id": ""},
        {"external_submission_id": ""},
        {"participant_type": "guest"},
    ):
        with pytest.raises(Invalid):
            await submit(clinic, made, one, "phq-9", **wrong)
    for nowhere in ({"id": EncounterId.new()}, await session(elsewhere, await group(elsewhere))):
        with pytest.raises(NotFound, match="no such encounter"):
            await submit(clinic, nowhere, one, "phq-9")


async def test_what_shows_a_patients_record_stands_on_that_record(clinic: Clinic, owner: asyncpg.Connection) -> None:
    group_id, spouse = await group(clinic), await guest(clinic)
    one, became = await patients(clinic, 2)
    await add_batch(clinic, group_id, [one, spouse])
    made, seen = await session(clinic, group_id), await visit(clinic, one)
    await note(clinic, made, "Of the spouse", guest_id=spouse)
    for who in (one, spouse):
        await submit(clinic, made, who, "phq-9")
    await clinic.call(clinic.clinician, "encounter.update", encounter_id=seen["id"], chief_complaint="Tired")
    roster = (await clinic.call(clinic.clinician, "group_member.list", group_id=group_id))["members"]
    [row] = [member for member in roster if member["patient_id"] == one]
    noted = {"group_id": group_id, "group_member_id": row["id"], "notes": "Comes late"}
    await clinic.call(clinic.clinician, "group_member.update", **noted)
    await clinic.call(clinic.clinician, "guest.link", guest_id=spouse, patient_id=became)

    async def recorded(word: str, operation: str, **params: Any) -> list[str | None]:
        await owner.execute("set session_replication_role = replica; delete from audit_entries")
        await clinic.call(clinic.clinician, operation, **params)
        rows = await owner.fetch("select patient_id from audit_entries where operation = $1", word)
        return sorted([row["patient_id"] for row in rows], key=str)

    both, of_group = sorted([one, became]), {"encounter_id": made["id"]}
    assert await recorded("encounter_note.read", "encounter_note.list", **of_group) == [None, became]
    assert await recorded("form_submission.list", "form_submission.list", **of_group) == [None, *both]
    one_only = await recorded("form_submission.list", "form_submission.list", **of_group, patient_id=one)
    assert one_only == [None, one]
    assert await recorded("form_submission.list", "form_submission.list_of_guest", guest_id=spouse) == [became]
    assert await recorded("guest.read", "guest.get", guest_id=spouse) == [became]
    assert await recorded("encounter.list", "encounter.list") == [None, one]
    assert await recorded("encounter.list", "encounter.list", patient_id=one) == [one]
    assert await recorded("group_member.list", "group_member.list", group_id=group_id) == [None, one]

"""Patients and team members: made with what it takes, listed by name, and refused with what is wrong."""

import asyncio
from typing import Any

import asyncpg
import pytest

from server.errors import Conflict, Invalid, NotFound
from server.ids import PatientGroupId, PatientId, TeamMemberId
from tests.support.cast import Clinic


async def create_patient(clinic: Clinic, **changes: Any) -> Any:
    wanted = {"legal_name": "Patient 1", "email": "one@clinic.invalid", "allocation_clinician_id": clinic.clinician}
    return await clinic.call(clinic.clinician, "patient.create", **wanted | changes)


async def create_member(clinic: Clinic, **changes: Any) -> Any:
    wanted = {"name": "Team Member 1", "email": "one@clinic.invalid", "role": "NURSE"}
    return await clinic.call(clinic.clinician, "team_member.create", **wanted | changes)


async def test_a_patient_is_made_and_read_back(clinic: Clinic) -> None:
    made = await create_patient(clinic, legal_name="  Patient 1 ", preferred_name="P. One")
    assert made["legal_name"] == "Patient 1"
    assert (made["preferred_name"], made["display_name"], made["status"], made["care_team"]) == (
        "P. One", None, "active", "none",
    )  # fmt: skip
    [group] = await clinic.sql("select id from patient_groups where organization_id = $1", clinic.organization_id)
    assert made["patient_group_id"] == group["id"]
    assert await clinic.call(clinic.clinician, "patient.get", patient_id=made["id"]) == made
    assert (await clinic.call(clinic.clinician, "patient.list"))["patients"] == [made]


async def test_a_team_member_is_made_and_read_back(clinic: Clinic) -> None:
    made = await create_member(clinic)
    assert (made["role"], made["status"]) == ("NURSE", "active")
    assert await clinic.call(made["id"], "team_member.get", team_member_id=made["id"]) == made
    listed = await clinic.call(made["id"], "team_member.list")
    assert [member["id"] for member in listed["team_members"]] == [clinic.clinician, made["id"]]
    await clinic.archive(made["id"])
    shown = await clinic.call(clinic.clinician, "team_member.get", team_member_id=made["id"])
    assert shown["status"] == "archived"


async def test_the_allocation_clinician_is_an_active_one_of_ours(clinic: Clinic, elsewhere: Clinic) -> None:
    archived = await clinic.team_member()
    await clinic.archive(archived)
    with pytest.raises(Conflict, match=r"allocation_clinician_id.*archived.*Name an active one"):
        await create_patient(clinic, allocation_clinician_id=archived)
    for nobody in (TeamMemberId.new(), elsewhere.clinician):
        with pytest.raises(Invalid, match=r"allocation_clinician_id.*no such team member"):
            await create_patient(clinic, allocation_clinician_id=nobody)
    for wrong in (await clinic.patient(), None, "", 7, "tm_short"):
        with pytest.raises(Invalid, match="allocation_clinician_id"):
            await create_patient(clinic, allocation_clinician_id=wrong)
    theirs = await elsewhere.sql("select id from patient_groups where organization_id = $1", elsewhere.organization_id)
    for group in (PatientGroupId.new(), theirs[0]["id"]):
        with pytest.raises(Invalid, match=r"patient_group_id.*no such patient group"):
            await create_patient(clinic, patient_group_id=group)
    assert len((await clinic.call(clinic.clinician, "patient.list"))["patients"]) == 1


async def test_a_clinician_archived_meanwhile_is_not_allocated(clinic: Clinic, owner: asyncpg.Connection) -> None:
    """Whoever is being archived is locked: the new patient waits, and then is refused."""
    leaving = await clinic.team_member()
    await owner.execute("begin")
    await owner.execute("update people set status = 'archived' where id = $1", leaving)
    creating = asyncio.create_task(create_patient(clinic, allocation_clinician_id=leaving))
    await asyncio.wait({creating}, timeout=0.1)
    await owner.execute("commit")
    with pytest.raises(Conflict, match="archived"):
        await creating


async def test_an_email_address_is_taken_once_whatever_its_case(clinic: Clinic, elsewhere: Clinic) -> None:
    await create_patient(clinic, email="Some.One@Clinic.invalid")
    for again in ("some.one@clinic.invalid", " SOME.ONE@CLINIC.INVALID "):
        with pytest.raises(Conflict, match="this email address already"):
            await create_patient(clinic, email=again)
        with pytest.raises(Conflict, match="this email address already"):
            await create_member(clinic, email=again)
    await create_member(elsewhere, email="some.one@clinic.invalid")
    told = await asyncio.gather(
        *(create_member(clinic, email="At@Once.invalid") for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in told) == ["Conflict"] * 4 + ["dict"]


async def test_a_role_is_one_of_the_organisations(clinic: Clinic, elsewhere: Clinic) -> None:
    await elsewhere.sql("insert into roles values ($1, 'HEALER', '{}')", elsewhere.organization_id)
    for unknown in ("HEALER", "WIZARD"):
        with pytest.raises(Invalid, match=r"role.*no such role"):
            await create_member(clinic, role=unknown)
    for wrong in ("nurse", "", "A" * 41, None, 7, "NURSE\n", "NURSE'; drop table people; --"):
        with pytest.raises(Invalid, match="role"):
            await create_member(clinic, role=wrong)
    assert (await create_member(elsewhere, role="HEALER"))["role"] == "HEALER"


WRONG_NAMES = (
    "",
    "   ",
    "a\0b",
    "a\nb",
    "\u202eabc",
    "a\u200bb",
    "\ufeffa",
    "a\u2066b",
    "\ud800",
    "\ue000",
    "x" * 201,
    None,
    7,
)
WRONG_EMAILS = (
    "",
    "nobody",
    "a@",
    "@b",
    "a b@c",
    "a@b@c",
    "a@b\nc",
    "a@\u200bb",
    "x" * 65 + "@b",
    "a@" + "b" * 255,
    None,
    "a\0@b",
)


async def test_names_and_addresses_that_deceive_or_break_are_refused(clinic: Clinic) -> None:
    for name in WRONG_NAMES:
        with pytest.raises(Invalid, match=r"legal_name|lone surrogate"):
            await create_patient(clinic, legal_name=name)
        with pytest.raises(Invalid, match=r"(^|; )name|lone surrogate"):
            await create_member(clinic, name=name)
    for email in WRONG_EMAILS:
        with pytest.raises(Invalid, match="email"):
            await create_patient(clinic, email=email)
    assert (await clinic.call(clinic.clinician, "patient.list"))["patients"] == []


async def test_names_are_kept_as_people_write_them(clinic: Clinic) -> None:
    names = ["Ａ", "Nguyễn Văn", "O'Neil-Smith, Jr.", "李", "עברית", "x" * 200, "'; drop table people; --", "%_\\"]
    for number, name in enumerate(names):
        made = await create_patient(clinic, legal_name=name, email=f"{number}@clinic.invalid")
        assert (await clinic.call(clinic.clinician, "patient.get", patient_id=made["id"]))["legal_name"] == name
    decomposed = await create_patient(clinic, legal_name="e\u0301", email="decomposed@clinic.invalid")
    assert decomposed["legal_name"] == "é"


async def test_pages_show_everybody_once_in_the_order_of_names(clinic: Clinic) -> None:
    for number in range(7):
        name = ("b", "A", "a")[number % 3]  # equal names, in either case, go by id
        await create_patient(clinic, legal_name=name, email=f"{number}@clinic.invalid")
    seen: list[Any] = []
    more, after = True, {}
    while more:
        page = await clinic.call(clinic.clinician, "patient.list", limit=2, **after)
        more, seen = page["more"], seen + page["patients"]
        after = {"after": seen[-1]["id"]}
    assert [(one["legal_name"].lower(), one["id"]) for one in seen] == sorted(
        (one["legal_name"].lower(), one["id"]) for one in seen
    )
    assert len({one["id"] for one in seen}) == 7
    assert (await clinic.call(clinic.clinician, "patient.list", **after)) == {"patients": [], "more": False}
    for wrong in (0, 201, -1, "x"):
        with pytest.raises(Invalid, match="limit"):
            await clinic.call(clinic.clinician, "team_member.list", limit=wrong)


async def test_who_is_not_there_is_not_found(clinic: Clinic, elsewhere: Clinic) -> None:
    for nobody in (PatientId.new(), await elsewhere.patient()):
        with pytest.raises(NotFound, match=r"^There is no such patient.$"):
            await clinic.call(clinic.clinician, "patient.get", patient_id=nobody)
    for nobody in (TeamMemberId.new(), elsewhere.clinician):
        with pytest.raises(NotFound, match=r"^There is no such team member.$"):
            await clinic.call(clinic.clinician, "team_member.get", team_member_id=nobody)


async def test_me_is_who_asks(clinic: Clinic) -> None:
    patient = await clinic.patient()
    mine, theirs = await clinic.call(clinic.clinician, "me"), await clinic.call(patient, "me")
    assert mine["person"] == {"id": clinic.clinician, "kind": "team_member", "name": "Clinician"}
    assert "team.manage" in mine["permissions"]
    assert (theirs["person"]["id"], theirs["person"]["kind"], theirs["permissions"]) == (patient, "patient", [])
    assert mine["organization"]["id"] == clinic.organization_id


async def test_an_archived_patient_is_told_how_else_to_reach_the_clinic_whatever_channels_they_have(
    clinic: Clinic,
) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    await clinic.channel("group", clinic.clinician, patient, other)
    assert (await clinic.call(patient, "me"))["other_ways"] is None
    await clinic.call(clinic.clinician, "patient.archive", patient_id=patient)
    assert (await clinic.call(patient, "channel.list"))["channels"] == []
    assert (await clinic.call(patient, "me"))["other_ways"] == []
    await clinic.call(clinic.clinician, "organization.update", contact_text="Call the front desk.")
    [cohort] = (await clinic.call(clinic.clinician, "patient_group.list"))["patient_groups"]
    await clinic.call(
        clinic.clinician, "patient_group.update", patient_group_id=cohort["id"], crisis_services="The crisis line."
    )
    assert (await clinic.call(patient, "me"))["other_ways"] == ["Call the front desk.", "The crisis line."]
    for person in (other, clinic.clinician):
        assert (await clinic.call(person, "me"))["other_ways"] is None

"""Groups, guests and a patient's groups: read, changed, archived; and a guest who becomes a patient."""

from typing import Any

import pytest

from server.errors import Conflict, Invalid, NotFound
from server.ids import GroupId, GuestId, PatientId, TeamMemberId
from tests.roster.test_members import active, add, group, guest, roster
from tests.support.cast import Clinic


async def names(clinic: Clinic, **filters: Any) -> list[str]:
    found = await clinic.call(clinic.clinician, "group.list", **filters)
    return [one["name"] for one in found["groups"]]


async def test_a_group_is_as_it_was_made_and_changed(clinic: Clinic) -> None:
    facilitator = await clinic.team_member()
    made = await clinic.call(
        clinic.clinician, "group.create", name="Depression support, Mondays", type="support", max_participants=12,
        facilitator_id=facilitator, description="Weekly", custom_data={"room": "2", "nested": [1, {"a": None}]},
    )  # fmt: skip
    assert made["id"].startswith("grp_")
    assert made == await clinic.call(clinic.clinician, "group.get", group_id=made["id"])
    assert (made["status"], made["active_members"], made["channel"], made["channel_id"]) == ("active", 0, "none", None)
    assert (made["facilitator_id"], made["custom_data"]) == (facilitator, {"room": "2", "nested": [1, {"a": None}]})
    assert made["created_by_user"] == clinic.clinician
    changes: dict[str, Any] = {"name": "Tuesdays", "type": "therapy", "max_participants": None, "custom_data": {}}
    changed = await clinic.call(clinic.clinician, "group.update", group_id=made["id"], **changes)
    assert changed == made | changes
    changed = await clinic.call(clinic.clinician, "group.update", group_id=made["id"], facilitator_id=None)
    assert (changed["facilitator_id"], changed["facilitator_name"]) == (None, None)
    assert await clinic.call(clinic.clinician, "group.update", group_id=made["id"]) == changed


async def test_groups_are_listed_by_name_status_type_and_facilitator(clinic: Clinic) -> None:
    leader = await clinic.team_member()
    for name, more in (("b", {"type": "therapy"}), ("A", {"type": "education", "facilitator_id": leader}), ("c", {})):
        await group(clinic, name=name, **more)
    old = await group(clinic, name="d")
    await clinic.call(clinic.clinician, "group.archive", group_id=old)
    assert await names(clinic) == ["A", "b", "c", "d"]
    assert await names(clinic, status="active") == ["A", "b", "c"]
    assert await names(clinic, status="archived") == ["d"]
    assert await names(clinic, type="therapy") == ["b"]
    assert await names(clinic, facilitator_id=leader) == ["A"]
    page = await clinic.call(clinic.clinician, "group.list", limit=3)
    assert page["more"]
    assert await names(clinic, after=page["groups"][-1]["id"]) == ["d"]


async def test_what_a_group_cannot_be(clinic: Clinic, elsewhere: Clinic) -> None:
    made, gone = await group(clinic), await clinic.team_member()
    await clinic.archive(gone)
    for wrong in (
        {"name": " "}, {"type": "other"}, {"max_participants": 0}, {"custom_data": []}, {"name": None}, {"type": None},
        {"custom_data": None}, {"description": None}, {"custom_data": {"a": "x" * 10_001}}, {"custom_data": {"a": "\0"}},
        {"facilitator_id": TeamMemberId.new()}, {"facilitator_id": await elsewhere.team_member()},
    ):  # fmt: skip
        with pytest.raises(Invalid):
            await clinic.call(clinic.clinician, "group.update", group_id=made, **wrong)
        if list(wrong.values()) != [None]:
            with pytest.raises(Invalid):
                await clinic.call(clinic.clinician, "group.create", **{"name": "Group", "type": "support"} | wrong)
    with pytest.raises(Conflict, match="archived"):
        await clinic.call(clinic.clinician, "group.update", group_id=made, facilitator_id=gone)
    for nowhere in (GroupId.new(), await group(elsewhere)):
        for verb in ("get", "update", "archive", "unarchive"):
            with pytest.raises(NotFound, match="no such group"):
                await clinic.call(clinic.clinician, f"group.{verb}", group_id=nowhere)


async def test_a_group_holds_no_more_than_it_may(clinic: Clinic) -> None:
    made = await group(clinic)
    for _ in range(2):
        await add(clinic, made, await clinic.patient())
    with pytest.raises(Conflict, match="2 members are active"):
        await clinic.call(clinic.clinician, "group.update", group_id=made, max_participants=1)
    await clinic.call(clinic.clinician, "group.update", group_id=made, max_participants=2)


async def test_an_archived_group_keeps_all_it_has_and_takes_no_changes(clinic: Clinic) -> None:
    made, who = await group(clinic), await clinic.patient()
    row = await add(clinic, made, who)
    for _ in range(2):
        assert (await clinic.call(clinic.clinician, "group.archive", group_id=made))["status"] == "archived"
    assert await active(clinic, made) == [who]
    with pytest.raises(Conflict, match="archived"):
        await clinic.call(clinic.clinician, "group.update", group_id=made, name="Other")
    await clinic.call(clinic.clinician, "group_member.remove", group_id=made, group_member_id=row["id"])
    for _ in range(2):
        assert (await clinic.call(clinic.clinician, "group.unarchive", group_id=made))["status"] == "active"
    await clinic.call(clinic.clinician, "group_member.rejoin", group_id=made, group_member_id=row["id"])


async def test_a_guest_is_as_they_were_made_and_changed(clinic: Clinic) -> None:
    made = await clinic.call(
        clinic.clinician,
        "guest.create",
        display_name="A member's mother",
        contact={"phone": "555-1234"},
        notes="Hard of hearing",
    )
    where = {"guest_id": made["id"]}
    assert made == await clinic.call(clinic.clinician, "guest.get", **where)
    assert (made["contact"], made["is_active"], made["patient_id"]) == ({"phone": "555-1234"}, True, None)
    [kept] = await clinic.sql("select notes from guests where id = $1", made["id"])
    assert b"hearing" not in kept["notes"]
    receptionist = await clinic.team_member("RECEPTIONIST")
    assert await clinic.call(receptionist, "guest.get", **where) == made | {"notes": None}
    changed = await clinic.call(clinic.clinician, "guest.update", **where, display_name="Aunt", contact={})
    assert changed == made | {"display_name": "Aunt", "contact": {}}
    assert (await clinic.call(clinic.clinician, "guest.update", **where, notes=None))["notes"] is None
    for wrong in ({"display_name": None}, {"contact": None}, {"display_name": ""}, {"contact": {"a": "\ud800"}}):
        with pytest.raises(Invalid):
            await clinic.call(clinic.clinician, "guest.update", **where, **wrong)


async def test_a_retired_guest_leaves_all_groups_and_may_come_back(clinic: Clinic, elsewhere: Clinic) -> None:
    first, second, who, other = await group(clinic), await group(clinic), await guest(clinic), await guest(clinic)
    for made in (first, second):
        for one in (who, other):
            await add(clinic, made, one)
    assert not (await clinic.call(clinic.clinician, "guest.deactivate", guest_id=who))["is_active"]
    for made in (first, second):
        assert await active(clinic, made) == [other]
        assert len(await roster(clinic, made)) == 2
    listed = await clinic.call(clinic.clinician, "guest.list", is_active=False)
    assert [one["id"] for one in listed["guests"]] == [who]
    assert (await clinic.call(clinic.clinician, "guest.reactivate", guest_id=who))["is_active"]
    assert await active(clinic, first) == [other]
    await add(clinic, first, who)
    for nowhere in (GuestId.new(), await guest(elsewhere)):
        for verb in ("get", "update", "deactivate", "reactivate"):
            with pytest.raises(NotFound, match="no such guest"):
                await clinic.call(clinic.clinician, f"guest.{verb}", guest_id=nowhere)
        with pytest.raises(NotFound, match="no such guest"):
            await clinic.call(clinic.clinician, "guest.link", guest_id=nowhere, patient_id=await clinic.patient())


async def test_a_guest_who_becomes_a_patient_keeps_their_history_and_their_places(
    clinic: Clinic, elsewhere: Clinic
) -> None:
    full, other, left = await group(clinic, max_participants=1), await group(clinic), await group(clinic)
    who, patient = await guest(clinic), await clinic.patient()
    gone = await clinic.patient()
    await clinic.archive(gone)
    for nobody in (PatientId.new(), await elsewhere.patient()):
        with pytest.raises(Invalid, match="no such patient"):
            await clinic.call(clinic.clinician, "guest.link", guest_id=who, patient_id=nobody)
    with pytest.raises(Conflict, match="archived"):
        await clinic.call(clinic.clinician, "guest.link", guest_id=who, patient_id=gone)
    rows = {made: await add(clinic, made, who) for made in (full, other, left)}
    await clinic.call(clinic.clinician, "group_member.remove", group_id=left, group_member_id=rows[left]["id"])
    await add(clinic, other, patient)  # there already, as a patient
    linked = await clinic.call(clinic.clinician, "guest.link", guest_id=who, patient_id=patient)
    assert (linked["is_active"], linked["patient_id"]) == (False, patient)
    assert await active(clinic, full) == [patient]
    assert await active(clinic, other) == [patient]
    assert await active(clinic, left) == []
    found = (await clinic.call(clinic.clinician, "patient.groups", patient_id=patient))["groups"]
    assert [(one["group_id"], one["member_type"], one["status"]) for one in found] == [
        (full, "patient", "active"), (other, "patient", "active"), (left, "guest", "left"), (other, "guest", "left"),
        (full, "guest", "left"),
    ]  # fmt: skip
    for verb, more in (("link", {"patient_id": patient}), ("reactivate", {})):
        with pytest.raises(Conflict, match="become a patient"):
            await clinic.call(clinic.clinician, f"guest.{verb}", guest_id=who, **more)


async def test_a_patients_groups_are_found_by_the_patient(clinic: Clinic, elsewhere: Clinic) -> None:
    patient = await clinic.patient()
    assert (await clinic.call(clinic.clinician, "patient.groups", patient_id=patient))["groups"] == []
    for nobody in (PatientId.new(), await elsewhere.patient()):
        with pytest.raises(NotFound, match="no such patient"):
            await clinic.call(clinic.clinician, "patient.groups", patient_id=nobody)

"""The roster: who may come in, how often, and how many, also when all come at once."""

import asyncio
from collections.abc import Iterable
from typing import Any

import asyncpg
import pytest

from server.errors import Conflict, Invalid, NotFound, WarmlineError
from server.ids import GroupId, GroupMemberId, GuestId, PatientId
from tests.support.cast import Clinic


async def group(clinic: Clinic, **more: Any) -> str:
    """A new group."""
    made = await clinic.call(clinic.clinician, "group.create", **{"name": "Group", "type": "support"} | more)
    return str(made["id"])


async def guest(clinic: Clinic, name: str = "Guest", **more: Any) -> str:
    """A new guest."""
    return str((await clinic.call(clinic.clinician, "guest.create", display_name=name, **more))["id"])


def naming(who: str) -> dict[str, str]:
    """The parameters that name a patient or a guest."""
    kind = "patient" if who.startswith("pa_") else "guest"
    return {"member_type": kind, f"{kind}_id": who}


async def add(clinic: Clinic, group_id: str, who: str, **more: Any) -> dict[str, Any]:
    return dict(await clinic.call(clinic.clinician, "group_member.add", group_id=group_id, **naming(who), **more))


async def add_batch(clinic: Clinic, group_id: str, people: Iterable[str]) -> dict[str, Any]:
    members = [naming(who) for who in people]
    return dict(await clinic.call(clinic.clinician, "group_member.add_batch", group_id=group_id, members=members))


async def roster(clinic: Clinic, group_id: str, **more: Any) -> list[dict[str, Any]]:
    found = await clinic.call(clinic.clinician, "group_member.list", group_id=group_id, **more)
    return list(found["members"])


async def active(clinic: Clinic, group_id: str) -> list[str]:
    return [row["patient_id"] or row["guest_id"] for row in await roster(clinic, group_id, status="active")]


async def patients(clinic: Clinic, count: int) -> list[PatientId]:
    return [await clinic.patient() for _ in range(count)]


async def patiently(clinic: Clinic, group_id: str, who: str) -> dict[str, Any]:
    """Add somebody, and again for as long as that may succeed later: on a machine that is busy, a line of two hundred is long."""
    while True:
        try:
            return await add(clinic, group_id, who)
        except WarmlineError as refused:
            if not refused.temporary:
                raise


async def test_of_two_hundred_who_come_at_once_twelve_get_in_and_the_others_are_told_why(clinic: Clinic) -> None:
    group_id, people = await group(clinic, max_participants=12), await patients(clinic, 200)
    ended = await asyncio.gather(*(patiently(clinic, group_id, who) for who in people), return_exceptions=True)
    refused = [one for one in ended if isinstance(one, BaseException)]
    assert len(refused) == 188
    assert {str(one) for one in refused} == {
        "This group is full: 12 of 12 places are taken. Remove somebody first, or raise max_participants."
    }
    assert {type(one) for one in refused} == {Conflict}
    rows = await clinic.sql("select status, count(*) as n from group_members where group_id = $1 group by 1", group_id)
    assert [(row["status"], row["n"]) for row in rows] == [("active", 12)]


async def test_the_same_patient_fifty_times_at_once_is_one_member(clinic: Clinic) -> None:
    group_id, who = await group(clinic), await clinic.patient()
    ended = await asyncio.gather(*(patiently(clinic, group_id, who) for _ in range(50)), return_exceptions=True)
    refused = [one for one in ended if isinstance(one, BaseException)]
    assert {str(one) for one in refused} == {"This patient is an active member of this group already."}
    assert len(refused) == 49
    assert [row["patient_id"] for row in await roster(clinic, group_id)] == [who]


async def test_batches_beside_single_adds_and_removals_never_go_beyond_what_fits(clinic: Clinic) -> None:
    group_id, people = await group(clinic, max_participants=10), await patients(clinic, 40)
    first = await add(clinic, group_id, people[0])
    leaving = {"group_id": group_id, "group_member_id": first["id"]}
    ended = await asyncio.gather(
        *(add(clinic, group_id, who) for who in people[:20]),
        *(add_batch(clinic, group_id, people[at : at + 4]) for at in range(0, 40, 4)),
        clinic.call(clinic.clinician, "group_member.remove", **leaving),
        return_exceptions=True,
    )
    assert not [one for one in ended if isinstance(one, BaseException) and not isinstance(one, Conflict)]
    now = await active(clinic, group_id)
    assert len(now) == len(set(now)) <= 10
    found = await clinic.call(clinic.clinician, "group.get", group_id=group_id)
    assert found["active_members"] == len(now)
    if len(now) < 10:  # there is room for one, and not for more than there is
        await add(clinic, group_id, await clinic.patient())


async def test_a_batch_says_what_came_of_each(clinic: Clinic, elsewhere: Clinic) -> None:
    group_id, here = await group(clinic, max_participants=4), await clinic.patient()
    await add(clinic, group_id, here)
    new, gone, spouse, foreign = (
        await clinic.patient(),
        await clinic.patient(),
        await guest(clinic),
        await elsewhere.patient(),
    )
    await clinic.archive(gone)
    members = [
        naming(here), naming(new), naming(new), naming(spouse), naming(gone), naming(foreign), naming(PatientId.new()),
        {"member_type": "patient", "patient_id": "pa_xyz789"}, {"member_type": "guest"},
        naming(spouse) | {"patient_id": new}, {"member_type": "guest", "guest_id": "\0"},
    ]  # fmt: skip
    done = await clinic.call(clinic.clinician, "group_member.add_batch", group_id=group_id, members=members)
    assert (done["created"], done["skipped"]) == (2, 2)
    assert sorted(row["patient_id"] or row["guest_id"] for row in done["items"]) == sorted([new, spouse])
    no_patient = "There is no such patient."
    assert {error["index"]: error["message"] for error in done["errors"]} == {
        4: "This patient is archived. Unarchive them first.", 5: no_patient, 6: no_patient, 7: no_patient,
        8: "guest_id: a guest is named by it. Give one.", 9: "patient_id: this is a guest; leave it out.",
        10: "There is no such guest.",
    }  # fmt: skip
    again = await add_batch(clinic, group_id, [here, new, spouse])
    assert again == {"created": 0, "skipped": 3, "errors": [], "items": []}


async def test_a_batch_beyond_the_capacity_adds_nobody(clinic: Clinic) -> None:
    group_id, people = await group(clinic, max_participants=3), await patients(clinic, 4)
    await add(clinic, group_id, people[0])
    with pytest.raises(Conflict, match="These are 3 new members, and 2 of 3 places are free"):
        await add_batch(clinic, group_id, people)
    assert await active(clinic, group_id) == [people[0]]
    done = await add_batch(clinic, group_id, [people[0], people[1], people[1], people[2]])  # distinct new ones count
    assert (done["created"], done["skipped"]) == (2, 2)


async def test_who_leaves_is_kept_and_comes_back_as_a_new_row(clinic: Clinic) -> None:
    group_id, who = await group(clinic, max_participants=1), await clinic.patient()
    first = await add(clinic, group_id, who, notes="Comes by bus")
    where = {"group_id": group_id, "group_member_id": first["id"]}
    gone = await clinic.call(clinic.clinician, "group_member.remove", **where)
    assert (gone["status"], gone["notes"]) == ("left", "Comes by bus")
    assert gone["left_at"] > gone["joined_at"]
    assert await clinic.call(clinic.clinician, "group_member.remove", **where) == gone
    back = await clinic.call(clinic.clinician, "group_member.rejoin", **where)
    assert back["id"] != first["id"]
    assert (back["status"], back["patient_id"]) == ("active", who)
    with pytest.raises(Conflict, match="active member of this group already"):
        await clinic.call(clinic.clinician, "group_member.rejoin", **where)
    assert [row["id"] for row in await roster(clinic, group_id)] == [first["id"], back["id"]]
    assert [row["id"] for row in await roster(clinic, group_id, status="left")] == [first["id"]]
    await clinic.call(clinic.clinician, "group_member.remove", group_id=group_id, group_member_id=back["id"])
    await add(clinic, group_id, await clinic.patient())
    with pytest.raises(Conflict, match="full"):
        await clinic.call(clinic.clinician, "group_member.rejoin", **where)


async def test_who_cannot_be_added_is_told_why(clinic: Clinic, elsewhere: Clinic) -> None:
    group_id, gone, retired = await group(clinic), await clinic.patient(), await guest(clinic)
    await clinic.archive(gone)
    await clinic.call(clinic.clinician, "guest.deactivate", guest_id=retired)
    for who, error, said in (
        (gone, Conflict, "archived"),
        (retired, Conflict, "not active any more"),
        (PatientId.new(), Invalid, "patient_id: there is no such patient"),
        (await elsewhere.patient(), Invalid, "patient_id: there is no such patient"),
        (GuestId.new(), Invalid, "guest_id: there is no such guest"),
        (await guest(elsewhere), Invalid, "guest_id: there is no such guest"),
    ):
        with pytest.raises(error, match=said):
            await add(clinic, group_id, str(who))
    new = await clinic.patient()
    for wrong in (
        {"member_type": "guest", "patient_id": new},
        naming(new) | {"guest_id": retired},
        {"member_type": "patient"},
    ):
        with pytest.raises(Invalid):
            await clinic.call(clinic.clinician, "group_member.add", group_id=group_id, **wrong)
    for nowhere in (GroupId.new(), await group(elsewhere)):
        with pytest.raises(NotFound, match="no such group"):
            await add(clinic, nowhere, new)
        with pytest.raises(NotFound, match="no such group"):
            await add_batch(clinic, nowhere, [new])
        with pytest.raises(NotFound, match="no such group"):
            await roster(clinic, nowhere)
    for verb in ("remove", "rejoin"):
        with pytest.raises(NotFound, match="no such member"):
            await clinic.call(
                clinic.clinician, f"group_member.{verb}", group_id=group_id, group_member_id=GroupMemberId.new()
            )
    await clinic.call(clinic.clinician, "group.archive", group_id=group_id)
    with pytest.raises(Conflict, match="archived"):
        await add(clinic, group_id, new)
    with pytest.raises(Conflict, match="archived"):
        await add_batch(clinic, group_id, [new])


async def test_a_row_of_one_group_is_not_found_in_another(clinic: Clinic) -> None:
    here, there = await group(clinic), await group(clinic)
    row = await add(clinic, here, await clinic.patient())
    for verb, more in (("remove", {}), ("rejoin", {}), ("update", {"notes": "Note"})):
        with pytest.raises(NotFound, match="no such member"):
            await clinic.call(
                clinic.clinician, f"group_member.{verb}", group_id=there, group_member_id=row["id"], **more
            )
    assert (await roster(clinic, here))[0]["status"] == "active"


async def test_what_is_noted_of_a_member_is_encrypted_and_for_those_who_read_session_notes(clinic: Clinic) -> None:
    group_id, who = await group(clinic), await clinic.patient()
    row = await add(clinic, group_id, who, notes="Feels the cold")
    where = {"group_id": group_id, "group_member_id": row["id"]}
    assert row["notes"] == "Feels the cold"
    [kept] = await clinic.sql("select notes, key_id from group_members where id = $1", row["id"])
    assert b"cold" not in kept["notes"]
    nurse = await clinic.team_member("NURSE")
    [seen] = (await clinic.call(nurse, "group_member.list", group_id=group_id))["members"]
    assert seen == row | {"notes": None}
    changed = await clinic.call(clinic.clinician, "group_member.update", **where, notes="Sits by the door")
    assert changed == row | {"notes": "Sits by the door"}
    assert (await clinic.call(clinic.clinician, "group_member.update", **where, notes=None))["notes"] is None


async def test_a_long_roster_comes_in_pages(clinic: Clinic) -> None:
    group_id, people = await group(clinic), await patients(clinic, 7)
    await add_batch(clinic, group_id, people)
    seen: list[str] = []
    more: dict[str, Any] = {}
    for expected in (3, 3, 1):
        page = await clinic.call(clinic.clinician, "group_member.list", group_id=group_id, limit=3, **more)
        assert (len(page["members"]), page["more"]) == (expected, expected == 3)
        seen += [row["patient_id"] for row in page["members"]]
        more = {"after": page["members"][-1]["id"]}
    assert sorted(seen) == sorted(people)


async def test_an_archived_patient_gets_into_no_group_whoever_is_faster(clinic: Clinic) -> None:
    for _ in range(5):
        group_id, who = await group(clinic), await clinic.patient()
        ended = await asyncio.gather(
            add(clinic, group_id, who), clinic.call(clinic.clinician, "patient.archive", patient_id=who),
            return_exceptions=True,
        )  # fmt: skip
        assert not [one for one in ended if isinstance(one, BaseException) and not isinstance(one, WarmlineError)]
        if isinstance(ended[0], Conflict):
            assert await roster(clinic, group_id) == []


async def test_who_is_being_archived_or_retired_just_now_is_waited_for(
    clinic: Clinic, owner: asyncpg.Connection
) -> None:
    group_id, patient, spouse = await group(clinic), await clinic.patient(), await guest(clinic)
    for who, change, said in (
        (patient, "update people set status = 'archived' where id = $1", "archived"),
        (spouse, "update guests set is_active = false where id = $1", "not active any more"),
    ):
        async with owner.transaction():
            await owner.execute(change, who)
            adding = [
                asyncio.create_task(add(clinic, group_id, who)),
                asyncio.create_task(add_batch(clinic, group_id, [who])),
            ]
            done, _ = await asyncio.wait(adding, timeout=0.3)
            assert not done
        with pytest.raises(Conflict, match=said):
            await adding[0]
        assert (await adding[1])["created"] == 0
    assert await roster(clinic, group_id) == []

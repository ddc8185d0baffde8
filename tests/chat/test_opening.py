"""Opening channels: who may open which, what each kind takes, and that the same people always open the same direct one."""

import asyncio
from typing import Any

import pytest

from server.db import Transaction
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.ids import PatientId, TeamMemberId
from tests.support.cast import Clinic


async def opened(clinic: Clinic, by: str, kind: str, *people: str, **more: Any) -> dict[str, Any]:
    return dict(await clinic.call(by, "channel.open", kind=kind, person_ids=list(people), **more))


async def members(clinic: Clinic, channel: str) -> set[str]:
    rows = await clinic.sql("select person_id from memberships where channel_id = $1 and left_at is null", channel)
    return {row["person_id"] for row in rows}


async def mine(clinic: Clinic, person: str) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in (await clinic.call(person, "channel.list"))["channels"]}


async def test_a_staff_channel_is_about_a_patient_who_never_sees_it(clinic: Clinic) -> None:
    patient, nurse, other = await clinic.patient(), await clinic.team_member("NURSE"), await clinic.team_member()
    one = (await opened(clinic, nurse, "staff", other, patient_id=patient, name="Discharge"))["channel_id"]
    two = (await opened(clinic, nurse, "staff", patient_id=patient, name="Discharge"))["channel_id"]
    assert one != two
    assert (await members(clinic, one), await members(clinic, two)) == ({nurse, other}, {nurse})
    shown = (await mine(clinic, other))[one]
    assert (shown["kind"], shown["name"], shown["patient"]["id"]) == ("staff", "Discharge", patient)
    assert await mine(clinic, patient) == {}
    with pytest.raises(NotFound):
        await clinic.call(patient, "message.history", channel_id=one)


async def test_a_group_takes_messaging_management_and_patients(clinic: Clinic) -> None:
    doctor, patients = await clinic.team_member(), [await clinic.patient() for _ in range(2)]
    with pytest.raises(Forbidden, match="Messaging Management"):
        await opened(clinic, doctor, "group", *patients, name="Group")
    channel = (await opened(clinic, clinic.clinician, "group", doctor, *patients, name="Group"))["channel_id"]
    assert await members(clinic, channel) == {clinic.clinician, doctor, *patients}
    assert (await mine(clinic, patients[0]))[channel]["name"] == "Group"
    page = await clinic.call(patients[0], "message.history", channel_id=channel)
    [item] = page["items"]
    assert (item["type"], item["by"], len(item["members"])) == (
        "opened",
        await clinic.membership(channel, clinic.clinician),
        4,
    )


async def test_patients_open_nothing(clinic: Clinic) -> None:
    patient = await clinic.patient()
    for kind, more in (("staff", {"patient_id": patient, "name": "A"}), ("group", {"name": "A"}), ("direct", {})):
        with pytest.raises(Forbidden, match="team members"):
            await opened(clinic, patient, kind, clinic.clinician, **more)


async def test_what_a_kind_does_not_take_is_named(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, other, archived = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    await clinic.archive(archived)
    wrong: list[tuple[type[Exception], str, str, list[str], dict[str, Any]]] = [
        (Invalid, "^name", "staff", [], {"patient_id": patient}),
        (Invalid, "^name", "direct", [other], {"name": "A"}),
        (Invalid, "^patient_id", "group", [], {"name": "A", "patient_id": patient}),
        (Invalid, "^patient_id", "staff", [], {"name": "A"}),
        (Invalid, "takes patients", "staff", [patient], {"name": "A", "patient_id": patient}),
        (Invalid, "takes patients", "direct", [patient], {}),
        (Invalid, "one colleague", "direct", [], {}),
        (Invalid, "one colleague", "direct", [clinic.clinician], {}),
        (Invalid, "no such person", "group", [PatientId.new()], {"name": "A"}),
        (Invalid, "no such person", "direct", [await elsewhere.team_member()], {}),
        (NotFound, "no such patient", "staff", [], {"name": "A", "patient_id": await elsewhere.patient()}),
        (Conflict, "archived", "direct", [archived], {}),
        (Conflict, "archived", "group", [archived], {"name": "A"}),
        (Invalid, "name", "group", [], {"name": "\u202ename"}),
        (Invalid, "name", "group", [], {"name": "x" * 101}),
        (Invalid, "kind", "care_team", [], {}),
    ]
    for error, words, kind, people, more in wrong:
        with pytest.raises(error, match=words):
            await opened(clinic, clinic.clinician, kind, *people, **more)
    assert await clinic.sql("select id from channels where organization_id = $1", clinic.organization_id) == []


async def test_the_same_people_always_open_the_same_direct_channel(clinic: Clinic) -> None:
    one, two, three = [await clinic.team_member("RECEPTIONIST") for _ in range(3)]
    first = await opened(clinic, one, "direct", two)
    assert first["created"] is True
    for by, others in ((two, [one]), (one, [two, one]), (two, [one, one, two])):
        assert await opened(clinic, by, "direct", *others) == {"channel_id": first["channel_id"], "created": False}
    of_three = await opened(clinic, three, "direct", one, two)
    assert of_three["channel_id"] != first["channel_id"]
    names = {person: (await mine(clinic, person))[of_three["channel_id"]]["names"] for person in (one, two, three)}
    assert [len(shown) for shown in names.values()] == [2, 2, 2]
    assert len(set(names[one] + names[two])) == 3
    assert await clinic.offsets(first["channel_id"]) == [1]


async def test_both_who_press_at_once_get_the_same_one(clinic: Clinic) -> None:
    for _ in range(8):
        people = [await clinic.team_member() for _ in range(3)]
        told = await asyncio.gather(
            *(opened(clinic, one, "direct", *(p for p in people if p != one)) for one in people * 2)
        )
        assert len({one["channel_id"] for one in told}) == 1
        assert sorted(one["created"] for one in told) == [False] * 5 + [True]
        assert await clinic.offsets(told[0]["channel_id"]) == [1]


async def test_a_direct_channel_is_read_only_once_nobody_else_is_left(clinic: Clinic) -> None:
    one, two = await clinic.team_member(), await clinic.team_member()
    channel = (await opened(clinic, one, "direct", two))["channel_id"]
    await clinic.send(two, channel, "Words")
    assert (await mine(clinic, one))[channel]["writable"] is True
    await clinic.archive(two)
    shown = (await mine(clinic, one))[channel]
    assert (shown["writable"], shown["status"], len(shown["names"])) == (False, "active", 1)
    with pytest.raises(Conflict, match="Nobody else"):
        await clinic.send(one, channel, "More words")
    assert await opened(clinic, one, "direct", two) == {"channel_id": channel, "created": False}
    assert "Words" in str(await clinic.call(one, "message.history", channel_id=channel))


async def test_who_was_archived_and_came_back_is_in_their_direct_channels_again(clinic: Clinic) -> None:
    one, two = await clinic.team_member(), await clinic.team_member()
    channel = (await opened(clinic, one, "direct", two))["channel_id"]
    await clinic.sql("update memberships set left_at = now(), left_offset = 2 where person_id = $1", two)
    await opened(clinic, one, "direct", two)
    assert await members(clinic, channel) == {one, two}
    assert await clinic.offsets(channel) == [1, 2]


async def test_hidden_until_something_is_written(clinic: Clinic) -> None:
    one, two = await clinic.team_member(), await clinic.team_member()
    channel = (await opened(clinic, one, "direct", two))["channel_id"]

    async def hidden() -> tuple[bool, bool]:
        return (await mine(clinic, one))[channel]["hidden"], (await mine(clinic, two))[channel]["hidden"]

    await clinic.call(one, "channel.hide", channel_id=channel)
    assert await hidden() == (True, False)
    await clinic.send(two, channel, "Words")
    assert await hidden() == (False, False)
    await clinic.call(one, "channel.hide", channel_id=channel)
    await clinic.call(one, "channel.hide", channel_id=channel, hidden=False)
    assert await hidden() == (False, False)
    await clinic.call(one, "channel.hide", channel_id=channel)
    await opened(clinic, one, "direct", two)
    assert await hidden() == (False, False)


async def test_a_service_team_is_activated_beside_the_care_team(clinic: Clinic) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    made = await clinic.call(nurse, "channel.activate", patient_id=patient, kind="service_team")
    shape = await clinic.call(nurse, "patient.get", patient_id=patient)
    assert (made["created"], shape["care_team"], shape["service_team"]) == (True, "none", "active")
    again = await clinic.call(clinic.clinician, "channel.activate", patient_id=patient, kind="service_team")
    assert again == {"created": False, "channel_id": None}
    care = await clinic.care_team(patient)
    assert {one["kind"] for one in (await mine(clinic, patient)).values()} == {"care_team", "service_team"}
    assert set(await mine(clinic, nurse)) == {made["channel_id"]}
    assert await members(clinic, care) == {patient, clinic.clinician}


async def test_nobody_new_is_a_team_member_by_a_made_up_id(clinic: Clinic) -> None:
    with pytest.raises(Invalid, match="no such person"):
        await opened(clinic, clinic.clinician, "direct", TeamMemberId.new())


async def test_the_list_takes_as_many_statements_for_five_kinds_as_for_none(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    rows = Transaction.rows

    async def counted(self: Transaction, sql: str, /, *args: Any) -> list[dict[str, Any]]:
        statements.append(sql)
        return await rows(self, sql, *args)

    monkeypatch.setattr(Transaction, "rows", counted)
    person, patient = await clinic.team_member("ADMIN"), await clinic.patient()
    taken = []
    for _ in range(2):
        statements.clear()
        found = (await clinic.call(person, "channel.list"))["channels"]
        taken.append(len(statements))
        for kind in ("care_team", "service_team"):
            await clinic.call(person, "channel.activate", patient_id=patient, kind=kind)
        await opened(clinic, person, "staff", patient_id=patient, name="About")
        await opened(clinic, person, "group", patient, name="Group")
        await opened(clinic, person, "direct", clinic.clinician)
    assert {one["kind"] for one in found} == {"care_team", "service_team", "staff", "group", "direct"}
    assert taken[0] == taken[1]

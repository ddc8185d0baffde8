"""Activation rules: set with somebody active, carried out once for each new patient, and by back-fill for those before."""

import asyncio
from typing import Any

import pytest

from server.chat import activation_rules
from server.errors import Conflict, Forbidden, Invalid
from server.ids import TeamMemberId
from tests.support.cast import Clinic
from tests.support.working import do_jobs
from workers.handlers import HANDLERS


async def set_rule(clinic: Clinic, kind: str, *people: str, automatic: bool = True, **more: Any) -> dict[str, Any]:
    params = {"kind": kind, "automatic": automatic, "team_member_ids": list(people)} | more
    return dict(await clinic.call(clinic.clinician, "activation_rule.set", **params))


async def rules(clinic: Clinic) -> dict[str, dict[str, Any]]:
    listed = await clinic.call(clinic.clinician, "activation_rule.list")
    return {rule["kind"]: rule for rule in listed["rules"]}


async def channels(clinic: Clinic, patient: str) -> dict[str, dict[str, str]]:
    """The patient's channels by kind: the sources of their present members by person."""
    rows = await clinic.sql(
        """select c.kind, m.person_id, m.source from channels c join memberships m on m.channel_id = c.id
            where c.patient_id = $1 and m.left_at is null""",
        patient,
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["kind"], {})[row["person_id"]] = row["source"]
    return found


async def new_patient(clinic: Clinic) -> str:
    patient = await clinic.patient()
    await do_jobs(clinic.database)
    return patient


async def test_without_a_rule_nothing_is_made(clinic: Clinic) -> None:
    assert [(one["automatic"], one["needs_attention"]) for one in (await rules(clinic)).values()] == [
        (False, False)
    ] * 2
    assert await channels(clinic, await new_patient(clinic)) == {}
    await set_rule(clinic, "care_team", clinic.clinician, automatic=False)
    assert await channels(clinic, await new_patient(clinic)) == {}


async def test_a_rule_makes_its_channel_for_its_nominees_and_lets_the_patient_write(clinic: Clinic) -> None:
    one, two, three = [await clinic.team_member() for _ in range(3)]
    await set_rule(clinic, "care_team", one, two, one)
    await set_rule(clinic, "service_team", three, include_allocation_clinician=True)
    patient = await new_patient(clinic)
    assert await channels(clinic, patient) == {
        "care_team": {patient: "rule", one: "rule", two: "rule"},
        "service_team": {patient: "rule", three: "rule", clinic.clinician: "rule"},
    }
    for channel in (await clinic.call(patient, "channel.list"))["channels"]:
        assert (await clinic.send(patient, channel["id"], "Text"))["offset"] == 2


async def test_the_archived_are_skipped_and_then_the_chain_staffs_it(clinic: Clinic) -> None:
    one, two = await clinic.team_member(), await clinic.team_member()
    await set_rule(clinic, "care_team", one, two)
    await clinic.archive(one)
    patient = await new_patient(clinic)
    assert set((await channels(clinic, patient))["care_team"]) == {patient, two}
    assert not (await rules(clinic))["care_team"]["needs_attention"]
    await clinic.call(clinic.clinician, "team_member.archive", team_member_id=two)
    await do_jobs(clinic.database)
    assert (await rules(clinic))["care_team"]["needs_attention"]
    patient = await new_patient(clinic)
    assert (await channels(clinic, patient))["care_team"] == {patient: "fallback", clinic.clinician: "fallback"}


async def test_where_nobody_is_left_nothing_is_made_and_a_back_fill_does_it_later(clinic: Clinic) -> None:
    one, net = await clinic.team_member(), await clinic.team_member()
    await set_rule(clinic, "care_team", one)
    patient = await clinic.patient()
    await clinic.archive(one)
    await clinic.archive(clinic.clinician)
    await do_jobs(clinic.database)
    assert await channels(clinic, patient) == {}
    await clinic.sql("update people set status = 'active' where id = $1", clinic.clinician)
    await clinic.call(clinic.clinician, "organization.update", safety_net_id=net)
    told = await clinic.call(clinic.clinician, "activation_rule.backfill", kind="care_team", dry_run=False)
    assert [one["id"] for one in told["patients"]] == [patient]
    await do_jobs(clinic.database)
    assert set((await channels(clinic, patient))["care_team"]) == {patient, clinic.clinician}


async def test_a_back_fill_says_first_whom_it_would_touch_and_then_does_all_of_them(clinic: Clinic) -> None:
    patients = [await clinic.patient() for _ in range(45)]
    await clinic.care_team(patients[0])
    gone = patients.pop()
    await clinic.archive(gone)
    await do_jobs(clinic.database)
    await set_rule(clinic, "care_team", clinic.clinician, automatic=False)
    told = await clinic.call(clinic.clinician, "activation_rule.backfill", kind="care_team")
    assert told["dry_run"]
    assert sorted(one["id"] for one in told["patients"]) == sorted(patients[1:])
    await do_jobs(clinic.database)
    assert await channels(clinic, patients[1]) == {}
    for _ in range(2):
        await clinic.call(clinic.clinician, "activation_rule.backfill", kind="care_team", dry_run=False)
    await do_jobs(clinic.database)
    made = await clinic.sql("select patient_id from channels where organization_id = $1", clinic.organization_id)
    assert sorted(row["patient_id"] for row in made) == sorted(patients)


async def test_it_is_made_once_whoever_does_it_and_however_often(clinic: Clinic) -> None:
    await set_rule(clinic, "care_team", clinic.clinician)
    patient = await clinic.patient()
    args = {"organization_id": clinic.organization_id, "patient_id": patient}

    async def again() -> None:
        async with clinic.database.transaction() as tx:
            await HANDLERS["patient.activate_channels"](tx, args)

    by_hand = clinic.call(clinic.clinician, "channel.activate", patient_id=patient, team_member_ids=[clinic.clinician])
    await asyncio.gather(*(again() for _ in range(5)), by_hand, do_jobs(clinic.database))
    await again()
    made = await clinic.sql("select top_offset from channels where patient_id = $1", patient)
    assert [row["top_offset"] for row in made] == [1]


async def test_what_cannot_be_set_is_told(clinic: Clinic, elsewhere: Clinic) -> None:
    gone, nurse = await clinic.team_member(), await clinic.team_member("NURSE")
    await clinic.archive(gone)
    with pytest.raises(Conflict, match="at least one active"):
        await set_rule(clinic, "care_team")
    with pytest.raises(Conflict, match="at least one active"):
        await set_rule(clinic, "care_team", gone, include_allocation_clinician=True)
    for nobody in (TeamMemberId.new(), await elsewhere.team_member()):
        with pytest.raises(Invalid, match="no such team member"):
            await set_rule(clinic, "care_team", nobody)
    with pytest.raises(Invalid):
        await set_rule(clinic, "group", clinic.clinician)
    with pytest.raises(Forbidden):
        await clinic.call(nurse, "activation_rule.list")
    await set_rule(clinic, "care_team", nurse, gone)
    assert await set_rule(clinic, "care_team", clinic.clinician) == {
        "kind": "care_team", "automatic": True, "include_allocation_clinician": False,
        "team_member_ids": [clinic.clinician], "needs_attention": False,
    }  # fmt: skip
    assert (await set_rule(clinic, "care_team", nurse))["team_member_ids"] == [nurse]


async def test_a_back_fill_names_so_many_and_to_those_alone_who_may_know_them(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation_rules, "MOST_NAMED", 2)
    people = [await clinic.patient() for _ in range(3)]
    told = await clinic.call(clinic.clinician, "activation_rule.backfill", kind="care_team")
    assert (told["total"], [one["id"] for one in told["patients"]]) == (3, sorted(people)[:2])
    nurse = await clinic.team_member("NURSE")
    await clinic.call(clinic.clinician, "role.update", name="NURSE", permissions=["settings.manage"])
    with pytest.raises(Forbidden, match="records"):
        await clinic.call(nurse, "activation_rule.backfill", kind="care_team")

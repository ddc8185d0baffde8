"""Settings → Notifications: one's own, and a patient's by staff; who changed what, and when, is shown to both."""

from datetime import time
from typing import Any

import pytest

from server.errors import Forbidden, Invalid, NotFound
from server.ids import now
from server.notices import preferences
from server.notices.quiet import Preferences, Quiet
from tests.support.cast import Clinic

QUIET = {"from": "22:00", "until": "07:30", "time_zone": "Europe/Berlin"}
NEVER = {"by": None, "by_name": None, "at": None}


async def wanted(clinic: Clinic, *people: str) -> dict[str, Preferences]:
    async with clinic.database.transaction() as tx:
        return await preferences.of(tx, clinic.organization_id, people)


async def test_both_are_on_for_everybody_until_they_say_otherwise(clinic: Clinic) -> None:
    patient = await clinic.patient()
    for person in (patient, clinic.clinician):
        assert await clinic.call(person, "notice.preferences") == {
            "push": {"on": True, **NEVER}, "unread_email": {"on": True, **NEVER}, "quiet": None,
        }  # fmt: skip
    assert await wanted(clinic, patient, clinic.clinician) == dict.fromkeys((patient, clinic.clinician), Preferences())
    assert await wanted(clinic) == {}


async def test_one_changes_what_one_gives_and_nothing_else(clinic: Clinic) -> None:
    me, before = clinic.clinician, now()
    shown = await clinic.call(me, "notice.set_preferences", push=False)
    assert shown["push"] == {"on": False, "by": me, "by_name": "Clinician", "at": shown["push"]["at"]}
    assert before.isoformat() <= shown["push"]["at"].replace("Z", "+00:00") <= now().isoformat()
    assert shown["unread_email"] == {"on": True, **NEVER}
    shown = await clinic.call(me, "notice.set_preferences", quiet=QUIET)
    assert {name: shown["quiet"][name] for name in QUIET} == QUIET
    assert (shown["quiet"]["by_name"], shown["push"]["on"]) == ("Clinician", False)
    assert shown == await clinic.call(me, "notice.preferences") == await clinic.call(me, "notice.set_preferences")

    assert (await wanted(clinic, me))[me] == Preferences(False, True, Quiet(time(22), time(7, 30), "Europe/Berlin"))
    shown = await clinic.call(me, "notice.set_preferences", quiet=None, push=True, unread_email=False)
    assert (shown["quiet"], shown["push"]["on"], shown["unread_email"]["on"]) == (None, True, False)
    assert (await wanted(clinic, me))[me] == Preferences(True, False, None)


async def test_what_stands_so_already_stays_whose_it_was(clinic: Clinic) -> None:
    patient = await clinic.patient()
    await clinic.call(patient, "notice.set_preferences", push=True)  # the default
    assert await clinic.sql("select * from notice_preferences") == []
    first = await clinic.call(patient, "notice.set_preferences", push=False, quiet=QUIET)
    nurse = await clinic.team_member()
    again = await clinic.call(nurse, "patient.set_preferences", patient_id=patient, push=False, unread_email=True)
    assert (again["push"]["by"], again["push"]["at"]) == (patient, first["push"]["at"])
    assert again["unread_email"] == {"on": True, **NEVER}
    assert await clinic.call(patient, "notice.set_preferences", quiet=QUIET) == first


async def test_staff_switch_a_patients_and_both_see_who_did(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    shown = await clinic.call(clinic.clinician, "patient.set_preferences", patient_id=patient, unread_email=False)
    assert (shown["unread_email"]["by"], shown["unread_email"]["by_name"]) == (clinic.clinician, "Clinician")
    mine = await clinic.call(patient, "notice.preferences")
    assert mine["unread_email"] == shown["unread_email"] | {"by": None}  # a name, and no id
    await clinic.call(patient, "notice.set_preferences", unread_email=True, quiet=QUIET)
    shown = await clinic.call(clinic.clinician, "patient.preferences", patient_id=patient)
    assert shown["unread_email"]["by_name"].startswith("Patient ")
    assert (shown["unread_email"]["by"], shown["unread_email"]["on"]) == (patient, True)
    assert shown["quiet"]["time_zone"] == "Europe/Berlin"
    assert (await wanted(clinic, other))[other] == Preferences()
    assert (await wanted(elsewhere, patient))[patient] == Preferences()


async def test_who_may(clinic: Clinic) -> None:
    patient, other, receptionist = (
        await clinic.patient(),
        await clinic.patient(),
        await clinic.team_member("RECEPTIONIST"),
    )
    for name in ("patient.preferences", "patient.set_preferences"):
        with pytest.raises(Forbidden):
            await clinic.call(other, name, patient_id=patient)
    await clinic.sql("update roles set permissions = '{patient.read}' where name = 'RECEPTIONIST'")
    await clinic.call(receptionist, "patient.preferences", patient_id=patient)
    with pytest.raises(Forbidden):
        await clinic.call(receptionist, "patient.set_preferences", patient_id=patient, push=False)
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "patient.set_preferences", patient_id="pa_" + "0" * 20, push=False)
    await clinic.archive(patient)
    named = {"patient_id": patient}
    for person, name, params in (
        (patient, "notice.set_preferences", {}),
        (clinic.clinician, "patient.set_preferences", named),
    ):
        with pytest.raises(Forbidden):
            await clinic.call(person, name, push=False, **params)
    assert await clinic.sql("select * from notice_preferences") == []


WRONG: list[tuple[Any, str]] = [
    (QUIET | {"time_zone": "Europe/Nowhere"}, "time_zone"),
    (QUIET | {"time_zone": "../../etc/passwd"}, "time_zone"),
    (QUIET | {"time_zone": "/etc/localtime"}, "time_zone"),
    (QUIET | {"time_zone": "europe/berlin"}, "time_zone"),
    (QUIET | {"time_zone": ""}, "time_zone"),
    (QUIET | {"time_zone": "Factory"}, "time_zone"),
    (QUIET | {"from": "24:00"}, "from"),
    (QUIET | {"from": "9:00"}, "from"),
    (QUIET | {"until": "07:30:00"}, "until"),
    (QUIET | {"until": "22:00"}, "quiet"),
    ({"from": "22:00", "until": "07:00"}, "time_zone"),
    ({}, "quiet"),
]


async def test_quiet_hours_are_two_times_and_a_time_zone(clinic: Clinic) -> None:
    for quiet, what in WRONG:
        with pytest.raises(Invalid, match=what):
            await clinic.call(clinic.clinician, "notice.set_preferences", push=False, quiet=quiet)
    assert await clinic.sql("select * from notice_preferences") == []


async def test_a_null_switches_nothing(clinic: Clinic) -> None:
    for name in ("push", "unread_email"):
        with pytest.raises(Invalid, match=name):
            await clinic.call(clinic.clinician, "notice.set_preferences", **{name: None})


async def test_a_change_is_on_the_patients_record(clinic: Clinic, owner: Any) -> None:
    patient = await clinic.patient()
    await clinic.call(clinic.clinician, "patient.set_preferences", patient_id=patient, push=False)
    await clinic.call(patient, "notice.set_preferences", push=True)
    await clinic.call(clinic.clinician, "patient.preferences", patient_id=patient)
    await clinic.call(clinic.clinician, "notice.set_preferences", push=False)
    rows = await owner.fetch("select operation, actor_id, patient_id from audit_entries order by id desc limit 4")
    assert [tuple(row) for row in reversed(rows)] == [
        ("patient.set_preferences", clinic.clinician, patient),
        ("notice.set_preferences", patient, patient),
        ("patient.preferences", clinic.clinician, patient),
        ("notice.set_preferences", clinic.clinician, None),
    ]

"""Who is and was in a channel, in the two shapes there are: staff learn who it is, patients a name and nothing else."""

from typing import Any

from server import locks
from server.chat.append import append
from tests.support.cast import Clinic

FOR_STAFF_ALONE = ("real_name", "role", "person_id", "read_offset", "source")


async def directory(clinic: Clinic, person: str, channel: str) -> dict[str, dict[str, Any]]:
    """The members, by the name shown."""
    listed = await clinic.call(person, "channel.directory", channel_id=channel)
    return {member["name"]: member for member in listed["members"]}


async def test_staff_see_the_real_name_beside_the_display_name(clinic: Clinic) -> None:
    plain, displayed = await clinic.patient(), await clinic.patient()
    await clinic.sql(
        "update patients set display_name = 'Bluebird', preferred_name = 'Patient B' where id = $1", displayed
    )
    group = await clinic.channel("group", clinic.clinician, plain, displayed)
    members = await directory(clinic, clinic.clinician, group)
    assert (members["Bluebird"]["real_name"], members["Bluebird"]["person_id"]) == ("Patient B", displayed)
    [shown] = [member for member in members.values() if member["person_id"] == plain]
    assert shown["name"] == shown["real_name"]
    assert members["Clinician"]["source"] == "manual"
    assert (members["Clinician"]["role"], members["Clinician"]["me"], members["Clinician"]["real_name"]) == (
        "ADMIN",
        True,
        None,
    )


async def test_patients_see_names_and_nothing_else(clinic: Clinic) -> None:
    me, plain, displayed = await clinic.patient(), await clinic.patient(), await clinic.patient()
    await clinic.sql("update patients set display_name = 'Bluebird' where id = $1", displayed)
    group = await clinic.channel("group", clinic.clinician, me, plain, displayed)
    members = await directory(clinic, me, group)
    assert set(members) >= {"Clinician", "Bluebird", "Group member"}
    assert [(name, key) for name, member in members.items() for key in FOR_STAFF_ALONE if member[key] is not None] == []
    [oneself] = [member for member in members.values() if member["me"]]
    assert oneself["name"].startswith("Patient ")  # one's own name is no secret


async def test_how_far_the_team_has_read_is_for_all_and_who_for_staff(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, colleague)
    for number in range(3):
        await clinic.send(patient, channel, f"Text {number}")
    await clinic.call(colleague, "channel.read", channel_id=channel, offset=3)
    await clinic.call(patient, "channel.read", channel_id=channel, offset=4)
    for person in (patient, clinic.clinician):
        assert (await clinic.call(person, "channel.directory", channel_id=channel))["seen_offset"] == 3
    await clinic.remove(channel, colleague)
    assert (await clinic.call(patient, "channel.directory", channel_id=channel))["seen_offset"] == 0


async def test_who_has_left_stays_known_for_what_they_wrote(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, colleague)
    await clinic.send(colleague, channel, "Text")
    member = await clinic.membership(channel, colleague)
    await clinic.remove(channel, colleague)
    for person in (patient, clinic.clinician):
        listed = (await clinic.call(person, "channel.directory", channel_id=channel))["members"]
        assert [one["active"] for one in listed if one["id"] == member] == [False]


async def test_the_list_of_channels_names_the_patient_to_staff_alone(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    await clinic.sql(
        "update patients set preferred_name = 'Patient P', display_name = 'Bluebird' where id = $1", patient
    )
    care = await clinic.care_team(patient, clinic.clinician)
    staff = await clinic.channel("staff", clinic.clinician, colleague, patient=patient, name="About")
    await clinic.send(patient, care, "Text")
    mine = {one["id"]: one for one in (await clinic.call(clinic.clinician, "channel.list"))["channels"]}
    assert list(mine) == [care, staff]  # the latest written first
    assert mine[care]["patient"] == {"id": patient, "name": "Patient P", "display_name": "Bluebird"}
    assert (mine[staff]["patient"], mine[staff]["name"], mine[staff]["last_at"]) == (
        mine[care]["patient"],
        "About",
        None,
    )
    [theirs] = (await clinic.call(patient, "channel.list"))["channels"]
    assert (theirs["id"], theirs["patient"], theirs["unread"]) == (care, None, 0)
    assert (await clinic.call(await clinic.team_member(), "channel.list")) == {"channels": []}


async def test_events_for_staff_reach_no_patients_history(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    async with clinic.database.transaction() as tx:
        await locks.lock(tx, clinic.organization_id, channels=[channel])
        await append(tx, clinic.organization_id, channel, "unarchived", audience="staff")
    seen = {
        person: [item["offset"] for item in (await clinic.call(person, "message.history", channel_id=channel))["items"]]
        for person in (patient, clinic.clinician)
    }
    assert seen == {patient: [1], clinic.clinician: [2, 1]}


async def test_whoever_only_joined_has_not_seen_what_was_written_before(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient)
    sent = await clinic.send(patient, channel, "Nobody has read this")
    await clinic.add(channel, colleague)

    async def seen() -> int:
        return int((await clinic.call(patient, "channel.directory", channel_id=channel))["seen_offset"])

    assert await seen() == 0
    team = [one for one in (await directory(clinic, colleague, channel)).values() if one["kind"] == "team_member"]
    assert [one["read_offset"] for one in team] == [0, 0]
    await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=sent["offset"])
    assert await seen() == sent["offset"]
    later = await clinic.send(patient, channel, "Nor this")
    await clinic.call(colleague, "channel.read", channel_id=channel, offset=later["offset"])
    assert await seen() == later["offset"]

"""How patients are shown: by their profile or by channel, to whom, and never like somebody else."""

import asyncio
import json
from typing import Any

import pytest

from server import events
from server.app.log import ChatLog, key
from server.errors import Conflict, Forbidden, Invalid, NotFound
from tests.chat.test_archiving import archived
from tests.support.cast import Clinic


async def named(clinic: Clinic, person: str, name: str | None) -> Any:
    return await clinic.call(person, "profile.update", display_name=name)


async def named_in(clinic: Clinic, person: str, channel: str, name: str | None, picture: str = "default") -> Any:
    return await clinic.call(person, "channel.profile", channel_id=channel, display_name=name, picture=picture)


async def names(clinic: Clinic, person: str, channel: str) -> dict[str, str]:
    """The members' names by membership, as this person sees them."""
    listed = await clinic.call(person, "channel.directory", channel_id=channel)
    return {member["id"]: member["name"] for member in listed["members"]}


async def test_a_name_on_the_profile_and_another_in_a_channel(clinic: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    one, two = [await clinic.channel("group", clinic.clinician, patient, other) for _ in range(2)]
    me = {channel: await clinic.membership(channel, patient) for channel in (one, two)}
    assert await clinic.call(patient, "profile.get") == {"display_name": None, "has_picture": False, "channels": []}
    await named(clinic, patient, "  Blue   bird ")
    assert [(await names(clinic, other, channel))[me[channel]] for channel in (one, two)] == ["Blue bird"] * 2
    shown = await named_in(clinic, patient, two, "Heron")
    assert [(await names(clinic, other, channel))[me[channel]] for channel in (one, two)] == ["Blue bird", "Heron"]
    assert (await clinic.call(patient, "profile.get"))["channels"] == [shown]
    await named(clinic, patient, None)
    assert [(await names(clinic, other, channel))[me[channel]] for channel in (one, two)] == ["Group member", "Heron"]
    await named_in(clinic, patient, two, None)
    assert (await names(clinic, other, two))[me[two]] == "Group member"
    listed = await clinic.call(clinic.clinician, "channel.directory", channel_id=two)
    [real] = [member["real_name"] for member in listed["members"] if member["id"] == me[two]]
    assert real.startswith("Patient ")
    assert (await clinic.call(clinic.clinician, "patient.get", patient_id=patient))["display_name"] is None


async def test_a_name_that_is_or_looks_like_anothers_is_refused(clinic: Clinic) -> None:
    patient, other, stranger = [await clinic.patient() for _ in range(3)]
    one, two = [await clinic.channel("group", clinic.clinician, patient, other) for _ in range(2)]
    await named(clinic, other, "Bluebird")
    await named(clinic, stranger, "Bluebird")  # they share no channel
    for taken in ("Bluebird", "BLUE BIRD", "Вluebird", "B1uebird"):
        with pytest.raises(Conflict, match="looks like"):
            await named(clinic, patient, taken)
        with pytest.raises(Conflict, match="looks like"):
            await named_in(clinic, patient, one, taken)
    await named_in(clinic, other, one, "Heron")
    await named_in(clinic, patient, one, "Bluebird")  # free there by now
    with pytest.raises(Conflict):
        await named_in(clinic, patient, two, "Bluebird")
    for staff in ("Clinician", "Dr Blue", "C1inician"):
        with pytest.raises(Conflict, match="team member"):
            await named(clinic, patient, staff)
    for wrong in ("", " ", "a\u202eb", "a\u200bb", "a\x07b", "x" * 41):
        with pytest.raises(Invalid, match="display_name"):
            await named(clinic, patient, wrong)
    with pytest.raises(Conflict, match="display name"):
        await clinic.add(two, stranger)
    with pytest.raises(Conflict, match="display name"):
        await clinic.call(clinic.clinician, "channel.open", kind="group", name="New", person_ids=[other, stranger])
    assert await clinic.offsets(two) == [1]


async def test_two_who_take_one_name_at_once_do_not_both_get_it(clinic: Clinic) -> None:
    for turn in range(5):
        people = [await clinic.patient() for _ in range(3)]
        channel = await clinic.channel("group", clinic.clinician, *people)
        changes = [named(clinic, people[0], "Bluebird"), named_in(clinic, people[1], channel, "Blue bird"),
                   named(clinic, people[2], "bluebird")]  # fmt: skip
        told = await asyncio.gather(*changes[turn % 3 :], *changes[: turn % 3], return_exceptions=True)
        assert sorted(type(one).__name__ for one in told) == ["Conflict", "Conflict", "dict"]


async def test_who_has_no_name_to_choose(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, group = await clinic.patient(), await clinic.channel("group", clinic.clinician)
    assert (await clinic.call(clinic.clinician, "profile.get"))["display_name"] is None
    for name, params in (("profile.update", {"display_name": None}), ("channel.profile", {"channel_id": group})):
        with pytest.raises(Forbidden, match="own names"):
            await clinic.call(clinic.clinician, name, **params)
    with pytest.raises(NotFound):
        await named_in(clinic, patient, group, "Heron")
    with pytest.raises(NotFound):
        await named_in(elsewhere, await elsewhere.patient(), group, "Heron")
    care = await clinic.care_team(patient)
    with pytest.raises(Invalid, match="picture"):
        await named_in(clinic, patient, care, None, "own")
    await clinic.archive(patient)
    for change in (named(clinic, patient, "Heron"), named_in(clinic, patient, care, "Heron")):
        with pytest.raises(Forbidden, match="change nothing"):
            await change


async def test_open_pages_are_told_of_a_new_name_by_membership_alone(clinic: Clinic) -> None:
    patient = await clinic.patient()
    one, two = [await clinic.channel("group", clinic.clinician, patient) for _ in range(2)]
    await named_in(clinic, patient, two, "Heron")
    clinic.published.clear()
    await named(clinic, patient, "Bluebird")
    [(topic, payload)] = clinic.published
    assert topic == events.topic(clinic.organization_id, one)
    log = ChatLog(clinic.database)
    row = log.decode(key(clinic.organization_id, one), payload)
    assert (row.offset, row.after) == (0, await clinic.top(one))
    for audience in ("staff", "patient"):
        told = json.loads(log.publication(row, audience))
        assert told == {"type": "profile", "member": await clinic.membership(one, patient)}
    assert b"Bluebird" not in payload
    assert patient.encode() not in payload


async def test_taking_back_a_name_for_one_channel_does_not_bring_a_name_that_is_taken_there(clinic: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    channel = await clinic.channel("group", clinic.clinician, patient, other)
    await named_in(clinic, patient, channel, "Heron")
    await named(clinic, other, "Bluebird")
    await named(clinic, patient, "Blue Bird")  # nobody sees it in the channel
    with pytest.raises(Conflict, match="looks like"):
        await named_in(clinic, patient, channel, None)
    shown = await names(clinic, other, channel)
    assert sorted(name for name in shown.values() if name.startswith("Blue")) == ["Bluebird"]
    await named(clinic, patient, None)
    await named_in(clinic, patient, channel, None)
    assert (await names(clinic, other, channel))[await clinic.membership(channel, patient)] == "Group member"


async def test_the_name_of_who_has_left_or_is_archived_is_free(clinic: Clinic) -> None:
    patient, other, former = await clinic.patient(), await clinic.patient(), await clinic.team_member()
    channel = await clinic.channel("group", clinic.clinician, patient, other)
    await clinic.sql("update team_members set name = 'Robin Example' where id = $1", former)
    await named(clinic, other, "Bluebird")
    for taken in ("Bluebird", "Robin Example"):
        with pytest.raises(Conflict):
            await named(clinic, patient, taken)
    await clinic.remove(channel, other)
    await clinic.archive(former)
    for free in ("Bluebird", "Robin Example"):
        assert (await named(clinic, patient, free))["display_name"] == free


async def test_where_an_archived_colleague_has_written_no_patient_takes_their_name(clinic: Clinic) -> None:
    patient, former = await clinic.patient(), await clinic.team_member()
    await clinic.sql("update team_members set name = 'Robin Sample' where id = $1", former)
    channel = await clinic.channel("group", clinic.clinician, patient, former)
    await clinic.send(former, channel, "Text")
    assert (await archived(clinic, former))["status"] == "done"
    assert "Robin Sample" in (await names(clinic, patient, channel)).values()
    with pytest.raises(Conflict, match="team member's name"):
        await named(clinic, patient, "Robin Sample")
    with pytest.raises(Conflict, match="team member's name"):
        await named_in(clinic, patient, channel, "Robin Sample")

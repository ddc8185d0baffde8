"""Archiving, renaming, leaving, handing over and asking to join: what the log says, who learns of it, what stays."""

from typing import Any

import pytest

from server import events
from server.errors import Conflict, Forbidden, Invalid, NotFound
from tests.support.cast import Clinic


async def history(clinic: Clinic, person: str, channel: str) -> list[dict[str, Any]]:
    return list((await clinic.call(person, "message.history", channel_id=channel))["items"])


async def listed(clinic: Clinic, person: str, channel: str) -> dict[str, Any]:
    [one] = [one for one in (await clinic.call(person, "channel.list"))["channels"] if one["id"] == channel]
    return dict(one)


async def test_an_archived_channel_is_read_only_and_keeps_what_was_unread(clinic: Clinic) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, nurse)
    await clinic.send(nurse, channel, "Words")
    before = await listed(clinic, patient, channel)
    done = await clinic.call(nurse, "channel.archive", channel_id=channel)
    assert (done["status"], await clinic.offsets(channel)) == ("archived", [1, 2, 3])
    assert (await clinic.call(nurse, "channel.archive", channel_id=channel))["status"] == "archived"
    for person in (patient, nurse):
        with pytest.raises(Conflict, match="not delivered"):
            await clinic.send(person, channel, "More")
        assert (await history(clinic, person, channel))[0]["type"] == "archived"
    shown = await listed(clinic, patient, channel)
    assert (shown["status"], shown["writable"], shown["unread"]) == ("archived", False, before["unread"])
    await clinic.call(nurse, "channel.unarchive", channel_id=channel)
    assert await clinic.offsets(channel) == [1, 2, 3, 4]
    await clinic.send(patient, channel, "Again")
    last = (await history(clinic, patient, channel))[1]
    assert (last["type"], last["by"]) == ("unarchived", await clinic.membership(channel, nurse))


async def test_a_manager_unarchives_without_being_in_it_and_patients_do_not_learn_who(clinic: Clinic) -> None:
    nurse, patient = await clinic.team_member("NURSE"), await clinic.patient()
    channel = await clinic.care_team(patient, nurse)
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "channel.unarchive", channel_id=channel)  # it is not archived
    await clinic.call(nurse, "channel.archive", channel_id=channel)
    with pytest.raises(NotFound):
        await clinic.call(await clinic.team_member(), "channel.unarchive", channel_id=channel)
    await clinic.call(clinic.clinician, "channel.unarchive", channel_id=channel)
    with pytest.raises(NotFound):
        await history(clinic, clinic.clinician, channel)
    assert (await history(clinic, nurse, channel))[0]["person"] == clinic.clinician
    assert clinic.clinician not in str(await history(clinic, patient, channel))
    about = await clinic.channel("staff", nurse, patient=patient, name="Concerns")
    await clinic.call(nurse, "channel.archive", channel_id=about)
    told = await clinic.call(clinic.clinician, "channel.unarchive", channel_id=about)
    assert (told["status"], told["name"]) == ("active", None), "what it is called is for its members"


async def test_an_archived_patients_channel_comes_back_with_them(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    about = await clinic.channel("staff", clinic.clinician, patient=patient)
    for one in (channel, about):
        await clinic.call(clinic.clinician, "channel.archive", channel_id=one)
    await clinic.archive(patient)
    with pytest.raises(Conflict, match="Unarchive the patient"):
        await clinic.call(clinic.clinician, "channel.unarchive", channel_id=channel)
    assert (await clinic.call(clinic.clinician, "channel.unarchive", channel_id=about))["status"] == "active"


async def test_a_new_name_is_told_to_everybody_and_stands_in_no_event(clinic: Clinic) -> None:
    patient = await clinic.patient()
    group = await clinic.channel("group", clinic.clinician, patient, name="Before")
    clinic.published.clear()
    await clinic.call(clinic.clinician, "channel.rename", channel_id=group, name="After")
    assert (await listed(clinic, patient, group))["name"] == "After"
    told = {topic for topic, _ in clinic.published}
    assert events.person_topic(clinic.organization_id, patient) in told
    assert b"After" not in b"".join(payload for _, payload in clinic.published)
    assert (await history(clinic, patient, group))[0]["type"] == "renamed"
    await clinic.call(clinic.clinician, "channel.rename", channel_id=group, name="After")
    assert len(await clinic.offsets(group)) == 2
    await clinic.archive(group)
    with pytest.raises(Conflict, match="Unarchive it first"):
        await clinic.call(clinic.clinician, "channel.rename", channel_id=group, name="Later")


async def test_the_last_of_the_team_leaves_by_handing_over(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    for kind, person in (("care_team", patient), ("group", await clinic.patient())):
        channel = await clinic.channel(kind, clinic.clinician, person, patient=patient if kind == "care_team" else None)
        await clinic.send(person, channel, "Unread words")
        with pytest.raises(Conflict, match="Add a colleague first"):
            await clinic.call(clinic.clinician, "channel.leave", channel_id=channel)
        mine = await clinic.membership(channel, clinic.clinician)
        left = await clinic.call(clinic.clinician, "channel.leave", channel_id=channel, replacement_id=colleague)
        assert (left["offset"], await clinic.offsets(channel)) == (4, [1, 2, 3, 4])
        gone, came, *_ = await history(clinic, person, channel)
        assert (gone["type"], gone["members"], gone["by"]) == ("left", [mine], mine)
        assert (came["type"], came["members"], came["by"], came["replaces"]) == (
            "joined", [left["replacement_member_id"]], mine, mine,
        )  # fmt: skip
        assert (await listed(clinic, colleague, channel))["unread"] == 1
        assert "Unread words" in str(await history(clinic, colleague, channel))
        with pytest.raises(NotFound):
            await history(clinic, clinic.clinician, channel)


async def test_who_cannot_take_over_is_named(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, archived, there = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    await clinic.archive(archived)
    group = await clinic.channel("group", clinic.clinician, there, patient)

    async def leave(by: str, whom: str) -> Any:
        return await clinic.call(by, "channel.leave", channel_id=group, replacement_id=whom)

    for whom, error in ((clinic.clinician, Invalid), (await elsewhere.team_member(), Invalid), (archived, Conflict)):
        with pytest.raises(error):
            await leave(clinic.clinician, whom)
    with pytest.raises(Forbidden, match="team members"):
        await leave(patient, there)
    assert await clinic.offsets(group) == [1]
    assert (await leave(clinic.clinician, there))["replacement_member_id"] is None
    assert await clinic.offsets(group) == [1, 2]


async def test_asking_to_join_is_for_the_team_alone(clinic: Clinic) -> None:
    patient, nurse, other = await clinic.patient(), await clinic.team_member("NURSE"), await clinic.team_member()

    async def ask(by: str, whose: str = patient) -> Any:
        return await clinic.call(by, "channel.ask_to_join", patient_id=whose, kind="care_team")

    with pytest.raises(Conflict, match="not activated"):
        await ask(other)
    channel = await clinic.care_team(patient, nurse)
    assert await ask(other) == await ask(other) == {"asked": True}
    assert await clinic.offsets(channel) == [1, 2]
    asked = (await history(clinic, nurse, channel))[0]
    assert (asked["type"], asked["person"], asked["members"]) == ("asked", other, [])
    assert [item["offset"] for item in await history(clinic, patient, channel)] == [1]
    with pytest.raises(NotFound):
        await history(clinic, other, channel)
    with pytest.raises(Conflict, match="already"):
        await ask(nurse)
    with pytest.raises(Forbidden):
        await ask(patient)
    await clinic.add(channel, other, by=nurse)
    await clinic.remove(channel, other, by=other)
    await ask(other)
    assert len(await clinic.offsets(channel)) == 5
    await clinic.call(nurse, "channel.archive", channel_id=channel)
    with pytest.raises(Conflict, match="archived"):
        await ask(await clinic.team_member())


async def test_where_one_cannot_write_it_says_why_and_how_to_reach_the_team(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)

    async def told(person: str) -> dict[str, Any]:
        return dict(await clinic.call(person, "channel.contact", channel_id=channel))

    nothing = {"closed": None, "why": None, "contact_text": "", "crisis_services": ""}
    assert await told(patient) == await told(clinic.clinician) == nothing
    await clinic.call(clinic.clinician, "organization.update", contact_text="Call the desk")
    [group] = (await clinic.call(clinic.clinician, "patient_group.list"))["patient_groups"]
    await clinic.call(
        clinic.clinician, "patient_group.update", patient_group_id=group["id"], crisis_services="Crisis line"
    )
    await clinic.call(clinic.clinician, "channel.archive", channel_id=channel)
    for person in (patient, clinic.clinician):
        shown = await told(person)
        assert (shown["closed"], shown["contact_text"], shown["crisis_services"]) == (
            "channel_archived", "Call the desk", "Crisis line",
        )  # fmt: skip
        assert "closed" in shown["why"]
    group = await clinic.channel("group", clinic.clinician, patient)
    for person, services in ((patient, "Crisis line"), (clinic.clinician, "")):
        shown = await clinic.call(person, "channel.contact", channel_id=group)
        assert (shown["closed"], shown["crisis_services"]) == (None, services), "a group is about nobody; mine are mine"
    await clinic.archive(patient)
    assert (await told(patient))["closed"] == "person_archived"
    with pytest.raises(NotFound):
        await told(await clinic.team_member())

"""What a member sets on a channel for themselves: muted, marked unread. And when staff are warned that nobody would be told."""

import json
from typing import Any

import pytest

from server.app.policy import _fact
from server.chat.channels import summaries
from server.errors import Forbidden, NotFound
from tests.notices.test_devices import subscription
from tests.support.cast import Clinic


async def listed(clinic: Clinic, person: str, channel: str) -> dict[str, Any]:
    """This person's line about a channel."""
    found = (await clinic.call(person, "channel.list"))["channels"]
    return next(dict(one) for one in found if one["id"] == channel)


async def test_a_member_mutes_a_channel_for_themselves(clinic: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, other)
    clinic.published.clear()
    done = await clinic.call(patient, "channel.mute", channel_id=channel, muted=True)
    assert done == {"channel_id": channel, "muted": True, "marked_unread": False}
    [(topic, payload)] = clinic.published
    assert topic.endswith(patient)
    assert payload == f"{clinic.organization_id}:{channel}".encode()
    assert [(await listed(clinic, person, channel))["muted"] for person in (patient, clinic.clinician, other)] == [
        True, False, False,
    ]  # fmt: skip
    await clinic.send(other, channel, "Hello")
    assert (await listed(clinic, patient, channel))["unread"] == 1  # it goes on counting
    assert (await clinic.call(patient, "channel.mute", channel_id=channel, muted=False))["muted"] is False


async def test_who_comes_back_has_muted_nothing(clinic: Clinic) -> None:
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, other := await clinic.team_member())
    await clinic.call(other, "channel.mute", channel_id=channel, muted=True)
    await clinic.remove(channel, other)
    await clinic.add(channel, other)
    assert (await listed(clinic, other, channel))["muted"] is False


async def test_marked_unread_until_it_is_read(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    sent = await clinic.send(patient, channel, "Hello")
    await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=sent["offset"])
    done = await clinic.call(clinic.clinician, "channel.mark_unread", channel_id=channel)
    assert done == {"channel_id": channel, "muted": False, "marked_unread": True}
    line = await listed(clinic, clinic.clinician, channel)
    assert (line["marked_unread"], line["unread"]) == (True, 0)
    assert (await listed(clinic, patient, channel))["marked_unread"] is False
    clinic.published.clear()
    await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=sent["offset"] - 1)
    assert (await listed(clinic, clinic.clinician, channel))["marked_unread"] is True  # not read up to its mark
    assert clinic.published == []
    read = await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=sent["offset"])
    assert read["read_offset"] == sent["offset"]
    assert (await listed(clinic, clinic.clinician, channel))["marked_unread"] is False
    assert any(topic.endswith(clinic.clinician) for topic, _ in clinic.published)  # the other pages are told


async def test_only_members_and_nobody_who_only_reads(clinic: Clinic) -> None:
    patient, stranger = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient)
    for name, more in (("channel.mute", {"muted": True}), ("channel.mark_unread", {})):
        with pytest.raises(NotFound):
            await clinic.call(stranger, name, channel_id=channel, **more)
    await clinic.archive(patient)
    for name, more in (("channel.mute", {"muted": True}), ("channel.mark_unread", {})):
        with pytest.raises(Forbidden):
            await clinic.call(patient, name, channel_id=channel, **more)
    rows = await clinic.sql("select from memberships where channel_id = $1 and (muted or marked_unread)", channel)
    assert rows == []


async def test_staff_are_warned_when_nobody_would_be_told(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, other)
    staff = await clinic.channel("staff", clinic.clinician, other, patient=patient)

    async def warned() -> bool:
        told = [(await listed(clinic, person, channel))["nobody_told"] for person in (clinic.clinician, other)]
        assert told[0] == told[1]
        assert (await listed(clinic, patient, channel))["nobody_told"] is False  # for staff alone
        assert (await listed(clinic, clinic.clinician, staff))["nobody_told"] is False  # no patient reads there
        return bool(told[0])

    assert not await warned()
    await clinic.call(clinic.clinician, "channel.mute", channel_id=channel, muted=True)
    assert not await warned()
    await clinic.call(other, "notice.set_preferences", unread_email=False)  # a push takes a device, and there is none
    assert await warned()
    device = subscription()
    await clinic.call(other, "device.add", **device)
    assert not await warned()
    await clinic.call(other, "notice.set_preferences", push=False)
    assert await warned()
    await clinic.call(other, "notice.set_preferences", push=True)
    assert not await warned()
    await clinic.call(other, "sign_out")
    assert await warned()
    await clinic.call(other, "device.add", **device)
    assert not await warned()
    await clinic.call(other, "device.remove", endpoint=device["endpoint"])
    assert await warned()
    newcomer = await clinic.team_member()
    await clinic.add(channel, newcomer)
    assert not await warned()
    await clinic.remove(channel, newcomer)
    assert await warned()
    await clinic.call(clinic.clinician, "channel.archive", channel_id=channel)
    assert not await warned()  # nobody is told of an archived one, and nobody writes there
    await clinic.call(clinic.clinician, "channel.unarchive", channel_id=channel)
    await clinic.call(clinic.clinician, "channel.mute", channel_id=channel, muted=False)
    assert not await warned()


async def test_hints_carry_what_is_set(clinic: Clinic) -> None:
    channel = await clinic.care_team(await clinic.patient())
    await clinic.call(clinic.clinician, "channel.mute", channel_id=channel, muted=True)
    await clinic.call(clinic.clinician, "channel.mark_unread", channel_id=channel)
    [row] = await summaries(clinic.database.fetch, [(clinic.organization_id, clinic.clinician, channel)])
    fact = json.loads(_fact(channel, row))
    assert (fact["muted"], fact["marked_unread"]) == (True, True)

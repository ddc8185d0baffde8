"""The life of a message, at the level of the operations: written once, in order, read back, counted, removed from."""

import asyncio

import pytest

from server.errors import Conflict, Forbidden, Invalid, NotFound
from tests.support.cast import Clinic


async def test_a_message_is_written_read_and_counted(clinic: Clinic) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    sent = await clinic.send(patient, channel, "  Good morning  ")
    assert sent["offset"] == 2

    history = await clinic.call(nurse, "message.history", channel_id=channel)
    assert [item["type"] for item in history["items"]] == ["message", "opened"]
    message = history["items"][0]
    assert (message["id"], message["text"], message["offset"]) == (sent["message_id"], "Good morning", 2)
    assert message["author"] == await clinic.membership(channel, patient)
    assert history["offset"] == 2
    assert not history["more"]

    [mine] = (await clinic.call(nurse, "channel.list"))["channels"]
    assert (mine["unread"], mine["top"], mine["patient"]["id"]) == (1, 2, patient)
    assert await clinic.call(nurse, "channel.read", channel_id=channel, offset=2) == {"read_offset": 2, "unread": 0}
    assert await clinic.call(nurse, "channel.read", channel_id=channel, offset=1) == {"read_offset": 2, "unread": 0}
    [theirs] = (await clinic.call(patient, "channel.list"))["channels"]
    assert theirs["patient"] is None


async def test_a_retry_returns_the_first_result_whatever_has_become_of_the_channel(clinic: Clinic) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    first = await clinic.send(nurse, channel, "Hello", "again")
    await clinic.call(nurse, "member.remove", channel_id=channel, member_id=await clinic.membership(channel, nurse))
    await clinic.sql("update channels set status = 'archived' where id = $1", channel)
    assert await clinic.send(nurse, channel, "Hello", "again") == first
    with pytest.raises(Conflict, match="another message"):
        await clinic.send(nurse, channel, "Something else", "again")
    with pytest.raises(NotFound):
        await clinic.send(nurse, channel, "New", "new")
    with pytest.raises(Conflict, match="archived"):
        await clinic.send(patient, channel, "New", "new")


async def test_the_same_send_many_times_at_once_is_one_message(clinic: Clinic) -> None:
    channel = await clinic.care_team(await clinic.patient())
    answers = await asyncio.gather(*(clinic.send(clinic.clinician, channel, "Once", "once") for _ in range(20)))
    assert len({str(answer) for answer in answers}) == 1
    assert (await clinic.sql("select count(*) from messages where channel_id = $1", channel))[0][0] == 1


async def test_the_last_team_member_cannot_leave(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    member = await clinic.membership(channel, clinic.clinician)
    with pytest.raises(Conflict, match="Add a colleague first"):
        await clinic.call(clinic.clinician, "member.remove", channel_id=channel, member_id=member)
    assert (await clinic.send(patient, channel, "Still there?"))["offset"] == 2
    with pytest.raises(Forbidden):
        await clinic.call(
            clinic.clinician, "member.remove", channel_id=channel, member_id=await clinic.membership(channel, patient)
        )


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty"), (" \n ", "empty"), ("x" * 8001, "8001"), ("a\0b", "NUL"), ("\ud800", "surrogate")],
)
async def test_a_body_that_is_none_is_refused_with_the_reason(clinic: Clinic, text: str, says: str) -> None:
    channel = await clinic.care_team(await clinic.patient())
    with pytest.raises(Invalid, match=says):
        await clinic.send(clinic.clinician, channel, text)
    await clinic.send(clinic.clinician, channel, "x" * 8000)

"""Read marks: one per membership, only forward, between the floor and the top; what is unread is counted from them."""

import asyncio

import asyncpg
import pytest

from server import events
from server.errors import Invalid, NotFound
from tests.support.cast import Clinic


async def unread(clinic: Clinic, person: str, channel: str) -> int:
    mine = (await clinic.call(person, "channel.list"))["channels"]
    return int(next(one["unread"] for one in mine if one["id"] == channel))


async def read(clinic: Clinic, person: str, channel: str, offset: int) -> tuple[int, int]:
    mark = await clinic.call(person, "channel.read", channel_id=channel, offset=offset)
    return mark["read_offset"], mark["unread"]


async def test_a_mark_moves_forward_and_stays_within_the_log(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    for number in range(3):
        await clinic.send(patient, channel, f"Text {number}")
    assert await read(clinic, clinic.clinician, channel, 3) == (3, 1)
    assert await read(clinic, clinic.clinician, channel, 2) == (3, 1)
    assert await read(clinic, clinic.clinician, channel, 0) == (3, 1)
    assert await read(clinic, clinic.clinician, channel, 4) == (4, 0)
    for beyond in (5, 2**53 - 1):
        with pytest.raises(Invalid, match="ends at 4"):
            await read(clinic, clinic.clinician, channel, beyond)
    for wrong in (-1, 2**53, 1.5, "many", None):
        with pytest.raises(Invalid, match="offset"):
            await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=wrong)


async def test_a_mark_does_not_stand_below_the_floor(clinic: Clinic) -> None:
    patient, channel = await clinic.patient(), await clinic.channel("group", clinic.clinician)
    for number in range(3):
        await clinic.send(clinic.clinician, channel, f"Text {number}")
    joined = (await clinic.add(channel, patient))["offset"]
    for below in (0, joined - 2):
        with pytest.raises(Invalid, match=f"from {joined} on"):
            await read(clinic, patient, channel, below)
    assert await read(clinic, patient, channel, joined - 1) == (joined, 0)


async def test_unread_are_the_messages_of_others_up_to_a_hundred(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, colleague)
    await clinic.send(clinic.clinician, channel, "My own")
    await clinic.send(patient, channel, "Theirs")
    await clinic.add(channel, await clinic.team_member())  # a system message
    assert await unread(clinic, clinic.clinician, channel) == 1
    assert await unread(clinic, colleague, channel) == 2
    await asyncio.gather(*(clinic.send(patient, channel, "More") for _ in range(120)))
    assert await unread(clinic, clinic.clinician, channel) == 100
    await clinic.sql(
        "update messages set deleted_at = now() where channel_id = $1 and log_offset between 4 and 119", channel
    )
    assert 0 < await unread(clinic, clinic.clinician, channel) < 20


async def test_ones_own_messages_are_not_unread_after_coming_back(clinic: Clinic) -> None:
    """By person, not by membership: who left and came back did not write to themselves."""
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, colleague)
    await clinic.send(colleague, channel, "Before I left")
    await clinic.remove(channel, colleague)
    await clinic.add(channel, colleague)
    await clinic.sql("update memberships set read_offset = 1 where left_at is null and person_id = $1", colleague)
    assert await unread(clinic, colleague, channel) == 0


async def test_a_mark_tells_the_persons_connections_and_who_may_know(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    sent = await clinic.send(clinic.clinician, channel, "Text")
    for person, audience in ((patient, "staff"), (clinic.clinician, "all")):
        clinic.published.clear()
        await read(clinic, person, channel, sent["offset"])
        told = dict(clinic.published)
        assert events.person_topic(clinic.organization_id, person) in told
        seen = events.decode(told[events.topic(clinic.organization_id, channel)])
        assert (seen.kind, seen.offset, seen.audience, seen.facts["offset"]) == ("seen", 0, audience, sent["offset"])
        clinic.published.clear()
        await read(clinic, person, channel, sent["offset"])
        assert clinic.published == []


async def test_whoever_is_removed_while_they_read_is_told_that_there_is_no_such_channel(
    clinic: Clinic, owner: asyncpg.Connection
) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, colleague)
    await clinic.send(clinic.clinician, channel, "Text")
    await owner.execute("begin")
    await owner.execute("update memberships set left_at = now(), left_offset = 9 where person_id = $1", colleague)
    reading = asyncio.create_task(read(clinic, colleague, channel, 2))
    while not await owner.fetchval("select exists (select from pg_locks where not granted)"):
        await asyncio.sleep(0.01)
    await owner.execute("commit")
    with pytest.raises(NotFound, match="no such channel"):
        await reading

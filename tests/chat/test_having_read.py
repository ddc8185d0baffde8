"""Who is said to have read, where a place in a channel was handed over: nobody is, whose mark only came with the place."""

import pytest

from tests.chat.test_archiving import archived
from tests.notices.test_unattended import Waiting, team
from tests.support.cast import Clinic


async def seen(clinic: Clinic, patient: str, channel: str) -> int:
    """How far the patient is told that the team has read."""
    return int((await clinic.call(patient, "channel.directory", channel_id=channel))["seen_offset"])


async def asks(clinic: Clinic, staff: str) -> Waiting:
    """A patient has written to this team member, who has not read it."""
    patient = await clinic.patient()
    channel = await clinic.care_team(patient, staff)
    found = Waiting(clinic, patient, channel, await clinic.send(patient, channel, "Is anybody there?"))
    await found.note()
    return found


@pytest.mark.parametrize("by_archiving", [True, False])
async def test_what_nobody_has_read_is_told_to_nobody_as_read_by_whom_it_was_handed_on(
    clinic: Clinic, by_archiving: bool
) -> None:
    first, added = await clinic.team_member(), await clinic.team_member()
    waiting = await asks(clinic, first)
    patient, channel = waiting.patient, waiting.channel
    await clinic.add(channel, added, by=first)
    await clinic.call(first, "channel.leave", channel_id=channel)
    if by_archiving:
        assert (await archived(clinic, added))["status"] == "done"
    else:
        await clinic.call(added, "channel.leave", channel_id=channel, replacement_id=clinic.clinician)
    assert await seen(clinic, patient, channel) == 0
    await waiting.after(24.1)
    assert await waiting.notices() == team(clinic.clinician, offset=waiting.sent["offset"])
    assert await waiting.stands(clinic.clinician)
    await waiting.read(clinic.clinician)
    assert await seen(clinic, patient, channel) == await clinic.top(channel)
    assert not await waiting.stands(clinic.clinician)


async def test_whoever_was_brought_in_has_read_once_their_mark_reaches_their_join(clinic: Clinic) -> None:
    waiting = await asks(clinic, await clinic.team_member())
    await waiting.after(24.1)
    await waiting.after(48.2)
    await waiting.read(clinic.clinician)  # up to the last event, which is their own joining
    assert await seen(clinic, waiting.patient, waiting.channel) == await clinic.top(waiting.channel)


async def test_whoever_took_over_has_read_what_was_written_before_they_came(clinic: Clinic) -> None:
    first = await clinic.team_member()
    waiting = await asks(clinic, first)
    await clinic.call(first, "channel.leave", channel_id=waiting.channel, replacement_id=clinic.clinician)
    await clinic.call(clinic.clinician, "channel.read", channel_id=waiting.channel, offset=waiting.sent["offset"])
    await waiting.after(24.1)
    assert await waiting.notices() == []
    assert await seen(clinic, waiting.patient, waiting.channel) == waiting.sent["offset"]

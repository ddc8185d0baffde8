"""Removed in the middle of reading: a page under way ends where the membership did, and there is no next one."""

import asyncio

import pytest

from server import events
from server.errors import NotFound
from tests.support.cast import Clinic

pytestmark = pytest.mark.catalogue("S10")


@pytest.mark.parametrize("step", ["epoch", "page"])
async def test_a_page_under_way_shows_nothing_from_the_removal_on(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The removal commits, and more is written, after the reader was found to be a member and before the log is read."""
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    for number in range(5):
        await clinic.send(clinic.clinician, channel, f"Before {number}")
    reached, go = asyncio.Event(), asyncio.Event()
    genuine = getattr(events, step)

    async def held(*args: object) -> object:
        if not reached.is_set():
            reached.set()
            await go.wait()
        return await genuine(*args)

    monkeypatch.setattr(events, step, held)
    reading = asyncio.create_task(clinic.call(nurse, "message.history", channel_id=channel))
    await asyncio.wait_for(reached.wait(), 5)
    left = await clinic.remove(channel, nurse)
    await clinic.send(clinic.clinician, channel, "Among ourselves")
    go.set()
    page = await reading
    assert page["offset"] == left - 1
    assert max(item["offset"] for item in page["items"]) == left - 1
    assert "Among ourselves" not in str(page)
    with pytest.raises(NotFound):
        await clinic.call(nurse, "message.history", channel_id=channel, before=left - 2)


async def test_paging_back_ends_with_the_removal(clinic: Clinic) -> None:
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    for number in range(9):
        await clinic.send(clinic.clinician, channel, f"Text {number}")
    page = await clinic.call(nurse, "message.history", channel_id=channel, limit=3)
    assert page["more"]
    await clinic.remove(channel, nurse)
    for before in (page["items"][-1]["offset"], 2, None):
        with pytest.raises(NotFound):
            await clinic.call(nurse, "message.history", channel_id=channel, **({"before": before} if before else {}))

"""The worker of pushes: every device of whoever is away, once; what failed comes again; what is over ends, and says how."""

from datetime import timedelta

import pytest

from server.ids import now
from tests.support.cast import Clinic
from tests.support.pushes import Pushes

Ward = tuple[str, str]


@pytest.fixture
async def ward(clinic: Clinic) -> Ward:
    """(patient, their care-team channel with the clinician)."""
    patient = await clinic.patient()
    return patient, await clinic.care_team(patient)


async def test_a_message_reaches_every_device_once_and_says_nothing_of_itself(
    clinic: Clinic, pushes: Pushes, ward: Ward
) -> None:
    patient, channel = ward
    phone, desk = await pushes.device(clinic.clinician), await pushes.device(clinic.clinician)
    own = await pushes.device(patient)
    await clinic.send(patient, channel, "First")
    said = await pushes.say(patient, channel)
    await pushes.send()
    for device in (phone, desk):
        assert [one.payload["badge"] for one in pushes.endpoint.at(device)] == [2, 2]
        assert {one.payload["type"] for one in pushes.endpoint.at(device)} == {"message"}
        assert {one.payload["channel"] for one in pushes.endpoint.at(device)} == {channel}
        assert all(set(one.payload) == {"type", "channel", "badge"} for one in pushes.endpoint.at(device))
        assert len({one.headers["topic"] for one in pushes.endpoint.at(device)}) == 1
        assert all(0 <= 24 * 3600 - int(one.headers["ttl"]) < 60 for one in pushes.endpoint.at(device))
    assert pushes.endpoint.at(own) == []
    notice = await pushes.notice(clinic.clinician, said)
    assert (notice["status"], notice["why"], notice["starts"]) == ("sent", "sent", 0)
    assert await pushes.deliveries(notice) == {phone.endpoint: ("sent", 201, 1), desk.endpoint: ("sent", 201, 1)}
    await pushes.send()
    assert len(pushes.endpoint.received) == 4


@pytest.mark.catalogue("R32")
async def test_a_device_that_is_gone_is_forgotten_and_the_others_get_theirs(
    clinic: Clinic, pushes: Pushes, ward: Ward
) -> None:
    patient, channel = ward
    for status in (404, 410):
        gone, there = await pushes.device(clinic.clinician), await pushes.device(clinic.clinician)
        pushes.endpoint.answer(gone, status)
        said = await pushes.say(patient, channel)
        await pushes.send()
        notice = await pushes.notice(clinic.clinician, said)
        assert notice["status"] == "sent"
        assert (await pushes.deliveries(notice))[gone.endpoint] == ("gone", status, 1)
        rows = await clinic.sql("select endpoint, removed_why from devices where endpoint = any ($1)", [gone.endpoint])
        assert [row["removed_why"] for row in rows] == ["gone"]
        assert len(pushes.endpoint.at(there)) == 1
        await clinic.sql(
            "update devices set removed_at = added_at, removed_why = 'person' where endpoint = $1", there.endpoint
        )


async def test_where_every_device_is_gone_or_refuses_the_ledger_says_so(
    clinic: Clinic, pushes: Pushes, ward: Ward
) -> None:
    patient, channel = ward
    only = await pushes.device(clinic.clinician)
    for status, why in ((413, "refused"), (403, "refused"), (410, "gone")):
        pushes.endpoint.answer(only, status)
        said = await pushes.say(patient, channel)
        await pushes.send()
        notice = await pushes.notice(clinic.clinician, said)
        assert (notice["status"], notice["why"]) == ("failed", why)
    said = await pushes.say(patient, channel)
    await pushes.send()
    notice = await pushes.notice(clinic.clinician, said)
    assert (notice["status"], notice["why"]) == ("suppressed", "no_device")


@pytest.mark.catalogue("R32")
async def test_a_provider_that_asks_to_wait_gets_its_time_and_others_get_their_pushes(
    clinic: Clinic, pushes: Pushes, ward: Ward
) -> None:
    patient, channel = ward
    busy, free = await pushes.device(clinic.clinician), await pushes.device(clinic.clinician)
    pushes.endpoint.answer(busy, (429, {"Retry-After": "600"}), 201)
    said = await pushes.say(patient, channel)
    await pushes.send()
    notice = await pushes.notice(clinic.clinician, said)
    assert (notice["status"], notice["why"]) == ("due", "again")
    assert 590 < (notice["due_at"] - now()).total_seconds() < 610
    assert await pushes.deliveries(notice) == {busy.endpoint: ("failed", 429, 1), free.endpoint: ("sent", 201, 1)}
    pushes.ahead += timedelta(seconds=620)
    await pushes.send()
    notice = await pushes.notice(clinic.clinician, said)
    assert (notice["status"], notice["attempts"]) == ("sent", 2)
    assert await pushes.deliveries(notice) == {busy.endpoint: ("sent", 201, 2), free.endpoint: ("sent", 201, 1)}
    assert len(pushes.endpoint.at(free)) == 1, "what was delivered is not delivered again"


@pytest.mark.catalogue("R32")
async def test_an_ailing_provider_is_asked_again_with_longer_pauses_for_a_day(
    clinic: Clinic, pushes: Pushes, ward: Ward
) -> None:
    patient, channel = ward
    ailing = await pushes.device(clinic.clinician)
    pushes.endpoint.answer(ailing, 500)
    said = await pushes.say(patient, channel)
    waits = []
    for _ in range(4):
        await pushes.send()
        notice = await pushes.notice(clinic.clinician, said)
        assert (notice["status"], notice["why"]) == ("due", "again")
        waits.append((notice["due_at"] - pushes.clock()).total_seconds())
        pushes.ahead += timedelta(seconds=waits[-1] + 1)
    assert [round(wait) for wait in waits] == [2, 4, 8, 16]
    pushes.ahead += timedelta(hours=23)
    pushes.endpoint.answer(ailing, 201)
    await pushes.send()
    assert (await pushes.notice(clinic.clinician, said))["status"] == "sent"
    assert int(pushes.endpoint.at(ailing)[0].headers["ttl"]) < 3600


async def test_after_a_day_it_is_given_up(clinic: Clinic, pushes: Pushes, ward: Ward) -> None:
    patient, channel = ward
    ailing = await pushes.device(clinic.clinician)
    pushes.endpoint.answer(ailing, 503)
    said = await pushes.say(patient, channel)
    await pushes.send()
    pushes.ahead += timedelta(hours=24, minutes=1)
    await pushes.send()
    notice = await pushes.notice(clinic.clinician, said)
    assert (notice["status"], notice["why"]) == ("failed", "given_up")
    assert len(pushes.endpoint.received) == 1


async def test_whoever_reads_the_channel_just_now_gets_it_when_they_stop_and_it_is_still_unread(
    clinic: Clinic, pushes: Pushes, ward: Ward
) -> None:
    patient, channel = ward
    device = await pushes.device(clinic.clinician)
    async with pushes.worker() as worker:
        pair = (str(clinic.organization_id), str(channel), str(clinic.clinician))
        await worker._viewing.say(pair, "page", True, now())
    said = await pushes.say(patient, channel)
    await pushes.send()
    notice = await pushes.notice(clinic.clinician, said)
    assert (notice["status"], notice["why"]) == ("due", "viewing")
    assert pushes.endpoint.received == []
    pushes.ahead += timedelta(seconds=35)
    await pushes.send()
    assert len(pushes.endpoint.at(device)) == 1

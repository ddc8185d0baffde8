"""A channel that was read elsewhere: the devices that were pushed to are told so under the same Topic, once, and no others."""

from server.notices import superseding
from tests.support.cast import Clinic
from tests.support.pushes import Pushes
from workers.superseding import once


async def read(clinic: Clinic, channel: str) -> None:
    """The clinician reads all of it."""
    await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=await clinic.top(channel))


async def test_what_was_read_elsewhere_is_taken_back_under_the_same_topic(clinic: Clinic, pushes: Pushes) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    channel, elsewhere = await clinic.care_team(patient), await clinic.care_team(other)
    shown, gone, failing = [await pushes.device(clinic.clinician) for _ in range(3)]
    pushes.endpoint.answer(failing, 413)
    await pushes.say(patient, channel)
    await pushes.say(patient, channel)
    await pushes.say(other, elsewhere)
    await pushes.send()
    assert await once(clinic.database, pushes.pusher, pushes.clock()) == 0, "nothing was read"
    later = await pushes.device(clinic.clinician)
    pushes.endpoint.answer(gone, 410)
    await read(clinic, channel)
    assert await once(clinic.database, pushes.pusher, pushes.clock()) == 2
    first, *_, last = [one for one in pushes.endpoint.at(shown) if one.payload["channel"] == channel]
    assert last.payload == {"type": "read", "channel": channel, "badge": 1}
    assert last.headers["topic"] == first.headers["topic"]
    assert [one.payload["type"] for one in pushes.endpoint.at(shown)].count("read") == 1
    assert pushes.endpoint.at(later) == []
    rows = await clinic.sql("select removed_why from devices where endpoint = $1", gone.endpoint)
    assert [row["removed_why"] for row in rows] == ["gone"]
    assert await once(clinic.database, pushes.pusher, pushes.clock()) == 0, "once is enough"


async def test_what_stands_for_something_newer_stays(clinic: Clinic, pushes: Pushes) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await pushes.device(clinic.clinician)
    await pushes.say(patient, channel)
    top = await clinic.top(channel)
    await pushes.say(patient, channel)
    await pushes.send()
    await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=top)
    assert await once(clinic.database, pushes.pusher, pushes.clock()) == 0
    await read(clinic, channel)
    assert await once(clinic.database, pushes.pusher, pushes.clock()) == 1


async def test_where_a_push_that_shows_nothing_costs_the_permission_none_is_sent(
    clinic: Clinic, pushes: Pushes
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    device = await pushes.device(clinic.clinician)
    await pushes.say(patient, channel)
    await pushes.send()
    await read(clinic, channel)
    await clinic.sql(
        "update devices set endpoint = $2 where endpoint = $1", device.endpoint, "https://web.push.apple.com/x"
    )
    async with clinic.database.transaction() as tx:
        assert await superseding.passed(tx, 100, pushes.clock()) == []

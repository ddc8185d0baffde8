"""A registration is one person's, and ends with their sign-in (S19); an endpoint that got into the table is not called (S18)."""

import json

import pytest

from server.config import Settings
from server.dispatching import Dispatcher
from server.errors import Invalid
from server.notices.endpoints import Allowed
from server.notices.pushing import Pusher
from tests.notices.hostile import ENDPOINTS, OF_OTHER_SCHEMES
from tests.support.cast import Clinic
from tests.support.pushes import Pushes
from tests.support.trap import trap


@pytest.mark.catalogue("S19")
async def test_a_registration_moves_with_whoever_has_the_browser_and_ends_with_the_sign_in(
    clinic: Clinic, pushes: Pushes
) -> None:
    """Somebody registers another's endpoint and keys: it is theirs then, and never both's; signing out ends it."""
    patient, other = await clinic.patient(), await clinic.patient()
    mine, theirs = await clinic.care_team(patient), await clinic.care_team(other)
    browser = pushes.endpoint.register()

    dispatcher = Dispatcher(clinic.database, clinic.batcher, endpoints=Allowed((), (pushes.endpoint.origin,)))

    async def register(person: str) -> str:
        made = await dispatcher.call(clinic.identity(person), "device.add", dict(browser.params()))
        return str(json.loads(made)["device_id"])

    async def channels_told() -> list[str]:
        for channel in (mine, theirs):
            await pushes.say(clinic.clinician, channel)
        await pushes.send()
        told = [one.payload["channel"] for one in pushes.endpoint.at(browser)]
        pushes.endpoint.received.clear()
        return told

    first = await register(patient)
    assert await register(patient) == first
    assert await channels_told() == [mine]
    assert await register(other) != first
    assert await channels_told() == [theirs]
    await clinic.call(patient, "device.remove", endpoint=browser.endpoint)
    assert await channels_told() == [theirs], "nobody takes away what is not theirs"
    await clinic.call(other, "sign_out")
    assert await channels_told() == []


@pytest.mark.catalogue("S18")
async def test_hostile_endpoints_are_not_registered_and_in_the_table_they_are_not_called(
    clinic: Clinic, pushes: Pushes, push_settings: Settings
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    async with trap() as caught:
        pusher = Pusher(push_settings.model_copy(update={"push_local": ()}), caught)
        pushes.pusher = pusher
        urls = [url.format(port=caught.port) for url in ENDPOINTS]
        for url in (*urls, *OF_OTHER_SCHEMES):
            with pytest.raises(Invalid):
                await clinic.call(patient, "device.add", **pushes.endpoint.register().params() | {"endpoint": url})
        for url in urls:
            await pushes.device(clinic.clinician, url)
        said = await pushes.say(patient, channel)
        await pushes.send()
        await pusher.stop()
    assert (caught.hits, caught.asked, pushes.endpoint.received) == (0, [], [])
    notice = await pushes.notice(clinic.clinician, said)
    assert (notice["status"], notice["why"]) == ("failed", "refused")
    assert await pushes.deliveries(notice) == dict.fromkeys(urls, ("refused", None, 1))

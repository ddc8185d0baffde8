"""Devices: an endpoint is one person's at a time, its registering is refused to nobody, and signing out ends it (S19)."""

import asyncio
import base64
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.dispatching import Dispatcher
from server.errors import Conflict, Invalid, NotFound, TooMany, Unauthorized
from server.ids import PersonId
from server.notices import devices
from server.notices.devices import MOST, Device
from server.notices.endpoints import Allowed
from server.people.actors import Identity
from tests.support.cast import Clinic

EXAMPLE: str = (devices.AddDevice.model_fields["p256dh"].examples or [])[0]
ENDPOINT = "https://updates.push.services.mozilla.com/wpush/v2/one"


def subscription(endpoint: str = ENDPOINT) -> dict[str, str]:
    """As a browser makes one."""
    point = (
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    p256dh, auth = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (point, os.urandom(16)))
    return {"endpoint": endpoint, "p256dh": p256dh, "auth": auth}


async def current(clinic: Clinic, person: str) -> list[Device]:
    async with clinic.database.transaction() as tx:
        return await devices.current(tx, clinic.organization_id, person)


async def endings(clinic: Clinic) -> list[tuple[str, str | None]]:
    rows = await clinic.sql("select person_id, removed_why from devices order by added_at, id")
    return [(row["person_id"], row["removed_why"]) for row in rows]


async def test_a_browser_is_registered_once(clinic: Clinic) -> None:
    patient, given = await clinic.patient(), subscription()
    added = await clinic.call(patient, "device.add", **given)
    assert await clinic.call(patient, "device.add", **given, platform="web") == added
    [device] = await current(clinic, patient)
    assert (device.id, device.person_id, device.endpoint) == (added["device_id"], patient, ENDPOINT)
    assert (len(device.p256dh), len(device.auth)) == (65, 16)
    assert base64.urlsafe_b64encode(device.auth).rstrip(b"=").decode() == given["auth"]
    [shown] = (await clinic.call(patient, "device.list"))["devices"]
    assert shown == {
        "device_id": added["device_id"], "platform": "web", "host": "updates.push.services.mozilla.com",
        "added_at": shown["added_at"],
    }  # fmt: skip
    assert (await clinic.call(clinic.clinician, "device.list"))["devices"] == []


async def test_new_keys_are_a_new_device(clinic: Clinic) -> None:
    patient = await clinic.patient()
    first, second = [await clinic.call(patient, "device.add", **subscription()) for _ in range(2)]
    assert first != second
    assert [device.id for device in await current(clinic, patient)] == [second["device_id"]]
    assert await endings(clinic) == [(patient, "moved"), (patient, None)]


@pytest.mark.catalogue("S19")
async def test_an_endpoint_moves_to_whoever_uses_the_browser(clinic: Clinic, elsewhere: Clinic) -> None:
    """Also into another organisation: a browser is one person's at a time."""
    patient, given = await clinic.patient(), subscription()
    await clinic.call(patient, "device.add", **given)
    await clinic.call(clinic.clinician, "device.add", **given)
    assert await current(clinic, patient) == []
    [mine] = await current(clinic, clinic.clinician)
    assert mine.person_id == clinic.clinician
    await elsewhere.call(elsewhere.clinician, "device.add", **given)
    assert await current(clinic, clinic.clinician) == []
    assert len(await current(elsewhere, elsewhere.clinician)) == 1
    assert await endings(clinic) == [(patient, "moved"), (clinic.clinician, "moved"), (elsewhere.clinician, None)]


@pytest.mark.catalogue("S19")
async def test_signing_out_ends_every_device(clinic: Clinic) -> None:
    patient, given = await clinic.patient(), subscription()
    first = await clinic.call(patient, "device.add", **given)
    await clinic.call(patient, "device.add", **subscription(ENDPOINT + "/another"))
    await clinic.call(patient, "sign_out")
    assert await current(clinic, patient) == []
    assert (await clinic.call(patient, "device.list"))["devices"] == []
    again = await clinic.call(patient, "device.add", **given)
    assert again != first
    assert [device.id for device in await current(clinic, patient)] == [again["device_id"]]


@pytest.mark.catalogue("S19")
async def test_a_sign_in_that_is_over_registers_nothing_however_late_it_is_noticed(clinic: Clinic) -> None:
    """It is asked again once the person is locked: a sign-out may have come between."""
    patient = PersonId(await clinic.patient())
    [row] = await clinic.sql("select extract(epoch from clock_timestamp())::float8 as at")
    old = Identity(clinic.organization_id, patient, row["at"])
    dispatcher = Dispatcher(clinic.database, clinic.batcher)
    async with clinic.database.transaction() as tx:
        await tx.rows("update people set signed_out_at = clock_timestamp() where id = $1", patient)
        adding = asyncio.create_task(dispatcher.call(old, "device.add", dict(subscription())))
        while not await clinic.sql("select from pg_locks where not granted"):
            await asyncio.sleep(0.01)
        assert not adding.done()
    with pytest.raises(Unauthorized):
        await adding
    assert await endings(clinic) == []


async def test_a_device_is_removed_by_its_own_person_alone(clinic: Clinic) -> None:
    patient, given = await clinic.patient(), subscription()
    await clinic.call(patient, "device.add", **given)
    for person, endpoint in ((clinic.clinician, ENDPOINT), (patient, ENDPOINT + "x"), (patient, "nonsense")):
        assert await clinic.call(person, "device.remove", endpoint=endpoint) == {}
    assert len(await current(clinic, patient)) == 1
    assert await clinic.call(patient, "device.remove", endpoint=ENDPOINT) == {}
    assert await current(clinic, patient) == []
    assert await endings(clinic) == [(patient, "person")]


async def test_a_lost_device_is_ended_from_another_one_and_does_not_come_back_unasked(clinic: Clinic) -> None:
    patient, lost, here = await clinic.patient(), subscription(), subscription(ENDPOINT + "/another")
    phone = (await clinic.call(patient, "device.add", **lost))["device_id"]
    desk = (await clinic.call(patient, "device.add", **here))["device_id"]
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "device.end", device_id=phone)
    assert await clinic.call(patient, "device.end", device_id=phone) == {}
    with pytest.raises(NotFound):
        await clinic.call(patient, "device.end", device_id=phone)
    for endpoint in (ENDPOINT, ENDPOINT + "/changed"):
        with pytest.raises(Conflict, match="removed from another one"):
            await clinic.call(patient, "device.add", **lost | {"endpoint": endpoint}, resumes=phone)
    assert [device.id for device in await current(clinic, patient)] == [desk]
    again = (await clinic.call(patient, "device.add", **lost))["device_id"]  # somebody pressed the button there
    assert [device.id for device in await current(clinic, patient)] == [again, desk]
    assert await endings(clinic) == [(patient, "elsewhere"), (patient, None), (patient, None)]


async def test_a_device_that_is_ended_while_it_resumes_is_not_said_to_be_gone(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, asked = await clinic.patient(), devices._require_not_ended
    phone = (await clinic.call(patient, "device.add", **subscription()))["device_id"]
    ending: list[asyncio.Task[Any]] = []

    async def and_then_ended(*args: Any) -> None:
        await asked(*args)
        ending.append(asyncio.create_task(clinic.call(patient, "device.end", device_id=phone)))
        while not (ending[0].done() or await clinic.sql("select from pg_locks where not granted")):
            await asyncio.sleep(0.01)

    monkeypatch.setattr(devices, "_require_not_ended", and_then_ended)
    await clinic.call(patient, "device.add", **subscription(ENDPOINT + "/changed"), resumes=phone)
    with pytest.raises(NotFound):
        await ending[0]
    assert await endings(clinic) == [(patient, "moved"), (patient, None)]


async def test_a_browser_that_is_a_device_already_takes_no_others_place(clinic: Clinic) -> None:
    patient = await clinic.patient()
    last: dict[str, str] = {}
    for number in range(MOST):
        last = await clinic.call(patient, "device.add", **subscription(f"{ENDPOINT}/{number}"))
    moved = f"{ENDPOINT}/{MOST}"
    await clinic.call(patient, "device.add", **subscription(moved), resumes=last["device_id"])
    await clinic.call(patient, "device.add", **subscription(moved))  # other keys at the same address
    assert len(await current(clinic, patient)) == MOST


async def test_a_browser_whose_endpoint_has_changed_is_still_one_device(clinic: Clinic) -> None:
    patient = await clinic.patient()
    first = (await clinic.call(patient, "device.add", **subscription()))["device_id"]
    changed = subscription(ENDPOINT + "/changed")
    second = (await clinic.call(patient, "device.add", **changed, resumes=first))["device_id"]
    assert [device.id for device in await current(clinic, patient)] == [second]
    assert (await clinic.call(patient, "device.add", **changed, resumes=second))["device_id"] == second
    await clinic.call(patient, "device.remove", endpoint=changed["endpoint"])  # signed out there, and in again
    third = (await clinic.call(patient, "device.add", **changed, resumes=second))["device_id"]
    other = await clinic.call(clinic.clinician, "device.add", **subscription(), resumes=third)
    assert [device.id for device in await current(clinic, clinic.clinician)] == [other["device_id"]]
    assert [device.id for device in await current(clinic, patient)] == [third], "another's is nobody's business"


async def test_what_its_provider_has_forgotten_is_forgotten(clinic: Clinic, elsewhere: Clinic) -> None:
    added = await clinic.call(clinic.clinician, "device.add", **subscription())
    for organization, left in (
        (elsewhere.organization_id, 1),
        (clinic.organization_id, 0),
        (clinic.organization_id, 0),
    ):
        async with clinic.database.transaction() as tx:
            await devices.forget(tx, organization, added["device_id"], "gone")
        assert len(await current(clinic, clinic.clinician)) == left
    assert await endings(clinic) == [(clinic.clinician, "gone")]


async def test_who_registers_too_many_loses_the_oldest(clinic: Clinic) -> None:
    for number in range(MOST + 2):
        await clinic.call(clinic.clinician, "device.add", **subscription(f"{ENDPOINT}/{number}"))
    kept = [device.endpoint for device in await current(clinic, clinic.clinician)]
    assert kept == [f"{ENDPOINT}/{number}" for number in range(MOST + 1, 1, -1)]


async def test_two_who_register_one_endpoint_at_once(clinic: Clinic) -> None:
    people = [await clinic.team_member() for _ in range(6)]
    given = subscription()
    done = await asyncio.gather(
        *(clinic.call(person, "device.add", **given) for person in people), return_exceptions=True
    )
    assert all(isinstance(one, dict | TooMany) for one in done), done
    owners = [person for person in people if await current(clinic, person)]
    assert len(owners) == 1


WRONG = [
    ("p256dh", "A" * 87),
    ("p256dh", "B" + "A" * 86),
    ("p256dh", EXAMPLE[:-1]),
    ("p256dh", EXAMPLE[:22]),
    ("auth", "A" * 21),
    ("auth", "A" * 21 + "B"),
    ("auth", "A" * 22 + "="),
    ("platform", "ios"),
]


async def test_keys_are_what_a_browser_makes(clinic: Clinic) -> None:
    for field, value in WRONG:
        with pytest.raises(Invalid, match=field):
            await clinic.call(clinic.clinician, "device.add", **subscription() | {field: value})
    assert await clinic.sql("select from devices") == []


async def test_the_settings_say_whose_endpoints_are_taken(clinic: Clinic) -> None:
    dispatcher = Dispatcher(clinic.database, clinic.batcher, endpoints=Allowed(("push.example",)))
    me = clinic.identity(clinic.clinician)
    good: dict[str, Any] = dict(subscription("https://push.example/one"))
    await dispatcher.call(me, "device.add", good)
    with pytest.raises(Invalid, match="endpoint"):
        await dispatcher.call(me, "device.add", dict(subscription()))

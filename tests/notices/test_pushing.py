"""One push to one device: what arrives, what the answers mean, and that nothing holds up anybody else (R32)."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from server.config import Settings
from server.ids import DeviceId, PersonId, now
from server.notices import vapid
from server.notices.devices import Device
from server.notices.payload import MOST_BYTES, Push
from server.notices.pushing import AT_ONCE, Pusher
from tests.support.push_endpoint import PushEndpoint, Registration, serving

CHANNEL = "ch_" + "0" * 20
MESSAGE = Push("message", CHANNEL, 3)


def device(registration: Registration) -> Device:
    """The row of a registration."""
    return Device(
        DeviceId.new(), PersonId("pa_" + "0" * 20), registration.endpoint, registration.p256dh, registration.auth
    )


async def test_what_arrives_is_encrypted_for_the_browser_and_signed_for_the_provider(
    pusher: Pusher, endpoint: PushEndpoint, push_settings: Settings
) -> None:
    registration = endpoint.register()
    began = now()
    answer = await pusher.push(device(registration), MESSAGE, 24 * 3600, began)
    assert (answer.outcome, answer.status) == ("sent", 201)
    [got] = endpoint.at(registration)
    assert got.payload == {"type": "message", "channel": CHANNEL, "badge": 3}
    assert got.size < MOST_BYTES
    assert push_settings.vapid_key_file is not None
    assert got.signed_by == vapid.public(vapid.read(push_settings.vapid_key_file))
    assert got.claims["aud"] == endpoint.origin
    assert got.claims["sub"] == "mailto:it@clinic.invalid"
    assert 0 < got.claims["exp"] - began.timestamp() <= 24 * 3600
    assert (got.headers["ttl"], got.headers["urgency"], got.headers["content-encoding"]) == (
        "86400",
        "high",
        "aes128gcm",
    )
    assert set(got.headers) == {
        *("host", "ttl", "topic", "urgency", "authorization", "content-encoding", "content-type", "content-length"),
        *("user-agent", "accept", "accept-encoding"),
    }


async def test_an_endpoint_is_asked_for_as_it_was_given(pusher: Pusher, endpoint: PushEndpoint) -> None:
    name = "a%41%7e;=b?q=%2b+c"
    answer = await pusher.push(device(endpoint.register(name=name)), MESSAGE, 10, now())
    assert (answer.outcome, [one.target for one in endpoint.received]) == ("sent", [f"/push/{name}"])


async def test_each_call_has_claims_of_its_own(pusher: Pusher, endpoint: PushEndpoint) -> None:
    one, at = device(endpoint.register()), now()
    for moment in (at, at + timedelta(hours=20)):
        await pusher.push(one, MESSAGE, 10, moment)
    first, second = endpoint.received
    assert second.claims["exp"] - first.claims["exp"] == 20 * 3600
    assert first.headers["authorization"] != second.headers["authorization"]


async def test_a_topic_is_one_per_channel_and_device_and_tells_nothing(pusher: Pusher, endpoint: PushEndpoint) -> None:
    other = "ch_" + "1" * 20
    mine, others = device(endpoint.register()), device(endpoint.register())
    for one, push in (
        (mine, MESSAGE), (mine, Push("read", CHANNEL, 0)), (mine, Push("message", other, 1)), (others, MESSAGE),
    ):  # fmt: skip
        await pusher.push(one, push, 10, now())
    first, read, elsewhere, theirs = (one.headers["topic"] for one in endpoint.received)
    assert first == read
    assert len({first, elsewhere, theirs}) == 3
    assert all(len(topic) <= 32 and topic.replace("-", "").replace("_", "").isalnum() for topic in (first, elsewhere))
    assert CHANNEL[3:] not in first


@pytest.mark.catalogue("R32")
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "sent"), (202, "sent"), (404, "gone"), (410, "gone"), (400, "refused"), (401, "refused"), (403, "refused"),
        (413, "refused"), (429, "later"), (500, "later"), (502, "later"), (503, "later"),
    ],
)  # fmt: skip
async def test_every_answer_has_its_meaning(pusher: Pusher, endpoint: PushEndpoint, status: int, outcome: str) -> None:
    registration = endpoint.register()
    endpoint.answer(registration, status)
    answer = await pusher.push(device(registration), MESSAGE, 10, now())
    assert (answer.outcome, answer.status) == (outcome, status)


@pytest.mark.catalogue("R32")
async def test_a_provider_that_asks_to_wait_is_heard_in_seconds_and_as_a_date(
    pusher: Pusher, endpoint: PushEndpoint
) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    for said, wait in (
        ("120", 120.0),
        (format_datetime(at + timedelta(seconds=90), usegmt=True), 90.0),
        ("999999999999", 3600.0),
        ("soon", 0.0),
        (format_datetime(at - timedelta(days=1), usegmt=True), 0.0),
    ):
        registration, other = endpoint.register(), endpoint.register()
        endpoint.answer(registration, (429, {"Retry-After": said}), 201)
        one = device(registration)
        assert (await pusher.push(one, MESSAGE, 10, at)).wait == wait
        assert (await pusher.push(device(other), MESSAGE, 10, at)).outcome == "sent", "others need not wait"
        again = await pusher.push(one, MESSAGE, 10, at)
        assert (again.outcome, 0 <= wait - again.wait < 5) == ("later" if wait else "sent", True)
        assert len(endpoint.at(registration)) == (0 if wait else 1)


@pytest.mark.catalogue("R32", "S18")
async def test_redirects_are_not_followed(pusher: Pusher, endpoint: PushEndpoint) -> None:
    moved, elsewhere = endpoint.register(), endpoint.register()
    for status in (301, 302, 303, 307, 308):
        endpoint.answer(moved, (status, {"Location": elsewhere.endpoint}))
        assert (await pusher.push(device(moved), MESSAGE, 10, now())).outcome == "refused"
    assert endpoint.at(elsewhere) == []
    assert len(endpoint.received) == 5


@pytest.mark.catalogue("R32")
async def test_one_that_hangs_is_given_up_and_nobody_else_waits_for_it(pusher: Pusher, endpoint: PushEndpoint) -> None:
    pusher._http._timeout = pusher._http._timeout.__class__(total=3)
    hangs, well = endpoint.register(), endpoint.register()
    endpoint.answer(hangs, "hang")
    began = time.monotonic()
    hanging = asyncio.create_task(pusher.push(device(hangs), MESSAGE, 10, now()))
    assert (await pusher.push(device(well), MESSAGE, 10, now())).outcome == "sent"
    assert not hanging.done()
    answer = await hanging
    await pusher.stop()
    assert (answer.outcome, answer.status, answer.ailing) == ("later", None, True)
    assert time.monotonic() - began < 20


async def test_keys_that_are_none_are_refused_without_a_call(pusher: Pusher, endpoint: PushEndpoint) -> None:
    good = device(endpoint.register())
    broken = Device(good.id, good.person_id, good.endpoint, b"\4" + b"\1" * 64, good.auth)
    assert (await pusher.push(broken, MESSAGE, 10, now())).outcome == "refused"
    assert endpoint.received == []


@pytest.mark.catalogue("R32")
async def test_a_provider_that_is_dead_is_left_alone_and_holds_up_no_other(
    push_settings: Settings, endpoint: PushEndpoint, push_certificate: tuple[Path, Path]
) -> None:
    """A host that hangs takes its own pushes with it; those to another host go out meanwhile, and it is not called again."""
    async with serving(push_certificate) as dead:
        dead.usual = "hang"
        settings = push_settings.model_copy(update={"push_local": (endpoint.origin, dead.origin)})
        pusher = Pusher(settings, seconds=1)
        try:
            waiting = [pusher.push(device(dead.register()), MESSAGE, 10, now()) for _ in range(AT_ONCE + 10)]
            hanging = asyncio.gather(*waiting)
            await asyncio.sleep(0.2)
            well = [pusher.push(device(endpoint.register()), MESSAGE, 10, now()) for _ in range(20)]
            assert {answer.outcome for answer in await asyncio.gather(*well)} == {"sent"}
            assert not hanging.done()
            assert {answer.outcome for answer in await hanging} == {"later"}
            called = dead.hung
            assert called <= AT_ONCE + 10
            later = await pusher.push(device(dead.register()), MESSAGE, 10, now())
            assert (later.outcome, later.status, 0 < later.wait <= 5) == ("later", None, True)
            assert dead.hung == called
        finally:
            await pusher.stop()


@pytest.mark.catalogue("R32")
async def test_answers_that_go_on_and_on_are_not_read(pusher: Pusher, endpoint: PushEndpoint) -> None:
    registration = endpoint.register()
    endpoint.answer(registration, 500)  # with 300 kB of words
    for _ in range(3):
        assert (await pusher.push(device(registration), MESSAGE, 10, now())).status == 500
    assert pusher._http.connector is not None
    assert len(pusher._http.connector._conns) == 0, "whoever has more to say is hung up on"

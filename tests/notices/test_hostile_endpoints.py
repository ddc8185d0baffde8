"""Nobody can make this server call what is not a provider: thirty-odd hostile endpoints are sent to, and nothing is hit (S18)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.config import Settings
from server.ids import DeviceId, PersonId, now
from server.notices import reaching
from server.notices.devices import Device
from server.notices.payload import Push
from server.notices.pushing import Pusher
from tests.notices.hostile import ENDPOINTS, INNER, OF_OTHER_SCHEMES
from tests.support.push_endpoint import PushEndpoint
from tests.support.trap import Trap, trap

pytestmark = pytest.mark.catalogue("S18")
MESSAGE = Push("message", "ch_" + "0" * 20, 1)


@pytest.fixture
async def caught() -> AsyncIterator[Trap]:
    async with trap() as made:
        yield made


@pytest.fixture
async def pusher(push_settings: Settings, caught: Trap) -> AsyncIterator[Pusher]:
    """One as in production, but that every name leads into the trap."""
    made = Pusher(push_settings.model_copy(update={"push_local": ()}), caught)
    yield made
    await made.stop()


def device(endpoint: PushEndpoint, url: str) -> Device:
    """A device that somehow has this endpoint."""
    good = endpoint.register()
    return Device(DeviceId.new(), PersonId("pa_" + "0" * 20), url, good.p256dh, good.auth)


async def test_no_hostile_endpoint_is_called(pusher: Pusher, caught: Trap, endpoint: PushEndpoint) -> None:
    assert len(ENDPOINTS) >= 30
    for url in (*ENDPOINTS, *OF_OTHER_SCHEMES):
        answer = await pusher.push(device(endpoint, url.format(port=caught.port)), MESSAGE, 10, now())
        assert (answer.outcome, answer.status) == ("refused", None), url
    assert (caught.hits, caught.asked, endpoint.received) == (0, [], [])


async def test_a_providers_name_that_leads_inside_is_not_followed(
    pusher: Pusher, caught: Trap, endpoint: PushEndpoint
) -> None:
    for number, address in enumerate(INNER):
        caught.address = address
        one = device(endpoint, f"https://wns{number}.notify.windows.com/push")
        answer = await pusher.push(one, MESSAGE, 10, now())
        assert (answer.outcome, answer.status) == ("later", None), address
    assert len(caught.asked) == len(INNER)
    assert caught.hits == 0


async def test_the_trap_would_have_caught_it(
    pusher: Pusher, caught: Trap, endpoint: PushEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the look at the address the same push does arrive inside."""
    monkeypatch.setattr(reaching, "public", lambda _address: True)
    answer = await pusher.push(device(endpoint, "https://fcm.googleapis.com/push"), MESSAGE, 10, now())
    assert answer.outcome == "later"
    assert caught.hits > 0


async def test_the_certificate_must_be_the_providers(
    push_settings: Settings, endpoint: PushEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever answers at a provider's address without its certificate gets nothing."""
    monkeypatch.delenv("SSL_CERT_FILE")
    made = Pusher(push_settings)
    try:
        answer = await made.push(device(endpoint, endpoint.register().endpoint), MESSAGE, 10, now())
    finally:
        await made.stop()
    assert (answer.outcome, answer.status) == ("later", None)
    assert endpoint.received == []

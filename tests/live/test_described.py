"""What the API's descriptions say, held against what a running gateway says."""

import json
from typing import Any

import httpx
import jsonschema
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.live.conftest import Connect, Pair
from tests.support.browser import Pages
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.wire import Refused

NOBODY = "pa_00000000000000000000"


@pytest.fixture
def asyncapi(pair: Pair) -> Any:
    return httpx.get(f"{pair.a.url}/api/asyncapi.json").json()


def judge(asyncapi: Any, message: str) -> jsonschema.Draft202012Validator:
    """What the document says of a message; fields that it does not name are wrong."""
    closed = json.loads(json.dumps(asyncapi))
    for schema in closed["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    return jsonschema.Draft202012Validator(closed | closed["components"]["messages"][message]["payload"])


async def test_what_is_said_is_as_described(
    pair: Pair, connect: Connect, clinic: Clinic, site: Site, asyncapi: Any
) -> None:
    patient, doctor = await clinic.patient(), clinic.clinician
    channel = await clinic.care_team(patient, doctor)
    token = site.token(clinic.identity(doctor))
    said: dict[str, dict[str, Any]] = {
        "subscribe": {"subscribe": {"channel": channel}},
        "rpc.me": {"rpc": {"method": "me", "data": {}}},
        "rpc.message.send": {
            "rpc": {"method": "message.send", "data": {"channel_id": channel, "client_id": "a", "text": "Good morning"}}
        },
        "rpc.message.history": {"rpc": {"method": "message.history", "data": {"channel_id": channel}}},
        "rpc.channel.directory": {"rpc": {"method": "channel.directory", "data": {"channel_id": channel}}},
        "rpc.channel.read": {"rpc": {"method": "channel.read", "data": {"channel_id": channel, "offset": 2}}},
        "unsubscribe": {"unsubscribe": {"channel": channel}},
        "refresh": {"refresh": {"token": token}},
    }
    wire = await connect(pair.a, doctor)
    for number, (name, request) in enumerate(said.items(), 2):
        judge(asyncapi, name).validate({"id": number, **request})
        await (wire.subscribe(channel) if name == "subscribe" else wire.ask(**request))
    with pytest.raises(Refused):
        await wire.rpc("patient.get", patient_id=NOBODY)
    await wire.until(lambda wire: wire.hints)

    frames = [json.loads(line) for frame in wire.heard for line in frame.split("\n")]
    replies = {frame["id"]: frame for frame in frames if "id" in frame}
    assert len(replies) == len(said) + 2
    for number, name in enumerate(["connect", *said], 1):
        judge(asyncapi, f"{name}.reply").validate(replies[number])
    judge(asyncapi, "error").validate(replies[len(said) + 2])
    pushes = {frame["push"]["pub"]["data"]["type"]: frame for frame in frames if "pub" in frame.get("push", {})}
    assert {"message", "seen", "channel"} <= set(pushes)
    for kind, name in (("message", "MessageItem"), ("seen", "Seen"), ("channel", "ChannelHint")):
        judge(asyncapi, f"push.{name}").validate(pushes[kind])
    with pytest.raises(jsonschema.ValidationError):  # it can also say no
        judge(asyncapi, "push.MessageItem").validate(pushes["seen"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_the_page_of_the_api_fits_and_is_accessible(pages: Pages, pair: Pair, width: int, scheme: str) -> None:
    page = await pages.open(
        f"{pair.a.url}/api/docs", viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    await expect(page.get_by_role("heading", name="The API")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()

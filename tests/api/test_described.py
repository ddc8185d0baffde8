"""The API's page to read and its two documents: whole, valid, and within the Content-Security-Policy."""

import json
import re
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from server.gateway import fields, meaning, protocol
from server.operations import OPERATIONS
from tests.support.front import Front


@pytest.fixture
async def asyncapi(front: Front) -> Any:
    answer = await front.send(None, "GET", "/api/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_openapi_is_valid(front: Front) -> None:
    validate((await front.send(None, "GET", "/api/openapi.json")).json())


async def test_asyncapi_names_every_operation_and_every_reference_leads_somewhere(asyncapi: Any) -> None:
    assert asyncapi["asyncapi"] == "3.0.0"
    assert {f"rpc.{operation.name}" for operation in OPERATIONS} <= set(asyncapi["operations"])
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(asyncapi)))
    assert len(references) > 3 * len(OPERATIONS)
    for reference in references:
        found = asyncapi
        for part in reference.split("/"):
            found = found[part]


async def test_asyncapi_shows_history_and_presence_as_they_are_on_the_wire(asyncapi: Any) -> None:
    """Held against what the codec writes, field by field."""
    schemas, info = asyncapi["components"]["schemas"], protocol.ClientInfo("mb_x", "c", b"{}", b"{}")
    publication = protocol.Publication(b"{}", 7, info)
    for name, result in (
        ("history", protocol.HistoryResult((publication,), "epoch", 7)),
        ("presence", protocol.PresenceResult({"c": info})),
        ("presence_stats", protocol.PresenceStatsResult(2, 1)),
    ):
        written = json.loads(msgspec.json.encode(meaning.reply(protocol.Reply(1, result))))[name]
        payload = asyncapi["components"]["messages"][f"{name}.reply"]["payload"]
        schema = schemas[payload["properties"][name]["$ref"].rsplit("/", 1)[1]]
        assert set(schema["properties"]) == set(written) == set(schema["required"])
    assert set(schemas["ClientInfo"]["properties"]) == {"user", "client", "conn_info", "chan_info"}
    for name in ("history", "presence", "presence_stats"):
        payload = asyncapi["components"]["messages"][name]["payload"]
        schema = schemas[payload["properties"][name]["$ref"].rsplit("/", 1)[1]]
        assert set(schema["properties"]) == set(getattr(fields, name.partition("_")[0].title()).__struct_fields__)
    assert {"push.join", "push.leave", "push.NewProfile"} <= set(asyncapi["operations"])


async def test_the_page_shows_every_operation_without_script(front: Front) -> None:
    answer = await front.send(None, "GET", "/api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for operation in OPERATIONS:
        assert f'id="{operation.name}"' in answer.text
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert not re.findall(r'(?:src|href)="(?!/|#)', answer.text), "nothing comes from elsewhere"

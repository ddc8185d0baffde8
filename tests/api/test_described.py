"""The API's page to read and its two documents: whole, valid, and within the Content-Security-Policy."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import validate

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


async def test_the_page_shows_every_operation_without_script(front: Front) -> None:
    answer = await front.send(None, "GET", "/api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for operation in OPERATIONS:
        assert f'id="{operation.name}"' in answer.text
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert not re.findall(r'(?:src|href)="(?!/|#)', answer.text), "nothing comes from elsewhere"

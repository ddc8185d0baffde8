"""The description of the HTTP surface: OpenAPI 3.1, whole, and about what is really there."""

import json
import re
from typing import Any

import pytest

from server.operations import OPERATIONS
from tests.support.front import Front


@pytest.fixture
async def document(front: Front) -> Any:
    answer = await front.send(None, "GET", "/api/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def described(document: Any) -> dict[str, Any]:
    """Every described operation, by its id."""
    return {what["operationId"]: what for path in document["paths"].values() for what in path.values()}


async def test_every_operation_is_described_where_it_is(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    assert set(described(document)) == {operation.name for operation in OPERATIONS}
    for operation in OPERATIONS:
        what = document["paths"][operation.path][operation.method.lower()]
        assert (what["operationId"], what["x-permission"]) == (operation.name, operation.permission)
        assert what["summary"]


async def test_every_parameter_is_described_once(document: Any) -> None:
    for operation in OPERATIONS:
        what = described(document)[operation.name]
        body = what.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        named = [parameter["name"] for parameter in what["parameters"]] + list(body.get("properties", {}))
        assert sorted(named) == sorted(operation.params.model_fields)
        in_path = {parameter["name"] for parameter in what["parameters"] if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", operation.path))
        assert all(parameter["required"] for parameter in what["parameters"] if parameter["in"] == "path")


async def test_every_reference_leads_somewhere(document: Any) -> None:
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)))
    assert references
    assert references <= set(document["components"]["schemas"])


async def test_every_answer_is_described(document: Any) -> None:
    for what in described(document).values():
        assert set(what["responses"]) == {"200", "default"}
    assert document["security"] == [{"bearer": []}]
    assert "bearer" in document["components"]["securitySchemes"]

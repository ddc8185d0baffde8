"""OpenAPI 3.1, read off the operations table."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.operations import Operation

_REF = "#/components/schemas/{model}"
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "temporary"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "temporary": {"type": "boolean"},
            },
        },
        "request_id": {"type": "string"},
    },
}
_REFUSED = {
    "type": "object",
    "required": ["success", *_ERROR["required"]],
    "properties": {"success": {"const": False}, **_ERROR["properties"]},
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document."""
    models: list[type[BaseModel]] = [
        model for operation in operations for model in (operation.params, operation.result)
    ]
    refs, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    paths: dict[str, Any] = {}
    for operation in operations:
        described = _describe(operation, refs[operation.result, "validation"], definitions["$defs"])
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Warmline", "version": "0.1.0"},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"] | {"Error": _ERROR, "Refused": _REFUSED},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _describe(operation: Operation, result: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    model = definitions[operation.params.__name__]
    fields, required = model.get("properties", {}), set(model.get("required", ()))
    in_path = set(re.findall(r"{(\w+)}", operation.path))
    in_body = operation.method in ("POST", "PUT")
    refused = "Refused" if operation.envelope else "Error"
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "x-permission": operation.permission,
        "x-audit": operation.audits,
        "parameters": [
            {"name": name, "in": "path" if name in in_path else "query", "required": name in required, "schema": field}
            for name, field in fields.items()
            if name in in_path or not in_body
        ],
        "responses": {
            "200": {"description": "Done", "content": {"application/json": {"schema": _answer(operation, result)}}},
            "default": {
                "description": "Refused; the message says what to do",
                "content": {"application/json": {"schema": {"$ref": _REF.format(model=refused)}}},
            },
        },
    }
    body = {name: field for name, field in fields.items() if name not in in_path}
    if in_body and body:
        schema = {"type": "object", "properties": body, "required": sorted(required - in_path)}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _answer(operation: Operation, result: dict[str, Any]) -> dict[str, Any]:
    """What HTTP answers: the result, or the envelope around it."""
    if not operation.envelope:
        return result
    properties = {"success": {"const": True}, "data": result}
    return {"type": "object", "required": ["success", "data"], "properties": properties}

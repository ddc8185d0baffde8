"""What describes the product to those who build on it: OpenAPI, AsyncAPI and a page to read, all read off the operations."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.api import openapi, reference
from server.api.pages import HEADERS
from server.operations import OPERATIONS


def routes(asyncapi: dict[str, Any]) -> list[BaseRoute]:
    """GET /api/docs, /api/openapi.json and /api/asyncapi.json; open to everybody: they tell nothing of anybody.

    Args:
        asyncapi: what describes the WebSocket, which nobody here knows.
    """
    http = openapi.document(OPERATIONS)
    return [
        Route("/api/docs", _fixed(reference.page(http), "text/html")),
        Route("/api/openapi.json", _fixed(json.dumps(http), "application/json")),
        Route("/api/asyncapi.json", _fixed(json.dumps(asyncapi), "application/json")),
    ]


def _fixed(content: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=HEADERS)

    return endpoint

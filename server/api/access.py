"""What every HTTP request gets: an id, a line in the log, a count, and an answer even where our code failed.

The line has the route's template, not the path, and never a query: who is concerned is in the access log of the database.
"""

import logging
from time import perf_counter
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import logs, metrics
from server.api.answers import refusal
from server.errors import Failed
from server.ids import random_token

log = logging.getLogger(__name__)

REQUEST_ID = "warmline.request"
"""Where the ASGI scope holds the request's id."""
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_QUIET = ("/health", "/health/live", "/health/ready", "/static")
"""Asked for so often that nobody wants to read it."""


class Access:
    """ASGI middleware: put it around all routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._templates: dict[Any, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; a WebSocket's is the gateway's affair."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0
        request_id = scope[REQUEST_ID] = random_token()
        logs.about(request=request_id)

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            log.exception("a request failed")
            if not status:
                await refusal(Failed(), request_id)(scope, receive, told)
        finally:
            self._tell(scope, status, perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.HTTP.labels(method, str(status)).inc()
        route = self._template(scope)
        level = logging.DEBUG if route in _QUIET and status < 400 else logging.INFO
        if log.isEnabledFor(level):
            facts = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            log.log(level, "request", extra=facts)

    def _template(self, scope: Scope) -> str:
        if not self._templates:
            for route in scope["app"].routes:
                self._templates[getattr(route, "endpoint", None) or getattr(route, "app", None)] = route.path
        return self._templates.get(scope.get("endpoint"), "(none)")

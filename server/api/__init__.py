"""HTTP: the operations as routes and as described, pages, emails' unsubscribe link, health, the development issuer's routes."""

from typing import Any

from starlette.routing import BaseRoute

from server import health
from server.api import described, dev, http, pages, unsubscribe
from server.api.pictures import Pictures
from server.config import Settings
from server.db import Database
from server.dispatching import Dispatcher
from server.people.tokens import DevIssuer, Verifier
from server.readiness import Readiness


def routes(
    dispatcher: Dispatcher,
    verifier: Verifier,
    database: Database,
    settings: Settings,
    asyncapi: dict[str, Any],
    readiness: Readiness | None = None,
) -> list[BaseRoute]:
    """Every HTTP route of the product. `asyncapi` describes the WebSocket, which nobody here knows."""
    found = [
        *Pictures(dispatcher, verifier).routes(),
        *http.routes(dispatcher, verifier, settings.max_request_kib * 1024),
        *health.routes(readiness or Readiness(database)),
        *pages.routes(settings),
        *unsubscribe.routes(database),
        *described.routes(asyncapi),
    ]
    if settings.dev_key_file is not None:
        found += dev.routes(DevIssuer(settings), database)
    return found

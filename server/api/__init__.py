"""HTTP: the operations as routes, the pages, health, and the development issuer's two routes."""

from starlette.routing import BaseRoute

from server.api import dev, health, http, pages
from server.config import Settings
from server.db import Database
from server.operations import Dispatcher
from server.people.tokens import DevIssuer, Verifier


def routes(dispatcher: Dispatcher, verifier: Verifier, database: Database, settings: Settings) -> list[BaseRoute]:
    """Every HTTP route of the product."""
    found = [*http.routes(dispatcher, verifier), *health.routes(database), *pages.routes()]
    if settings.dev_key_file is not None:
        found += dev.routes(DevIssuer(settings), database)
    return found

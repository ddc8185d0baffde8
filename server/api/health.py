"""Health: whether this process can do its work."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from server.db import Database


def routes(database: Database) -> list[BaseRoute]:
    """/health answers 200 while the database answers, else 503."""

    async def health(_request: Request) -> Response:
        try:
            await database.fetch("select")
        except Exception as away:
            return JSONResponse({"status": "unavailable", "reason": type(away).__name__}, 503)
        return JSONResponse({"status": "ok"})

    return [Route("/health", health)]

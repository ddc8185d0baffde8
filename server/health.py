"""Health: whether this process lives, and whether it can do its work, for whoever decides where to send people."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from server.readiness import Readiness

_FRESH = {"Cache-Control": "no-store"}


def routes(readiness: Readiness) -> list[BaseRoute]:
    """/health/live: the event loop answers. /health/ready: send people here (200), or do not (503). /health is the same."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"}, headers=_FRESH)

    async def ready(_request: Request) -> Response:
        report = await readiness.report()
        word = "ok" if report.ready else "draining" if readiness.draining else "unavailable"
        return JSONResponse({"status": word} | report.parts, 200 if report.ready else 503, _FRESH)

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/health", ready)]

"""The two pages and what they are made of. Nothing comes from elsewhere, and the browser is told to refuse it."""

import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.config import Settings

mimetypes.add_type("application/manifest+json", ".webmanifest")  # a machine's own table may not have it

WEB = Path(__file__).resolve().parent.parent / "web"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types warmline-worker",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def routes(settings: Settings) -> list[BaseRoute]:
    """The patient's page, the portal, their scripts and styles. Only the pages may also connect to the sign-in provider."""
    connect = " ".join(["connect-src 'self'", *sorted(settings.provider_origins if settings.oidc_client_id else ())])
    headers = HEADERS | {name: value.replace("connect-src 'self'", connect) for name, value in HEADERS.items()}
    return [
        Route("/", _page("patient.html", headers)),
        Route("/portal", _page("portal.html", headers)),
        Route("/worker.js", _page("static/worker.js", HEADERS)),  # from here it may serve every page
        Mount("/static", _guarded(StaticFiles(directory=WEB / "static"))),
    ]


def _page(name: str, headers: dict[str, str]) -> Callable[[Request], Awaitable[Response]]:
    async def page(_request: Request) -> Response:
        return FileResponse(WEB / name, headers=headers)

    return page


def _guarded(files: StaticFiles) -> ASGIApp:
    extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await files(scope, receive, with_headers)
        except HTTPException as refused:  # what is not there is told under the same rules as what is
            await PlainTextResponse(refused.detail, refused.status_code)(scope, receive, with_headers)

    return app

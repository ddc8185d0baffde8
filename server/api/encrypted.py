"""Behind a proxy that ends TLS: what came to it unencrypted is refused, and browsers are told to come encrypted (HSTS).

The proxy says how a request came in X-Forwarded-Proto. A request without it came from inside, past the proxy: a health check.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

HSTS = "max-age=31536000"
"""A year. Not for the subdomains: they are not ours to decide about."""
_REFUSAL = "This server is reached encrypted only: https:// and wss://. What was sent here was readable on its way.\n"


class Encrypted:
    """ASGI middleware: put it around everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or handshake."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # Of several proxies the first one met the outside; every one of them must have been reached encrypted.
        said = Headers(scope=scope).get("x-forwarded-proto", "")
        if any(part.strip().lower() not in ("https", "wss") for part in said.split(",") if part.strip()):
            refusal = PlainTextResponse(_REFUSAL, 403)
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(refusal)
            else:
                await refusal(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Strict-Transport-Security"] = HSTS
            await send(message)

        await self._app(scope, receive, told)

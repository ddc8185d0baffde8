"""A request for a WebSocket, until it is one: it may have to wait in the porch, and is answered here if it is an ordinary one."""

from typing import Any
from urllib.parse import unquote

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from server import metrics
from server.gateway import handshake
from server.gateway.doors import BUSY
from server.gateway.handshake import Handshake
from server.gateway.porch import Porch
from server.limits import origin

EXTENSION = "warmline"
"""The key in the ASGI scope's extensions under which an endpoint finds its writer."""

_SAID = f"{BUSY}\n".encode()
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_SAID), _SAID)
)
_UNREADABLE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FORWARDED = b"x-forwarded-for"


class Arriving(WebSocketsSansIOProtocol):
    """The part of a GatewayProtocol that comes before the upgrade; an Arrival. Without a porch nothing waits."""

    def __init__(self, *args: Any, porch: Porch | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._porch = porch
        self._held: bytes | None = None
        """The request, while it waits."""
        self._opening: Handshake | None = None
        """An ordinary one that is not answered yet."""

    def data_received(self, data: bytes) -> None:
        """The request first; it is whole."""
        if self._held is not None or self._opening is not None:
            self.transport.abort()  # nobody may say anything before they are answered (RFC 6455 §4.1)
        elif self.handshake_initiated:
            super().data_received(data)
        else:
            self._held = data
            if self._porch is None or self._porch.enter(self):
                self.proceed()

    def address(self) -> str:
        """See Arrival. Who the trusted proxies say it is, as uvicorn has it for the application."""
        host = self.client[0] if self.client else ""
        trusted = getattr(self.app, "trusted_hosts", None)
        if trusted is not None and host in trusted:
            lines = (self._held or b"").split(b"\r\n")[1:]
            named = [value for name, _, value in (line.partition(b": ") for line in lines) if name == _FORWARDED]
            if named:
                host = trusted.get_trusted_client_address(b", ".join(named).decode("latin1"))[0] or host
        return origin(host)

    def proceed(self) -> None:
        """See Arrival."""
        request, self._held = self._held or b"", None
        opening = None if self.config.ws_per_message_deflate else handshake.read(request)
        if opening is None:
            super().data_received(request)
            if not self.handshake_initiated:
                self._unreadable()
        else:
            self._open(opening)

    def _unreadable(self) -> None:
        """The library finds no request in it. What it says to that uvicorn does not send, and nobody would ever hang up."""
        metrics.HANDSHAKES_REFUSED.labels("400").inc()
        self.transport.write(b"".join(self.conn.data_to_send()) or _UNREADABLE)
        self.close_sent = True
        self.transport.close()

    def _open(self, opening: Handshake) -> None:
        """Hand it to the application, as `handle_connect` does with what the library has read."""
        self._opening, self.handshake_initiated = opening, True
        path, _, query = opening.target.partition("?")
        self.scope = {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
            "path": self.root_path + unquote(path),
            "raw_path": (self.root_path + path).encode(),
            "query_string": query.encode(),
            "headers": opening.headers,
            "subprotocols": opening.subprotocols,
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}, EXTENSION: {"writer": self}},
        }
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    async def send(self, message: ASGISendEvent) -> None:
        """The application's answer. A refusal is put in words by the library."""
        opening, self._opening = self._opening, None
        if opening is None or message["type"] != "websocket.accept":
            await super().send(message)
        elif self.disconnected:
            raise ClientDisconnected
        elif not self.transport.is_closing():
            self.handshake_complete = True
            headers = [*self.default_headers, *message.get("headers", [])]
            self.transport.write(opening.answer(headers, message.get("subprotocol")))
            # The library goes on where it would be, had it read the request.
            self.conn.state = State.OPEN
            self.conn.parser = self.conn.parse()
            next(self.conn.parser)

    def turn_away(self) -> None:
        """See Arrival."""
        if not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.close_sent = True
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone."""
        if self._porch is not None and self._held is not None:
            self._porch.leave(self)
        super().connection_lost(exc)

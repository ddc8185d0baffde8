"""A request for a WebSocket, until it is one: it may have to wait in the porch."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.gateway.doors import BUSY
from server.gateway.porch import Porch
from server.limits import origin

_SAID = f"{BUSY}\n".encode()
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_SAID), _SAID)
)
_FORWARDED = b"x-forwarded-for"


class Arriving(WebSocketsSansIOProtocol):
    """The part of a GatewayProtocol that comes before the upgrade; an Arrival. Without a porch nothing waits."""

    def __init__(self, *args: Any, porch: Porch | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._porch = porch
        self._held: bytes | None = None
        """The request, while it waits."""

    def data_received(self, data: bytes) -> None:
        """The request first; it is whole."""
        if self._held is not None:
            self.transport.abort()  # nobody may say anything before they are answered (RFC 6455 §4.1)
            return
        if self._porch is not None and not self.handshake_initiated:
            self._held = data
            if not self._porch.enter(self):
                return
            self._held = None
        super().data_received(data)

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
        data, self._held = self._held or b"", None
        super().data_received(data)

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

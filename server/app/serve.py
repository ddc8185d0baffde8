"""Runs one gateway process: HTTP and WebSocket on one port, under uvicorn and uvloop, until told to stop."""

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import Iterator

import uvicorn

from server import inspection, logs, schema
from server.app import Application
from server.app.doorway import Hall
from server.config import Settings
from server.errors import Misconfigured
from server.gateway.settings import SEND_BUFFER

DRAIN_SECONDS = 3.0
"""Over how long the connections are told to go elsewhere when the process stops, at most."""

COLLECTIONS = (20_000, 20, 50)
"""When Python looks for circles of garbage (gc.set_threshold). With its own numbers whatever waits for a commit looks old soon,
and what is old makes it walk through all connections: a tenth of the time with 3,000 of them (benchmarks/README.md)."""


BACKLOG = 4_096
"""Connections that the kernel keeps until they are accepted, as far as it lets us (net.core.somaxconn). What finds no place tries
again after one second, three, seven, fifteen: a herd would be back in half a minute."""
ACCEPTS = 16
"""Connections accepted in one turn of the event loop. libuv takes one from each listening handle, so there are so many, of one
and the same socket: with one alone, a loop that is busy accepts a few hundred in a second."""


class _Server(uvicorn.Server):
    """uvicorn, but its connections are told to come back (3001), spread over a moment, before it hangs up on them."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._application.drain(DRAIN_SECONDS)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal that stopped it once more when all is done; but a stop in order is status 0."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        Misconfigured: the settings, the database or the port do not allow it.
    """
    logs.configure(readable=settings.readable_logs, level=settings.log_level)
    inspection.require_port(settings)
    asyncio.run(schema.check(settings.database_url, schema.START_PATIENCE))
    application = Application(settings)
    config = uvicorn.Config(
        application.asgi,
        http=Hall.of(settings).protocol(),  # type: ignore[arg-type]  # it is called like the class it makes
        forwarded_allow_ips=settings.trusted_proxies,
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=10,
        **application.gateway.uvicorn_options(),
    )
    server = _Server(config, application)
    gc.set_threshold(*COLLECTIONS)
    gc.freeze()  # the program itself is no garbage
    with contextlib.ExitStack() as open_:
        server.run(sockets=[open_.enter_context(one) for one in listeners(settings)])
    if not server.started:
        sys.exit(1)  # the log says what was away


def listeners(settings: Settings) -> list[socket.socket]:
    """The socket that the settings name, as often as the event loop is to accept from it in one turn. Raises Misconfigured."""
    listener = _listener(settings)
    return [listener, *(listener.dup() for _ in range(ACCEPTS - 1))]


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection: with the kernel's own size a reader that has stopped stays unnoticed for megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as wrong:
        listener.close()
        raise Misconfigured(
            f"HOST, PORT: {settings.host}:{settings.port} cannot be listened on ({wrong.strerror}). Name a free one"
        ) from None
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener

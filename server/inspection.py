"""The operators' port: metrics and health of one process, gateway or worker, on a listener of its own.

The port that people reach must never serve metrics: they say how a clinic works, and reading them takes time. So they have a
port of their own, off unless set, on loopback unless told otherwise. It is served by the process's own event loop: if that
stands still, so does this, which is what liveness is about.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server import health, metrics
from server.config import Settings
from server.errors import Misconfigured
from server.readiness import Readiness


class _Server(uvicorn.Server):
    """uvicorn beside something else, which is the one that signals are for."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


@contextlib.asynccontextmanager
async def open_to_operators(settings: Settings, readiness: Readiness) -> AsyncIterator[None]:
    """Serve the operators' port, if there is to be one, for as long as the block lasts.

    Raises:
        Misconfigured: the port cannot be had.
    """
    if settings.metrics_port is None:
        yield
        return
    with _listener(settings.metrics_host, settings.metrics_port) as listener:
        app = Starlette(routes=[Route("/metrics", _metrics), *health.routes(readiness)])
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=1, limit_concurrency=20,
        )  # fmt: skip
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


def require_port(settings: Settings) -> None:
    """See before the start whether the port can be had. Raises Misconfigured."""
    if settings.metrics_port is not None:
        if settings.metrics_port == settings.port:
            raise Misconfigured("WARMLINE_METRICS_PORT: it is PORT as well, which is public. Name another one")
        _listener(settings.metrics_host, settings.metrics_port).close()


async def _metrics(_request: Request) -> Response:
    return Response(metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"WARMLINE_METRICS_PORT: cannot listen on {host} port {port} ({type(error).__name__}). Each process of a machine "
            "takes a port of its own"
        ) from None
    listener.listen(64)
    listener.setblocking(False)
    return listener

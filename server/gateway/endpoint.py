"""The WebSocket endpoint: the handshake, and the loop that reads. Everything else is the driver's."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextvars import copy_context
from functools import partial

from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket

from server import logs, metrics
from server.errors import TooMany
from server.gateway import protocol as p
from server.gateway.arrival import EXTENSION
from server.gateway.codec_json import JSON
from server.gateway.codec_protobuf import PROTOBUF
from server.gateway.doors import Knock
from server.gateway.driver import Driver
from server.gateway.parts import Parts
from server.gateway.transport import GatewayProtocol
from server.limits import origin, seconds

log = logging.getLogger(__name__)

_JSON = "centrifuge-json"
_PROTOBUF = "centrifuge-protobuf"


class Endpoint:
    """An endpoint for a Starlette WebSocketRoute."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._drivers: set[Driver] = set()
        self._draining = False

    async def serve(self, websocket: WebSocket) -> None:
        """One connection, from handshake to end."""
        refusal = self._refusal(websocket)
        if refusal is not None:
            metrics.HANDSHAKES_REFUSED.labels(str(refusal.status_code)).inc()
            await websocket.send_denial_response(refusal)
            return
        try:
            knock = self._parts.doors.knock(origin(websocket.client.host if websocket.client else ""))
        except TooMany as error:
            metrics.HANDSHAKES_REFUSED.labels("503").inc()
            busy = PlainTextResponse(error.message + "\n", 503, {"Retry-After": str(seconds(error.after))})
            await websocket.send_denial_response(busy)
            return
        try:
            await self._converse(websocket, knock)
        finally:
            knock.over()

    async def _converse(self, websocket: WebSocket, knock: Knock) -> None:
        codec, subprotocol = _negotiated(websocket)
        await websocket.accept(subprotocol=subprotocol)
        writer = _writer(websocket, self._parts.settings.close_timeout)
        driver = Driver(self._parts, writer, codec, knock)
        self._drivers.add(driver)
        logs.about(connection=driver.reference)  # and so all that begins with it
        over = partial(self._over, driver)
        stays = False
        try:
            stays = await _read(websocket, driver, writer, over)
        finally:
            if not stays:
                over()

    def _over(self, driver: Driver) -> None:
        driver.release()
        self._drivers.discard(driver)

    def _refusal(self, websocket: WebSocket) -> Response | None:
        """Why there will be no connection, before there is one."""
        page = websocket.headers.get("origin")
        if page is not None and page not in self._parts.settings.origins:
            return PlainTextResponse("This server takes no connections from pages of this origin.\n", 403)
        if self._draining:
            return PlainTextResponse("This server is going down. Connect again.\n", 503)
        return None

    async def drain(self, window: float) -> None:
        """Take no new connections and close all there are with 3001, spread over `window` seconds.

        Commands under way are finished first. Returns when all connections are gone, at the latest a little after.
        """
        self._draining = True
        drivers = list(self._drivers)
        patience = self._parts.settings.close_timeout
        async with asyncio.TaskGroup() as tasks:
            for driver in drivers:
                tasks.create_task(driver.drain(patience))
                await asyncio.sleep(window / len(drivers))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience + 1):
                while self._drivers:
                    await asyncio.sleep(0.02)


def _negotiated(websocket: WebSocket) -> tuple[p.Codec, str | None]:
    """The codec, and the subprotocol to answer with (protocol.md §1, codec choice)."""
    offered, query = websocket.scope["subprotocols"], websocket.query_params
    if _PROTOBUF in offered:
        return PROTOBUF, _PROTOBUF
    if "protobuf" in (query.get("cf_protocol"), query.get("format")):
        return PROTOBUF, None
    return JSON, _JSON if _JSON in offered else None


def _writer(websocket: WebSocket, close_timeout: float) -> GatewayProtocol:
    extension = websocket.scope["extensions"].get(EXTENSION)
    if extension is None:
        raise RuntimeError("the gateway needs its own WebSocket protocol: run uvicorn with Gateway.uvicorn_options()")
    writer = extension["writer"]
    assert isinstance(writer, GatewayProtocol)
    writer.close_timeout = close_timeout
    return writer


async def _read(websocket: WebSocket, driver: Driver, writer: GatewayProtocol, over: Callable[[], None]) -> bool:
    """Hand on what comes, until the connection is admitted; from then on that is done at once, from where it is read, and this
    task ends, and with it all that stood around it: a fifth of what a connection takes. Returns whether it came to that."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return False
        try:
            await driver.receive(message["bytes"])
        except Exception:
            _failed(driver)
        del message  # or it would be kept until the next one comes
        if driver.admitted and writer.queue.empty():
            # In the context of this task, for the log's lines.
            writer.stay(partial(copy_context().run, partial(_take, driver)), over)
            return True


def _take(driver: Driver, data: bytes) -> None:
    try:
        driver.take(data)
    except Exception:
        _failed(driver)


def _failed(driver: Driver) -> None:
    log.exception("a connection failed")
    driver.close(p.CloseCode.SERVER_ERROR)

"""Between the pages and a real gateway: passes everything on, and makes go wrong what a test wants to go wrong.

HTTP passes as it is. WebSocket messages pass line by line, so that single answers and publications can be held, lost,
refused, skipped or doubled. What the gateway says is never made up, but for the refusals that a test words itself.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets import ConnectionClosed, Origin, Request, Response
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from tests.support.crossing import crossing
from tests.support.site import Gateway
from tests.support.stream import Json


@dataclass
class Faults:
    """What is to go wrong from now on."""

    hold: set[str] = field(default_factory=set)
    """Operations that wait here, not done, until released."""
    late: set[str] = field(default_factory=set)
    """Operations that are done, but whose answer waits until released."""
    lose: set[str] = field(default_factory=set)
    """Operations that are done, but whose answer is lost with the connection."""
    refuse: dict[str, Json] = field(default_factory=dict)
    """Operations that are not done, and the error they are answered with."""
    skip: int = 0
    """So many publications of the log do not arrive."""
    double: bool = False
    """Every publication of the log arrives twice."""
    down: bool = False
    """No connection is taken."""


@dataclass
class Link:
    """One connection of a page."""

    page: ServerConnection
    gateway: ClientConnection
    subscribed: set[str] = field(default_factory=set)
    asked: dict[int, Json] = field(default_factory=dict)

    async def tell(self, *lines: str) -> None:
        """To the page, in one frame."""
        with suppress(ConnectionClosed):
            await self.page.send("\n".join(lines))

    async def ask(self, *lines: str) -> None:
        """To the gateway, in one frame."""
        with suppress(ConnectionClosed):
            await self.gateway.send("\n".join(lines))

    async def close(self, code: int, reason: str) -> None:
        """End it on the page's side; the gateway's side follows."""
        await self.page.close(code, reason)


class Middle:
    """One address in front of one gateway. `faults` may be changed at any time."""

    def __init__(self, gateway: Gateway) -> None:
        self.faults = Faults()
        self.links: list[Link] = []
        self.frames: list[str] = []
        """Every frame that a page sent."""
        self.answers: list[Json] = []
        """Every reply of the gateway."""
        self._gateway = gateway
        self._released: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._tasks: set[asyncio.Task[None]] = set()

    def release(self, operation: str) -> None:
        """Let what is held or late go on."""
        self.faults.hold.discard(operation)
        self.faults.late.discard(operation)
        self._released.pop(operation, asyncio.Event()).set()

    async def close(self, code: int, reason: str = "on purpose") -> None:
        """End every connection with a close frame."""
        for link in self.links[:]:
            await link.close(code, reason)

    async def cut(self) -> None:
        """End every connection as a failing proxy does."""
        await self.close(1011)

    def calls(self, operation: str) -> list[Json]:
        """The parameters of every call of an operation, in order."""
        commands = [json.loads(line) for frame in self.frames for line in frame.split("\n") if line]
        calls = [command["rpc"] for command in commands if "rpc" in command]
        return [call["data"] for call in calls if call["method"] == operation]

    def stop(self) -> None:
        """What still waits to be released waits no more."""
        for task in self._tasks:
            task.cancel()

    def refused(self, page: ServerConnection, _request: Request) -> Response | None:
        """A handshake is answered in place of the gateway while that is down."""
        return page.respond(HTTPStatus.BAD_GATEWAY, "down on purpose\n") if self.faults.down else None

    async def serve(self, page: ServerConnection) -> None:
        """One connection of a page, from its handshake to its end."""
        assert page.request
        origin = Origin(page.request.headers["Origin"])
        async with connect(self._gateway.socket_url, origin=origin, compression=None, max_size=None) as gateway:
            link = Link(page, gateway)
            self.links.append(link)
            answering = asyncio.create_task(self._down(link))
            try:
                await self._up(link)
            finally:
                self.links.remove(link)
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)

    # ---- from the page

    async def _up(self, link: Link) -> None:
        with suppress(ConnectionClosed):
            async for frame in link.page:
                assert isinstance(frame, str)
                self.frames.append(frame)
                if lines := [line for line in frame.split("\n") if await self._goes_on(link, line)]:
                    await link.ask(*lines)

    async def _goes_on(self, link: Link, line: str) -> bool:
        """Whether a command goes on to the gateway with the others of its frame."""
        command = json.loads(line)
        operation = command.get("rpc", {}).get("method")
        if error := self.faults.refuse.get(operation):
            await link.tell(json.dumps({"id": command["id"], "error": error}))
            return False
        if command:
            link.asked[command["id"]] = command
        if operation in self.faults.hold:
            self._spawn(self._once_released(operation, link.ask(line)))
            return False
        return True

    # ---- from the gateway

    async def _down(self, link: Link) -> None:
        with suppress(ConnectionClosed):
            async for frame in link.gateway:
                assert isinstance(frame, str)
                lines = [line for each in frame.split("\n") for line in await self._comes_back(link, each)]
                if lines:
                    await link.tell(*lines)
        closed = link.gateway.close_code
        await link.close(closed if closed and closed != 1006 else 1011, link.gateway.close_reason or "")

    async def _comes_back(self, link: Link, line: str) -> list[str]:
        """What the page gets in place of a line."""
        message = json.loads(line)
        if "push" in message:
            return self._pushed(link, message["push"], line)
        if "id" not in message:
            return [line]
        self.answers.append(message)
        command = link.asked.pop(message["id"])
        if "subscribe" in message:
            link.subscribed.add(command["subscribe"]["channel"])
        operation = command.get("rpc", {}).get("method")
        if operation in self.faults.lose:
            await link.close(1011, "lost")
            return []
        if operation in self.faults.late:
            self._spawn(self._once_released(operation, link.tell(line)))
            return []
        return [line]

    def _pushed(self, link: Link, push: Json, line: str) -> list[str]:
        if "unsubscribe" in push:
            link.subscribed.discard(push["channel"])
        if not push.get("pub", {}).get("offset"):
            return [line]
        if self.faults.skip > 0:
            self.faults.skip -= 1
            return []
        return [line, line] if self.faults.double else [line]

    async def _once_released(self, operation: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._released[operation].wait()
        except asyncio.CancelledError:
            work.close()
            raise
        await work

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def middle(gateway: Gateway, port: int) -> AsyncIterator[Middle]:
    """A way to this gateway through this port, for as long as the block lasts."""
    made = Middle(gateway)
    relay = serve(made.serve, "127.0.0.1", 0, process_request=made.refused, compression=None, max_size=None)
    async with relay as server:
        [listening] = server.sockets
        async with crossing(port, gateway.port, listening.getsockname()[1]):
            yield made
    made.stop()

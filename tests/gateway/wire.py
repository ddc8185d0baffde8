"""A gateway on a loopback port, and clients that speak the wire: one raw, for what no SDK would send."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
import websockets
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect

from server.gateway.gateway import PATH, Gateway
from server.gateway.ports import Board
from server.gateway.settings import SEND_BUFFER, GatewaySettings
from tests.gateway.world import World

QUICK = GatewaySettings(tops_interval=0.1, hint_delay=0.02, origins=frozenset({"http://clinic.example"}))


class Site:
    """A running gateway."""

    def __init__(self, world: World, gateway: Gateway, port: int, server: uvicorn.Server) -> None:
        self.world = world
        self.gateway = gateway
        self.server = server
        self.address = f"ws://127.0.0.1:{port}{PATH}"
        self.port = port

    @property
    def counters(self) -> Any:
        return self.gateway.counters

    @asynccontextmanager
    async def client(self, person: str | None = None, **options: Any) -> AsyncIterator["Wire"]:
        """A raw client; with a person, one that has connected."""
        async with connect(self.address, compression=None, **options) as socket_:
            wire = Wire(socket_)
            if person is not None:
                await wire.hello(person)
            yield wire


class Wire:
    """A raw client. What comes in is kept in order: `take` the next message, or `reply` to an id."""

    def __init__(self, socket_: ClientConnection) -> None:
        self.socket = socket_
        self.inbox: list[dict[str, Any]] = []
        self.number = 0

    async def hello(self, token: str) -> dict[str, Any]:
        return (await self.ask(connect={"token": token}))["connect"]

    async def say(self, *commands: dict[str, Any]) -> None:
        await self.socket.send("\n".join(json.dumps(command) for command in commands))

    async def ask(self, **request: Any) -> dict[str, Any]:
        """Send one command and wait for its reply; pushes stay in the inbox."""
        self.number += 1
        number = self.number
        await self.say({"id": number, **request})
        return await self.reply(number)

    async def reply(self, number: int) -> dict[str, Any]:
        return await self.find(lambda message: message.get("id") == number)

    async def find(self, wanted: Any, within: float = 5) -> dict[str, Any]:
        async with asyncio.timeout(within):
            while True:
                for index, message in enumerate(self.inbox):
                    if wanted(message):
                        return self.inbox.pop(index)
                await self.fill()

    async def fill(self) -> None:
        data = await self.socket.recv()
        assert isinstance(data, str)
        for line in data.split("\n"):
            message = json.loads(line)
            if message:
                self.inbox.append(message)
            else:
                await self.socket.send("{}")

    async def subscribe(self, channel: str, **wish: Any) -> dict[str, Any]:
        return (await self.ask(subscribe={"channel": channel, **wish}))["subscribe"]

    async def push(self, channel: str | None = None, within: float = 5) -> dict[str, Any]:
        """The next push, of that channel if named."""
        return (
            await self.find(lambda message: "push" in message and channel in (None, message["push"]["channel"]), within)
        )["push"]

    async def texts(self, channel: str, count: int) -> list[tuple[int, Any]]:
        """The next publications of a channel: (offset, text)."""
        found = []
        while len(found) < count:
            pub = (await self.push(channel))["pub"]
            found.append((pub.get("offset", 0), pub["data"].get("text", pub["data"].get("type"))))
        return found

    async def nothing(self, seconds: float = 0.15) -> None:
        """Nothing comes for a while but pings."""
        try:
            async with asyncio.timeout(seconds):
                while not self.inbox:
                    await self.fill()
        except TimeoutError:
            pass
        assert self.inbox == []

    async def closed(self, within: float = 5) -> tuple[int, str]:
        """Wait for the end: close code and reason."""
        try:
            async with asyncio.timeout(within):
                while True:
                    await self.fill()
        except websockets.ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")


@asynccontextmanager
async def serving(world: World, settings: GatewaySettings = QUICK, board: Board | None = None) -> AsyncIterator[Site]:
    """A gateway over a world, started and stopped."""
    gateway = Gateway(world, world, world.bus, settings, board)
    await gateway.start()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    listener.bind(("127.0.0.1", 0))
    app = Starlette(routes=[gateway.route])
    config = uvicorn.Config(app, lifespan="off", log_config=None, **gateway.uvicorn_options())
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield Site(world, gateway, listener.getsockname()[1], server)
    finally:
        await gateway.drain(0)
        await gateway.stop()
        if server.should_exit:
            await running
        else:  # its own way of stopping takes a fifth of a second, which adds up
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            for one in server.servers:
                one.close()

"""The pages' server side without the product: static files under the strict policy, development sign-in, and the wire.

`Standin.faults` makes things go wrong on purpose: answers held or lost, operations refused, publications skipped or doubled,
the log's end forgotten. `cut()` drops every connection, `close(code)` ends them with a code.
"""

import asyncio
import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.web.clinic import Clinic, Json, Person, Refused

WEB = Path(__file__).parents[2] / "server" / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


@dataclass
class Faults:
    hold: set[str] = field(default_factory=set)  # operations that wait until released
    late: set[str] = field(default_factory=set)  # operations that are done, but whose answer waits until released
    lose: set[str] = field(default_factory=set)  # operations that are done, but cut the connection instead of answering
    refuse: dict[str, Json] = field(default_factory=dict)  # operation → error
    skip: int = 0  # so many live publications are not sent
    double: bool = False  # every live publication is sent twice
    forget: bool = False  # recovery fails
    down: bool = False  # no connection is taken
    token: int = 200  # the status of the token endpoint


@dataclass
class Link:
    """One connection."""

    socket: WebSocket
    person: Person
    subscribed: set[str] = field(default_factory=set)

    async def send(self, *replies: Json) -> None:
        with suppress(RuntimeError, WebSocketDisconnect):
            await self.socket.send_text("\n".join(json.dumps(reply) for reply in replies))


class Standin:
    def __init__(self, clinic: Clinic, *, ping: int = 25, ttl: int = 600) -> None:
        self.clinic, self.ping, self.ttl = clinic, ping, ttl
        self.faults = Faults()
        self.links: list[Link] = []
        self.frames: list[str] = []  # every frame a page sent
        self.subscribes: list[Json] = []
        self.released: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.url = ""
        self._tasks: set[asyncio.Future[None]] = set()
        clinic.listeners.append(self._published)

    def release(self, operation: str) -> None:
        self.faults.hold.discard(operation)
        self.faults.late.discard(operation)
        self.released.pop(operation, asyncio.Event()).set()

    async def close(self, code: int, reason: str = "on purpose") -> None:
        for link in self.links[:]:
            with suppress(RuntimeError):
                await link.socket.close(code, reason)

    async def cut(self) -> None:
        await self.close(1011)

    # ---- the wire

    async def wire(self, socket: WebSocket) -> None:
        if self.faults.down:
            return await socket.close()
        await socket.accept()
        link = None
        try:
            while True:
                frame = await socket.receive_text()
                self.frames.append(frame)
                for line in filter(None, frame.split("\n")):
                    link = await self._command(socket, link, json.loads(line))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            if link in self.links:
                self.links.remove(link)

    async def _command(self, socket: WebSocket, link: Link | None, command: Json) -> Link | None:
        id = command.get("id", 0)
        if "connect" in command:
            link = Link(socket, self.clinic.people[command["connect"]["token"]])
            self.links.append(link)
            await link.send({"id": id, "connect": self._greeting(link)})
        elif link and "subscribe" in command:
            await link.send({"id": id, **self._subscribe(link, command["subscribe"])})
        elif link and "unsubscribe" in command:
            link.subscribed.discard(command["unsubscribe"]["channel"])
            await link.send({"id": id, "unsubscribe": {}})
        elif link and "refresh" in command:
            await link.send({"id": id, "refresh": {"client": "c", "expires": True, "ttl": self.ttl}})
        elif link and "rpc" in command:
            self._spawn(self._rpc(link, id, command["rpc"]))
        return link

    def _greeting(self, link: Link) -> Json:
        greeting = {"client": "c1", "version": "standin", "ping": self.ping, "pong": True, "expires": True}
        return {**greeting, "ttl": self.ttl, "subs": {f"personal:{link.person.key}": {}}}

    def _subscribe(self, link: Link, asked: Json) -> Json:
        channel = self.clinic.channels.get(asked["channel"])
        if not channel or not channel.member_of(link.person):
            return {"error": {"code": 102, "message": "unknown channel"}}
        link.subscribed.add(channel.id)
        result: Json = {"recoverable": True, "positioned": True, "epoch": channel.epoch, "offset": channel.top}
        self.subscribes.append(asked)
        if asked.get("recover"):
            result["was_recovering"] = True
            if asked.get("epoch") == channel.epoch and not self.faults.forget:
                since = asked.get("offset", 0)
                missed = [{"offset": o, "data": e} for o, e in enumerate(channel.log, 1) if o > since]
                result |= {"recovered": True, "offset": since, "publications": missed}
        return {"subscribe": result}

    async def _rpc(self, link: Link, id: int, rpc: Json) -> None:
        method = rpc["method"]
        if method in self.faults.hold:
            await self.released[method].wait()
        reply = {"id": id, **self._outcome(link.person, method, rpc["data"])}
        if method in self.faults.lose:
            await link.socket.close(1011, "lost")
        if method in self.faults.late:
            await self.released[method].wait()
        await link.send(reply)

    def _outcome(self, person: Person, method: str, params: Json) -> Json:
        if error := self.faults.refuse.get(method):
            return {"error": error}
        try:
            return {"rpc": {"data": getattr(self.clinic, method.replace(".", "_"))(person, params)}}
        except Refused as refused:
            return {"error": refused.answer}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _published(self, channel_id: str, what: Json) -> None:
        logged = "offset" in what["pub"]
        if logged and self.faults.skip > 0:
            self.faults.skip -= 1
            return
        push = {"push": {"channel": channel_id, "pub": what["pub"]}}
        for link in self.links:
            if what.get("to", link.person.kind) != link.person.kind:
                continue
            if channel_id in link.subscribed:
                self._spawn(link.send(*([push, push] if self.faults.double else [push])))
            elif logged:
                self._spawn(link.send({"push": self.hint(channel_id, link.person)}))

    def hint(self, channel_id: str, person: Person) -> Json:
        channel = self.clinic.channels[channel_id]
        member = channel.member_of(person)
        data: Json = {"type": "channel", "channel": channel_id, "member": member is not None}
        if member:
            unread = self.clinic.unread(channel, member)
            data |= {"status": channel.status, "unread": unread, "read_offset": member.read_offset, "top": channel.top}
        return {"channel": f"personal:{person.key}", "pub": {"data": data}}

    # ---- pages and sign-in

    async def people(self, request: Request) -> Response:
        if self.faults.token == 404:
            return Response(status_code=404)
        people = [{"key": p.key, "label": p.name, "kind": p.kind} for p in self.clinic.people.values()]
        return JSONResponse({"people": people})

    async def token(self, request: Request) -> Response:
        if self.faults.token != 200:
            return JSONResponse({"error": {"message": "You may not sign in."}}, self.faults.token)
        return JSONResponse({"token": (await request.json())["person"], "expires_in": self.ttl})

    def app(self) -> ASGIApp:
        async def page(request: Request) -> Response:
            return FileResponse(WEB / ("portal.html" if request.url.path == "/portal" else "patient.html"))

        async def static(request: Request) -> Response:
            return FileResponse(WEB / "static" / Path(request.path_params["name"]).name)

        routes = [
            Route("/", page), Route("/portal", page), Route("/static/{name}", static), Route("/dev/people", self.people),
            Route("/dev/token", self.token, methods=["POST"]), WebSocketRoute("/connection/websocket", self.wire),
        ]  # fmt: skip
        return Strict(Starlette(routes=routes))


class Strict:
    """Adds the security policy to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Json) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, with_policy)


@asynccontextmanager
async def serving(standin: Standin, port: int = 0) -> AsyncIterator[Standin]:
    """Serves it on a port of its own until the block ends."""
    listening = socket.create_server(("127.0.0.1", port))
    standin.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(standin.app(), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield standin
    finally:
        server.should_exit = True
        await task

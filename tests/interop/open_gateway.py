"""python -m tests.interop.open_gateway --open-to-anybody --profile token|open [--port 8000] [--secret …] [--api-key …]

The real gateway, hub, recovery and presence over another Policy and another Log, with any channel name: to run SDKs' own test
suites against it. Whoever reaches it may do as they please, so it starts on loopback only, and only if told that this is meant.
Without DATABASE_URL and REDIS_URL it starts servers of its own; two of them that name the same ones are one.
"""

import argparse
import asyncio
import contextlib
import hmac
import ipaddress
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import asyncpg
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.board import RedisBoard
from server.bus import Bus
from server.dev.embedded import Postgres, Redis
from server.gateway import protocol as p
from server.gateway import recovery
from server.gateway.gateway import Gateway
from server.gateway.settings import GatewaySettings
from server.limits import Rate
from tests.interop.log import KEPT, OpenLog
from tests.interop.policy import OpenPolicy, Somebody
from tests.support.cluster import running

SWITCH = "--open-to-anybody"
_PLENTY = Rate(1_000_000, 1_000_000)


def arguments(given: list[str]) -> argparse.Namespace:
    """What it was told; ends the program where that is not allowed."""
    parser = argparse.ArgumentParser(prog="open_gateway", description=__doc__)
    parser.add_argument("--profile", choices=("token", "open"), required=True)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--secret", default="secret", help="of HS256 tokens")
    parser.add_argument("--api-key", default="", help="what /api/… asks for; empty: nothing")
    parser.add_argument(SWITCH, action="store_true", dest="meant", help="yes, this is meant")
    options = parser.parse_args(given)
    if not options.meant:
        parser.error(f"this gateway lets anybody do anything. If that is meant, say {SWITCH}")
    try:
        loopback = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        parser.error(
            f"this gateway lets anybody do anything: it listens on loopback addresses only, not on {options.host}"
        )
    return options


class Api:
    """POST /api/publish and /api/history, as servers call them."""

    def __init__(self, log: OpenLog, key: str) -> None:
        self._log = log
        self._key = key
        self.routes = [self._route("publish", self._publish), self._route("history", self._history)]

    def _route(self, name: str, answer: Callable[[dict[str, Any]], Coroutine[Any, Any, bytes]]) -> Route:
        async def endpoint(request: Request) -> Response:
            given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("apikey ")
            if self._key and not hmac.compare_digest(given, self._key):
                return Response(status_code=401)
            try:
                result = await answer(msgspec.json.decode(await request.body(), type=dict[str, Any]))
            except (msgspec.MsgspecError, KeyError, TypeError):
                return Response(b'{"error":{"code":107,"message":"bad request"}}', media_type="application/json")
            return Response(b'{"result":%b}' % result, media_type="application/json")

        return Route(f"/api/{name}", endpoint, methods=["POST"])

    async def _publish(self, asked: dict[str, Any]) -> bytes:
        offset = await self._log.write(str(asked["channel"]), msgspec.json.encode(asked["data"]))
        return msgspec.json.encode({"offset": offset, "epoch": self._log.epoch})

    async def _history(self, asked: dict[str, Any]) -> bytes:
        name, since = str(asked["channel"]), asked.get("since")
        position = None if since is None else (int(since.get("offset", 0)), str(since.get("epoch", "")))
        question = p.History(1, name, int(asked.get("limit", 0)), position, bool(asked.get("reverse")))
        grant = await OpenPolicy(self._log, "unused", tokens=False).history(Somebody(""), "", name, True)
        window = recovery.window(question, grant, self._log.epoch, KEPT)
        if window is None:
            raise KeyError("unrecoverable position")
        [rows] = await self._log.since([(name, *window)])
        page = [{"data": msgspec.Raw(row.content), "offset": row.offset} for row in rows]
        page = page[::-1] if question.reverse else page
        return msgspec.json.encode({"publications": page, "epoch": self._log.epoch, "offset": grant.top})


async def serve(options: argparse.Namespace, database_url: str, redis_url: str) -> None:
    """Until it is told to stop."""
    bus, board = Bus(redis_url), RedisBoard(redis_url)
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=8)
    log = OpenLog(pool, bus.publish)
    await log.prepare()
    settings = GatewaySettings(
        anonymous=options.profile == "open", connections_per_person=100_000, connects=_PLENTY, commands=_PLENTY,
        joins=_PLENTY,
    )  # fmt: skip
    policy = OpenPolicy(log, options.secret, options.profile == "token")
    gateway = Gateway(policy, log, bus, settings, board)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await gateway.start()
        await bus.start()
        yield
        await gateway.drain(0)
        await gateway.stop()
        await bus.stop()
        await board.close()
        await pool.close()

    app = Starlette(routes=[*Api(log, options.api_key).routes, gateway.route], lifespan=lifespan)
    config = uvicorn.Config(
        app, host=options.host, port=options.port, lifespan="on", log_level="warning", **gateway.uvicorn_options()
    )
    print(f"open gateway ({options.profile}) on {options.host}:{options.port}", flush=True)
    await uvicorn.Server(config).serve()


async def main(options: argparse.Namespace) -> None:
    """Over the servers that are named, or over some of its own."""
    async with contextlib.AsyncExitStack() as stack:
        database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        if not database_url:
            database_url = (await stack.enter_async_context(running(Postgres))).url()
        if not redis_url:
            redis_url = (await stack.enter_async_context(running(Redis))).url()
        await serve(options, database_url, redis_url)


if __name__ == "__main__":
    asyncio.run(main(arguments(sys.argv[1:])))

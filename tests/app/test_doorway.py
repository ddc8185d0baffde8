"""The door of a process: silent sockets, slow and huge requests, and too many of everything; an honest request gets in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server.app.doorway import Hall
from server.gateway.gateway import PATH, Gateway
from tests.gateway.raw import KEY
from tests.gateway.wire import QUICK
from tests.gateway.world import World


class House:
    """A server behind a doorway."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.port = 0
        self.server: uvicorn.Server
        self.read = 0
        self.broken_off = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def echo(self, request: Request) -> Response:
        try:
            async for chunk in request.stream():
                self.read += len(chunk)
        except ClientDisconnect:
            self.broken_off += 1
            raise
        return PlainTextResponse("done")

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def ask(self, sent: bytes) -> str:
        """The status line of the answer to these bytes, or how it ended."""
        reader, writer = await self.open()
        try:
            writer.write(sent)
            async with asyncio.timeout(10):
                return (await reader.readline()).decode().strip()
        except ConnectionError:
            return "reset"
        finally:
            writer.close()

    async def honest(self) -> str:
        return await self.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    @property
    def sockets(self) -> int:
        return len(self.server.server_state.connections)


@asynccontextmanager
async def house(**limits: float) -> AsyncIterator[House]:
    given = {
        "sockets": 1_000,
        "silent": 1_000,
        "head_bytes": 8_192,
        "head_seconds": 10.0,
        "request_seconds": 10.0,
    } | limits
    made = House(Hall(**given))  # type: ignore[arg-type]
    world = World()
    gateway = Gateway(world, world, world.bus, QUICK)
    app = Starlette(routes=[Route("/", made.echo, methods=["GET", "POST"]), gateway.route])
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, port=0, http=made.hall.protocol(), **gateway.uvicorn_options()
    )  # type: ignore[arg-type]
    made.server = uvicorn.Server(config)
    running = asyncio.create_task(made.server._serve())
    while not made.server.started:
        await asyncio.sleep(0.005)
    made.port = made.server.servers[0].sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        for writer in made.writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in made.writers), return_exceptions=True)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for one in made.server.servers:
            one.close()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side hangs up."""
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionError:
            return b"reset"


async def test_an_honest_request_and_another_on_the_same_socket() -> None:
    async with house() as site:
        reader, writer = await site.open()
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nHello")
            assert await reader.readuntil(b"done")
        assert site.read == 15
        assert not site.hall.waiting
        writer.close()


@pytest.mark.catalogue("R24")
@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET /connection/websocket HTTP/1.1\r\nUp"]
)
async def test_who_does_not_finish_the_head_is_let_go(said: bytes) -> None:
    async with house(head_seconds=0.2) as site:
        reader, writer = await site.open()
        writer.write(said)
        answer = await ended(reader)
        assert (b" 408 " in answer) if said else (answer in (b"", b"reset"))
        assert await site.honest() == "HTTP/1.1 200 OK"
        while site.sockets:
            await asyncio.sleep(0.01)
        assert not site.hall.waiting
        writer.close()


@pytest.mark.catalogue("R24")
async def test_a_head_that_drips_gets_no_more_time_for_it() -> None:
    async with house(head_seconds=0.3) as site:
        reader, writer = await site.open()

        async def drip() -> None:
            writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
            while True:
                writer.write(b"a")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        answer = await ended(reader)
        assert b" 408 " in answer or answer == b"reset"
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        while site.sockets:
            await asyncio.sleep(0.01)


@pytest.mark.catalogue("R24")
async def test_a_second_request_on_a_socket_gets_its_time_and_no_more() -> None:
    async with house(head_seconds=0.3) as site:
        reader, writer = await site.open()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"done")
        writer.write(b"GET / HTTP/1.1\r\nHo")
        assert b" 408 " in await ended(reader)
        writer.close()


async def test_a_body_that_drips_is_broken_off_and_the_operation_told() -> None:
    async with house(request_seconds=0.2) as site:
        reader, writer = await site.open()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nHello")
        assert b" 408 " in await ended(reader)
        while not site.broken_off:
            await asyncio.sleep(0.01)
        writer.close()


async def test_a_body_without_end_is_not_read_for_ever() -> None:
    async with house(request_seconds=0.3) as site:
        reader, writer = await site.open()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        async def pour() -> None:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)

        pouring = asyncio.create_task(pour())
        await ended(reader)
        while not site.broken_off:
            await asyncio.sleep(0.01)
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        writer.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_huge_head(at_once: bool) -> None:
    async with house(head_bytes=8_192) as site:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 8_100 + b"\r\n"
        assert " 200 " in await site.ask(head + b"Connection: close\r\n\r\n")
        more = b"X-B: " + b"b" * 500
        assert " 431 " in await site.ask(head + more + (b"\r\n\r\n" if at_once else b""))
        assert await site.honest() == "HTTP/1.1 200 OK"


async def test_a_head_without_end_is_not_held() -> None:
    async with house(head_bytes=8_192) as site:
        reader, writer = await site.open()
        writer.write(b"GET / HTTP/1.1\r\nX-A: ")
        for _ in range(100):
            writer.write(b"a" * 1_000)
        assert await ended(reader) == b"reset" or site.sockets == 0
        while site.sockets:
            await asyncio.sleep(0.01)
        writer.close()


@pytest.mark.catalogue("R24")
async def test_among_many_who_are_silent_the_oldest_goes_and_an_honest_request_gets_in() -> None:
    """A flood of 600 sockets that say nothing or half a head, of which 50 may wait."""
    async with house(silent=50) as site:
        silent = [await site.open() for _ in range(300)]
        for number in range(300):
            silent.append(await site.open())
            silent[-1][1].write(b"GET / HTTP/1.1\r\nX-Slow: ")
            if number % 50 == 0:
                assert await site.honest() == "HTTP/1.1 200 OK"
                assert len(site.hall.waiting) <= 50
        while site.sockets > 50:
            await asyncio.sleep(0.01)
        assert await site.honest() == "HTTP/1.1 200 OK"
        for _, writer in silent:
            writer.transport.abort()
        while site.sockets:
            await asyncio.sleep(0.01)
        assert not site.hall.waiting


async def test_beyond_all_sockets_one_is_told_503_and_who_is_in_stays() -> None:
    async with house(sockets=3) as site:
        inside = []
        for _ in range(3):
            reader, writer = await site.open()
            writer.write(
                f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            inside.append((reader, writer))
        assert not site.hall.waiting
        assert "503" in await site.honest()
        assert site.sockets == 3
        inside[0][1].transport.abort()
        while site.sockets > 2:
            await asyncio.sleep(0.01)
        assert await site.honest() == "HTTP/1.1 200 OK"
        for _, writer in inside:
            writer.transport.abort()


UPGRADE = (
    f"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.mark.catalogue("R24")
@pytest.mark.parametrize(
    ("query", "more", "status"),
    [
        ("", "Content-Length: 5\r\n\r\nHello", b" 400 "),
        ("", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b" 400 "),
        ("", f"X-A: {'a' * 9_000}\r\n\r\n", b" 431 "),
        (f"?{'a' * 9_000}", "\r\n", b" 414 "),
    ],
)
async def test_an_upgrade_that_cannot_be_read_is_refused_and_let_go(query: str, more: str, status: bytes) -> None:
    async with house(head_bytes=32_768) as site:
        reader, writer = await site.open()
        writer.write(f"GET {PATH}{query} HTTP/1.1\r\n{UPGRADE}{more}".encode())
        assert status in (await ended(reader)).split(b"\r\n")[0]
        while site.sockets:
            await asyncio.sleep(0.01)
        writer.close()


async def test_an_upgrade_with_a_huge_head_is_refused_even_if_it_comes_at_once() -> None:
    async with house(head_bytes=8_192) as site:
        head = f"GET {PATH} HTTP/1.1\r\n{UPGRADE}"
        assert " 101 " in await site.ask(f"{head}X-A: {'a' * 7_000}\r\n\r\n".encode())
        assert " 431 " in await site.ask(f"{head}X-A: {'a' * 4_000}\r\nX-B: {'b' * 5_000}\r\n\r\n".encode())

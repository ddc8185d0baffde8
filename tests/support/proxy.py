"""A small TCP proxy to break things with: it leads elsewhere, cuts, cuts within an answer, or meddles with what passes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

_CHUNK = 65536

Filter = Callable[[bytes], bytes]
"""Looks at what the server sends on one connection; returns what is passed on."""


def _as_it_is(data: bytes) -> bytes:
    return data


@dataclass(eq=False)
class _Link:
    """One connection led through."""

    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    silent: bool = False

    def cut(self) -> None:
        """Reset both ways."""
        for end in self.ends:
            end.transport.abort()


class Proxy:
    """Listens on one loopback port and leads to any of `targets`, tried in order, for each new connection."""

    def __init__(self, targets: Sequence[int], new_filter: Callable[[], Filter] | None = None) -> None:
        self.targets = list(targets)
        self.port = 0
        self.delay = 0.0
        """Seconds that everything takes each way, as a network would."""
        self.in_turn = False
        """Whether each new connection tries the targets from another one on, as a load balancer would."""
        self._new_filter = new_filter
        self._allowance: int | None = None
        self._parted = False
        self._open: set[asyncio.StreamWriter] = set()
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def socket_url(self) -> str:
        """Where SDKs connect, when gateways are behind it."""
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @property
    def url(self) -> str:
        """Where browsers go, when gateways are behind it."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection that is open now."""
        for writer in list(self._open):
            writer.transport.abort()

    @property
    def open(self) -> int:
        """How many connections are led through now."""
        return len(self._links)

    def part(self) -> None:
        """From here on nothing passes any more, on the connections that are open nor on new ones, until `mend`."""
        self._parted = True
        self.freeze()

    def mend(self) -> None:
        """Let new connections pass again; those that lost something on the way are reset."""
        self._parted = False
        for link in list(self._links):
            if link.silent:
                link.cut()

    def freeze(self) -> None:
        """What passes on the connections that are open now is lost from here on, either way, but they stay open."""
        for link in self._links:
            link.silent = True

    def cut_after(self, count: int) -> None:
        """Let so many more bytes from the server pass, over all connections, then cut."""
        self._allowance = count

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._lead(reader, writer)
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onwards = await self._reach()
        self._open.add(onwards)
        passed = self._new_filter() if self._new_filter else _as_it_is
        link = _Link((writer, onwards), silent=self._parted)
        self._links.add(link)
        ways = [
            asyncio.create_task(self._pump(link, reader, onwards, _as_it_is)),
            asyncio.create_task(self._pump(link, there, writer, lambda data: self._spend(passed(data)))),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._open.discard(onwards)
            self._links.discard(link)
            # What was passed on already still arrives; then both ends see the end.
            try:
                with contextlib.suppress(OSError):
                    await asyncio.wait_for(writer.drain(), 1)
            finally:
                onwards.close()
                writer.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        targets = list(self.targets)
        if self.in_turn:
            self.targets.append(self.targets.pop(0))
        for port in targets:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionRefusedError

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: Filter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await asyncio.sleep(self.delay)
                if not link.silent:
                    writer.write(passed(data))
                    await writer.drain()

    def _spend(self, data: bytes) -> bytes:
        if self._allowance is None:
            return data
        if len(data) <= self._allowance:
            self._allowance -= len(data)
            return data
        self._allowance = None
        asyncio.get_running_loop().call_soon(self.cut)
        return b""


@contextlib.asynccontextmanager
async def proxy(*targets: int, new_filter: Callable[[], Filter] | None = None) -> AsyncIterator[Proxy]:
    """A proxy to these ports, for as long as the block lasts."""
    made = Proxy(targets, new_filter)
    server = await asyncio.start_server(made._take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        tasks = list(made._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

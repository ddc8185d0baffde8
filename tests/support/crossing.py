"""One address, two servers: WebSocket handshakes go one way and everything else the other, as behind a router."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_HANDSHAKE = b"GET /connection/websocket"
_CHUNK = 65536


class _Crossing:
    def __init__(self, others: int, sockets: int) -> None:
        self._others = others
        self._sockets = sockets
        self.tasks: set[asyncio.Task[None]] = set()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._lead(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The first words decide, for all of a connection: browsers open one of its own for a WebSocket."""
        ends = [writer]
        try:
            first = await reader.read(_CHUNK)
            port = self._sockets if first.startswith(_HANDSHAKE) else self._others
            there, onwards = await asyncio.open_connection("127.0.0.1", port)
            ends.append(onwards)
            onwards.write(first)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pump(reader, onwards))
                ways.create_task(_pump(there, writer))
        finally:
            for end in ends:
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass everything on, and the end too."""
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def crossing(port: int, others: int, sockets: int) -> AsyncIterator[None]:
    """Take connections on a loopback port and lead them to the port for WebSockets, or to the one for all others."""
    made = _Crossing(others, sockets)
    server = await asyncio.start_server(made.take, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in list(made.tasks):
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        await server.wait_closed()

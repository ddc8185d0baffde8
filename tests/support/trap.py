"""A trap for whoever connects where nothing should ever go: counts the connections to a port of this machine."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from aiohttp.abc import AbstractResolver, ResolveResult


class Trap(AbstractResolver):
    """The listener; and a resolver that leads every name to it, as a hostile name server would.

    `address` is what it says: another way to write loopback, or another inner address.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.hits = 0
        self.asked: list[str] = []
        self.address = "127.0.0.1"

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Everything is here."""
        self.asked.append(host)
        kind = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        found = ResolveResult(hostname=host, host=self.address, port=self.port, family=kind, proto=0, flags=0)
        return [found]

    async def close(self) -> None:
        """Nothing to close."""


@contextlib.asynccontextmanager
async def trap() -> AsyncIterator[Trap]:
    """A trap that is set, for as long as the block lasts."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    made = Trap(listener.getsockname()[1])

    def caught(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.hits += 1
        writer.close()

    server = await asyncio.start_server(caught, sock=listener)
    async with server:
        yield made

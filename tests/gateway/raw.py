"""A WebSocket client without a library: for frames and silences that no library would produce."""

import asyncio
import base64
import os

from server.gateway.gateway import PATH
from tests.gateway.wire import Site

KEY = base64.b64encode(b"0123456789abcdef").decode()


class Raw:
    """A client without a library."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, site: Site, *headers: str) -> tuple["Raw", str]:
        raw = await cls.asking(site, *headers)
        return raw, (await raw.reader.readuntil(b"\r\n\r\n")).decode()

    @classmethod
    async def asking(cls, site: Site, *headers: str) -> "Raw":
        """One that has not read the answer to its handshake."""
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        lines = [
            f"GET {PATH} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}",
            "Sec-WebSocket-Version: 13", *headers, "", "",
        ]  # fmt: skip
        writer.write("\r\n".join(lines).encode())
        return cls(reader, writer)

    def send(self, opcode: int, payload: bytes, final: bool = True) -> None:
        mask = os.urandom(4)
        masked = bytes(a ^ mask[i % 4] for i, a in enumerate(payload)) if len(payload) < 10_000 else payload
        mask = mask if len(payload) < 10_000 else b"\0\0\0\0"
        size = len(payload)
        head = bytes([opcode | (0x80 if final else 0)])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
        self.writer.write(head + mask + masked)

    async def frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        size = second
        if second == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif second == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        return first, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        async with asyncio.timeout(5):
            while True:
                kind, payload = await self.frame()
                if kind == 0x88:
                    return int.from_bytes(payload[:2], "big")

    async def end(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)

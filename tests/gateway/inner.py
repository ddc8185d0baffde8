"""Connections without sockets: a driver over a writer that keeps what it is given, for tests of thousands of orders of events."""

import asyncio
import contextlib
import json
from typing import Any

from server.gateway.codec_json import JSON
from server.gateway.driver import Driver
from server.gateway.gateway import Gateway


class Tape:
    """A Writer that records."""

    def __init__(self) -> None:
        self.open = True
        self.data = b""
        self.unread = 0
        self.ended: tuple[int, str] | None = None

    def write(self, data: bytes) -> int:
        if self.open:
            self.data += data
        return self.unread

    def finish(self, code: int, reason: str) -> None:
        self.open = False
        self.ended = (code, reason)

    def abort(self) -> None:
        self.open = False

    def attend(self) -> None:
        pass

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def messages(self) -> list[dict[str, Any]]:
        """What was written since the last time."""
        found, data = [], self.data
        while data:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10], "big"), 10
            found += [json.loads(line) for line in data[start : start + size].split(b"\n")]
            data = data[start + size :]
        self.data = b""
        return [message for message in found if message]


class Inner:
    """One connection."""

    def __init__(self, gateway: Gateway) -> None:
        self.tape = Tape()
        self.driver = Driver(gateway._parts, self.tape, JSON)
        self.number = 0

    def say(self, **request: Any) -> int:
        """Send a command as a frame of its own; connect excepted, nothing is awaited."""
        self.number += 1
        with contextlib.suppress(StopIteration):
            self.driver.receive(json.dumps({"id": self.number, **request}).encode()).send(None)
        return self.number

    async def hello(self, token: str) -> None:
        self.number += 1
        await self.driver.receive(json.dumps({"id": self.number, "connect": {"token": token}}).encode())

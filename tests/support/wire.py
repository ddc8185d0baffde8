"""A client that speaks the raw protocol and records everything: for what no SDK would send, and for seeing what came when.

It reads all the time, so nothing waits in buffers for a test to look: assertions are about what has come in.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from websockets import ConnectionClosed
from websockets.asyncio.client import ClientConnection, connect

from tests.support.stream import Json, Stream

PATIENCE = 20.0
"""Seconds to wait for what must come: a deadline against hanging, not a figure."""


class Refused(Exception):
    """An error reply."""

    def __init__(self, error: Json) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.temporary: bool = error.get("temporary", False)


class Lost(Exception):
    """The connection ended before the answer came: nobody knows what was done."""


class Wire:
    """One connection. `streams` records the channels subscribed to, `hints` what came on the personal channel."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self._asked: dict[int, tuple[asyncio.Future[Json], Stream | None]] = {}
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())
        self.welcome: Json = {}
        self.streams: dict[str, Stream] = {}
        self.hints: list[Json] = []
        self.heard: list[str] = []
        """Every frame that came, as it was."""
        self.ended: dict[str, float] = {}
        """When an unsubscribe push came for a channel, by the monotonic clock."""
        self.pings = 0
        self.over: tuple[int, str] | None = None
        """Close code and reason once it is over; 1006 when there was no close frame."""

    @classmethod
    async def open(cls, url: str, token: str | None = None, **options: Any) -> "Wire":
        """Connect; with a token, also introduce oneself. `options` go to websockets."""
        wire = cls(await connect(url, **{"compression": None, "max_size": None} | options))
        if token is not None:
            wire.welcome = await wire.ask(connect={"token": token})
        return wire

    async def say(self, frame: str | bytes) -> None:
        """Send a text frame as it is, even of bytes that are no text. Raises Lost."""
        try:
            await self._connection.send(frame, text=True)
        except ConnectionClosed as closed:
            raise Lost(str(closed)) from None

    async def ask(self, **request: Any) -> Json:
        """Send one command and return its result.

        Raises:
            Refused: an error reply.
            Lost: the connection ended first.
        """
        return await self._ask(request)

    async def subscribe(self, stream: Stream | str, **wish: Any) -> Stream:
        """Subscribe, and record what comes from the answer on; a stream that stood before goes on from its position."""
        stream = Stream(stream) if isinstance(stream, str) else stream
        wish = wish or (stream.wish() if stream.epoch else {})
        await self._ask({"subscribe": {"channel": stream.channel, **wish}}, stream)
        return stream

    async def rpc(self, method: str, **params: Any) -> Any:
        """Call an operation. Raises Refused, Lost."""
        return (await self._ask({"rpc": {"method": method, "data": params}}))["data"]

    async def send(self, channel: str, text: str, client_id: str, **more: Any) -> Json:
        """Send a message; {message_id, offset, at}."""
        return dict(await self.rpc("message.send", channel_id=channel, client_id=client_id, text=text, **more))

    async def until(self, true: Callable[["Wire"], Any], within: float = PATIENCE) -> None:
        """Wait until something is true of it by what has come in."""
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: true(self))
        except TimeoutError:
            raise AssertionError(f"waited {within} s in vain; {self._state()}") from None

    async def closed(self, within: float = PATIENCE) -> tuple[int, str]:
        """Wait for the end."""
        await self.until(lambda wire: wire.over, within)
        assert self.over
        return self.over

    async def cut(self) -> None:
        """End it as a broken network does: no close frame, nothing more either way."""
        self._connection.transport.abort()
        await self._reader

    async def close(self) -> None:
        """End it in order, if it is not over."""
        await self._connection.close()
        await self._reader

    async def _ask(self, request: Json, stream: Stream | None = None) -> Json:
        self._number += 1
        number, future = self._number, asyncio.get_running_loop().create_future()
        self._asked[number] = future, stream
        try:
            if self.over:
                raise Lost(str(self.over))
            await self.say(json.dumps({"id": number, **request}))
            async with asyncio.timeout(PATIENCE):
                reply = await future
        finally:
            self._asked.pop(number, None)
            future.add_done_callback(lambda it: it.cancelled() or it.exception())  # also when nobody waited for it
        if "error" in reply:
            raise Refused(reply["error"])
        [result] = [value for name, value in reply.items() if name != "id"]
        return dict(result)

    async def _read(self) -> None:
        try:
            async for frame in self._connection:
                assert isinstance(frame, str)
                self.heard.append(frame)
                for line in frame.split("\n"):
                    await self._take(json.loads(line))
                await self._tell()
            self.over = (self._connection.close_code or 1006, self._connection.close_reason or "")
        except ConnectionClosed as closed:
            self.over = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
        for future, _ in self._asked.values():
            if not future.done():
                future.set_exception(Lost(str(self.over)))
        await self._tell()

    async def _take(self, message: Json) -> None:
        if not message:
            self.pings += 1
            await self._connection.send("{}")
        elif "push" in message:
            self._pushed(message["push"])
        elif message["id"] in self._asked:
            future, stream = self._asked[message["id"]]
            if stream is not None and "subscribe" in message:
                self.streams[stream.channel] = stream
                stream.answered(message["subscribe"])
            if not future.done():
                future.set_result(message)

    def _pushed(self, push: Json) -> None:
        stream = self.streams.get(push["channel"])
        if push["channel"].startswith("#"):
            self.hints.append(push["pub"]["data"])
        elif stream is None:
            raise AssertionError(f"a push for a channel that is not subscribed to: {push}")
        elif "pub" in push:
            stream.take(push["pub"])
        else:
            stream.ended = push["unsubscribe"]
            self.ended[stream.channel] = time.monotonic()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _state(self) -> str:
        standing = {name: (stream.position, stream.ended, stream.faults) for name, stream in self.streams.items()}
        return f"over: {self.over}, streams: {standing}, hints: {self.hints[-3:]}"

"""uvicorn's WebSocket protocol (websockets, sans-I/O), opened up so that ready frames go straight to the transport.

It stands on internals of the pinned uvicorn, named in INTERNALS and checked by tests/gateway/test_transport.py. Writing past
the library is legal while the connection is open and no fragmented message of ours is under way (we send none), with no
compression negotiated (performance.md §3). What it changes besides:

- an empty Sec-WebSocket-Protocol header, as older Python clients send it, is dropped before the library refuses it;
- messages reach the application as bytes: the codec checks UTF-8, and answers with our close code rather than 1007;
- frames are cut here: what is a whole message in one frame, as nearly all are, goes straight to whoever takes it, pings are
  answered, and only the rest (fragments, closings, what is wrong or too large) goes to the library, which takes many times as
  long: whoever floods us with the one or the other must not keep the others waiting. Once it is over, only the end is heard;
- a message that is too large, or in absurdly many fragments, closes with 3501; the library's 1009 would keep browsers
  away for good (protocol.md §7);
- whoever does not finish closing in time is aborted: closing in order would wait for a full buffer for ever.
"""

import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.speedups import apply_mask

from server.gateway.arrival import EXTENSION, Arriving
from server.gateway.frames import PONG, bounds, frame, is_close, is_message, is_ping
from server.gateway.light import Gate, Inbox
from server.gateway.protocol import CloseCode

VERSIONS = {"uvicorn": "0.54.0", "websockets": "17.4"}
"""The versions whose internals were read."""

MAX_FRAGMENTS = 4_096
MAX_UNREAD_PONGS = 64 * 1024
"""Bytes that may lie unread in front of a peer who sends WebSocket pings; an SDK sends none."""

_SUBPROTOCOL = "Sec-WebSocket-Protocol"


class GatewayProtocol(Arriving):
    """A connection that is also the Writer of its outbox."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.queue = Inbox()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]
        self.receiver: Callable[[bytes], None] | None = None
        """Takes messages as they come, once it is set; until then they wait for the application, one at a time."""
        self._chunks = 0
        self._cutting = False
        self._rest: bytearray | None = None
        """The beginning of a frame that is not all here yet."""
        self._whole = 0
        """How many bytes that frame has, as far as its header says."""

    @property
    def open(self) -> bool:
        """See Writer."""
        return (
            self.handshake_complete
            and not self.close_sent
            and not self.disconnected
            and not self.transport.is_closing()
        )

    def write(self, data: bytes) -> int:
        """See Writer."""
        transport = self.transport
        if not self.handshake_complete or self.close_sent or self.disconnected or transport.is_closing():
            return 0
        transport.write(data)
        return transport.get_write_buffer_size()

    def buffered(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self.transport.get_write_buffer_size()

    async def drained(self) -> None:
        """See Writer."""
        await self.writable.wait()

    def attend(self) -> None:
        """See Writer. The next message pauses reading again, so at most one more is held."""
        if self.read_paused and self.open:
            self.read_paused = False
            self.transport.resume_reading()

    def stay(self, receiver: Callable[[bytes], None], over: Callable[[], None]) -> None:
        """Go on without the application, which may end now.

        `receiver` gets messages as they come; `over` is called, soon, where the application would have heard that the
        connection has ended, possibly more than once.
        """
        self.receiver = receiver
        self.queue = _Ended(partial(self.loop.call_soon, over))  # type: ignore[assignment]
        self.close_timer = self.close_timer or _STAYS  # type: ignore[assignment]
        self.scope = {}  # type: ignore[typeddict-item]  # the request, of which nobody asks any more

    def finish(self, code: int, reason: str) -> None:
        """See Writer. Does nothing when the connection is no longer open."""
        if self.open:
            self.conn.send_close(code, reason)
            self._closing(b"".join(self.conn.data_to_send()), code, reason)

    def abort(self) -> None:
        """See Writer. The kernel drops its part too, so that a stalled peer holds no memory."""
        if self.disconnected:
            return
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _closing(self, frame: bytes, code: int, reason: str) -> None:
        self.transport.write(frame)
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            # The peer's answer is behind what it sent before.
            self.read_paused = False
            self.transport.resume_reading()
        self._end_in_time()

    def _end_in_time(self) -> None:
        """A transport that closes in order waits for its reader as long as it takes; we do not."""
        self.close_timer = self.loop.call_later(self.close_timeout, self.abort)

    # What differs from uvicorn

    def handle_connect(self, event: Request) -> None:
        """Take the handshake; hand the application its writer."""
        offered = event.headers.get_all(_SUBPROTOCOL)
        if offered and not any(value.strip() for value in offered):
            del event.headers[_SUBPROTOCOL]
        super().handle_connect(event)
        if self.response.status_code == 101:
            cast("dict[str, Any]", self.scope["extensions"])[EXTENSION] = {"writer": self}

    async def send(self, message: ASGISendEvent) -> None:
        """What the application sends: only the handshake, or its refusal."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            # Whoever sent more than their request by now is left to the library, which may be in the middle of it.
            self._cutting = self._chunks == 1
            # Kilobytes per connection that nobody looks at again.
            for name in ("request", "response"):
                vars(self).pop(name, None)
        if self.initial_response is not None and self.close_sent:
            # A refusal completes the handshake too; uvicorn would log an error about it.
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        """Cut it into frames, and take whole messages past the library."""
        self._chunks += 1
        if not self._cutting:
            super().data_received(data)
        elif self._rest is None:
            self._cut(data)
        else:
            # In pieces it is put together once: copied for each of them, a large one in small ones would hold up everybody.
            self._rest += data
            if len(self._rest) >= self._whole:
                data, self._rest = bytes(self._rest), None
                self._cut(data)

    def _cut(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size:
            start, end = bounds(data, at)
            if end - start > self.config.ws_max_size:
                self._cutting = False
                super().data_received(data[at:])
                return
            if end > size or not start:
                self._rest, self._whole = bytearray(data[at:]), end - at
                return
            if is_message(data, at) and self.conn.current_size is None:
                self._message(apply_mask(data[start:end], data[start - 4 : start]))
            elif is_ping(data, at):
                self._pong(apply_mask(data[start:end], data[start - 4 : start]))
            elif self.open or is_close(data, at):
                super().data_received(data[at:end])
            at = end

    def _pong(self, payload: bytes) -> None:
        """Answer a ping, unless the peer pings and does not read the answers: they would pile up here."""
        if not self.open:
            return
        if self.buffered() > MAX_UNREAD_PONGS:
            self.abort()
            return
        self.write(frame(PONG, payload))

    def handle_ping(self) -> None:
        """The same, of one that came before frames were cut here."""
        if self.buffered() > MAX_UNREAD_PONGS:
            self.abort()
            return
        super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        """Take one more fragment of a message."""
        if self.close_sent:
            return
        if len(self.frames) >= MAX_FRAGMENTS:
            self.frames = []
            self.finish(CloseCode.BAD_REQUEST, "message in too many fragments")
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand over a message of several frames."""
        data = b"".join(self.frames)
        self.frames = []
        self._message(data)

    def _message(self, data: bytes) -> None:
        """Hand over a message as bytes; to the application, and then read on only when it was taken."""
        if not self.open:
            return
        if self.receiver is not None:
            self.receiver(data)
            return
        self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_close(self, event: Frame) -> None:
        """The peer closes, or answers our closing."""
        super().handle_close(event)
        self._end_in_time()

    def handle_parser_exception(self) -> None:
        """The peer broke the rules of WebSocket, or the limit of a message."""
        if self.close_sent:
            return
        if not isinstance(self.conn.parser_exc, PayloadTooBig):
            super().handle_parser_exception()
            self._end_in_time()
            return
        self.conn.data_to_send()  # the library's 1009: never sent
        close = Close(CloseCode.BAD_REQUEST, "message too large")
        self._closing(Frame(Opcode.CLOSE, close.serialize()).serialize(mask=False), close.code, close.reason)
        if self.transport.can_write_eof():
            # What the peer is still sending is read and dropped, or else its kernel would not let it see our close frame.
            self.transport.write_eof()

    def shutdown(self) -> None:
        """The server is going down and nobody drained it: close as the protocol says."""
        if not self.open:
            super().shutdown()
            return
        # A tick later: what was pushed before goes out before.
        self.loop.call_soon(self.finish, CloseCode.SHUTDOWN, CloseCode.SHUTDOWN.reason)


class _Ended:
    """A queue on which nothing comes any more but that it is over."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell = tell

    def put_nowait(self, _message: object) -> None:
        """It is over."""
        self._tell()


class _Never:
    """A timer that never comes. uvicorn hangs up when an application ends, unless the connection is closing in its time."""

    def cancel(self) -> None:
        """Nothing."""


_STAYS = _Never()


INTERNALS = (
    "app",
    "app_state",
    "asgi_version",
    "client",
    "close_sent",
    "close_timeout",
    "close_timer",
    "config",
    "conn",
    "default_headers",
    "disconnected",
    "frames",
    "handshake_complete",
    "handshake_initiated",
    "initial_response",
    "loop",
    "queue",
    "read_paused",
    "root_path",
    "tasks",
    "transport",
    "writable",
)
"""Attributes of uvicorn's protocol that this module and arrival read or set."""

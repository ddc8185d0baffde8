"""The door of a process, under HTTP: how many sockets, how long a request may take to arrive, how large its head may be.

uvicorn waits for ever for the end of a request and takes a head of any size; a proxy in front usually does not let such things
through, but nothing may depend on it. Whoever has not said in time what they want is let go; when there are too many of them,
the one who has been silent longest goes first, so that an honest request, which takes milliseconds, always gets in.
"""

import asyncio
import logging
import resource
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server import metrics
from server.config import Settings

log = logging.getLogger(__name__)

_SPARE_FILES = 128
"""File descriptors that are not for sockets: the database, Redis, logs, files being served."""


@dataclass
class Hall:
    """What all doorways of a process share. Sizes in bytes, times in seconds."""

    sockets: int
    silent: int
    head_bytes: int
    head_seconds: float
    request_seconds: float
    waiting: dict["Doorway", None] = field(default_factory=dict)
    """Those whose request's head is not complete, the oldest first."""

    @classmethod
    def of(cls, settings: Settings) -> "Hall":
        """As the settings say, and as many sockets as this process may open."""
        return cls(
            min(settings.max_sockets, _openable(settings.max_sockets + _SPARE_FILES) - _SPARE_FILES),
            settings.unauthenticated,
            settings.max_head_kib * 1024,
            settings.head_seconds,
            settings.request_seconds,
        )

    def protocol(self) -> partial["Doorway"]:
        """What uvicorn.Config takes as `http`."""
        return partial(Doorway, self)

    def arrived(self, one: "Doorway") -> None:
        """Somebody who has not said yet what they want."""
        self.waiting[one] = None
        if len(self.waiting) > self.silent:
            next(iter(self.waiting)).cut()

    def heard(self, one: "Doorway") -> None:
        """They have said it, or are gone."""
        self.waiting.pop(one, None)


class Doorway(HttpToolsProtocol):
    """One socket, until it ends or becomes a WebSocket."""

    def __init__(self, hall: Hall, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._hall = hall
        self._head = 0
        self._timer: asyncio.TimerHandle | None = None
        self._turned_away = False
        self._too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and begin to wait."""
        super().connection_made(transport)
        self._turned_away = len(self.connections) > self._hall.sockets
        if self._turned_away:
            metrics.LIMITED.labels("sockets").inc()
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is too much, or there is no place."""
        if self._turned_away:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        if self in self._hall.waiting:
            self._head += len(data)
        super().data_received(data)
        if self in self._hall.waiting and self._head > self._hall.head_bytes:
            metrics.LIMITED.labels("requests").inc()
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Another request on the same socket gets its own time."""
        super().on_message_begin()
        if self not in self._hall.waiting:
            self._expect_head()
            self._head = 1  # it has begun: not silent

    def on_headers_complete(self) -> None:
        """The head is there; now the body has its time."""
        self._hall.heard(self)
        self._arm(self._hall.request_seconds)
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        whole = self.app
        self._too_large = size > self._hall.head_bytes
        if self._too_large:
            metrics.LIMITED.labels("requests").inc()
            self.app = PlainTextResponse("The request's head is too large.\n", 431, {"Connection": "close"})
        super().on_headers_complete()
        self.app = whole

    def on_message_complete(self) -> None:
        """All of it is there; what is done with it is not our affair."""
        super().on_message_complete()
        self._disarm()

    def handle_websocket_upgrade(self) -> None:
        """From here on it is the gateway's, where it may have to wait, with its head."""
        if self._too_large:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._gone()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._gone()
        super().connection_lost(exc)

    def cut(self) -> None:
        """Let go of somebody who is silent."""
        metrics.LIMITED.labels("silent").inc()
        self._gone()
        self.transport.abort()

    def _expect_head(self) -> None:
        self._head = 0
        self._arm(self._hall.head_seconds)
        self._hall.arrived(self)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _gone(self) -> None:
        self._disarm()
        self._hall.heard(self)

    def _late(self) -> None:
        if self in self._hall.waiting and not self._head:
            self.cut()
            return
        metrics.LIMITED.labels("silent").inc()
        self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer, if nothing was answered yet, and hang up. Whoever still waits for the rest of the request is told."""
        self._gone()
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
            self.transport.write(head.encode())
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()


def _openable(wanted: int) -> int:
    """How many files this process may have open, after asking for as many as wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        log.warning(
            "the limit of open files allows %d sockets; WARMLINE_MAX_SOCKETS asks for more", soft - _SPARE_FILES
        )
    return soft

"""The way to the providers of push: TLS to a public address, no redirects, no proxy, little time, and next to nothing read.

An endpoint is an address that somebody gave. Its form and its host are looked at before (endpoints.py); here, at the moment
of connecting, it is the address itself, after names have been resolved: no name can lead anywhere else in between.
"""

import socket
import ssl
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from server.notices.addresses import public

SECONDS = 10.0
"""For all of one push."""
CONNECT_SECONDS = 4.0
_READ_BYTES = 4096


class NotPublic(OSError):
    """A provider's name led to an address of this machine or network."""


def http(
    local: Collection[str], resolver: AbstractResolver | None = None, seconds: float = SECONDS
) -> aiohttp.ClientSession:
    """The one HTTP session of a process for pushes. Call it on the running loop; the caller closes it.

    Args:
        local: origins of this machine that may be reached as well (in profile dev).
        resolver: instead of the system's.
        seconds: for all of one push.
    """
    ports = frozenset(urlsplit(origin).port or 443 for origin in local)

    def connecting(found: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = found
        if not public(address[0]) and not (address[1] in ports and address[0] in ("127.0.0.1", "::1")):
            raise NotPublic("not a public address")
        return socket.socket(family, kind, protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=ssl.create_default_context(),
            resolver=resolver,
            socket_factory=connecting,
            limit=0,
            keepalive_timeout=30,
        ),
        timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "Warmline", "Accept-Encoding": "identity"},
        read_bufsize=_READ_BYTES,
        auto_decompress=False,
        trust_env=False,
    )


async def post(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], body: bytes
) -> tuple[int, str | None]:
    """Send it; the status of the answer, and its Retry-After.

    What else it says is not read: a connection whose answer has more to say is closed.

    Raises:
        aiohttp.ClientError, OSError: it cannot be reached, took too long, or speaks no HTTP.
    """
    at = URL(url, encoded=True)  # as it was given: nothing in it is written another way
    async with session.post(at, headers=headers, data=body, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Retry-After")


def away(error: Exception) -> str:
    """In one word how a provider could not be reached."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotPublic):
        return "not_public"
    return "timeout" if isinstance(error, TimeoutError) else "unreachable"

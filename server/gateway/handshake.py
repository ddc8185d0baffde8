"""The opening handshake of a WebSocket (RFC 6455 §4.2), where nothing about it is out of the ordinary. Pure.

Whatever is left open here the library judges, and puts its refusal in words; it takes five times as long, which counts when
thousands come back at once.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1

_LONGEST = 8_000
"""Bytes of a request that is ordinary."""
_TOKEN = rb"[\w!#$%&'*+.^`|~-]+"
_REQUEST = re.compile(rb"GET [\x21-\x7e]+ HTTP/1\.1\r\n(?:%b: [\t\x20-\x7e\x80-\xff]*\r\n)+\r\n" % _TOKEN)
_LIST = re.compile(rb"%b(?:[ \t]*,[ \t]*%b)*" % (_TOKEN, _TOKEN))
_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
"""Sixteen bytes in base64."""
_ONCE = frozenset(
    (b"connection", b"upgrade", b"origin", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol")
)
_NEVER = frozenset((b"content-length", b"transfer-encoding"))
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class Handshake:
    """A good one. `target` is the path with its query, `accept` what proves that it was understood."""

    target: str
    headers: list[tuple[bytes, bytes]]
    subprotocols: list[str]
    accept: bytes

    def answer(self, headers: list[tuple[bytes, bytes]], subprotocol: str | None) -> bytes:
        """The response that opens the connection, with more headers of the server's own."""
        more = [*headers, *([(b"sec-websocket-protocol", subprotocol.encode())] if subprotocol else [])]
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n%b\r\n"
            % (
                self.accept,
                b"".join(b"%b: %b\r\n" % header for header in more),
            )
        )


def read(request: bytes) -> Handshake | None:
    """Read a whole request, with the names of its headers in lower case. None: it is not ordinary, if it is good at all."""
    if len(request) > _LONGEST or not _REQUEST.fullmatch(request):
        return None
    first, *lines = request[:-4].split(b"\r\n")
    # Blanks after a value are none of it (RFC 9110 §5.5): uvicorn leaves them on.
    headers = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b": ") for line in lines)]
    ours = [name for name, _ in headers if name in _ONCE]
    found = dict(headers)
    offered = found.get(b"sec-websocket-protocol")
    if (
        len(ours) != len(set(ours))
        or _NEVER & found.keys()
        or found.get(b"upgrade", b"").lower() != b"websocket"
        or b"upgrade" not in _listed(found.get(b"connection", b"").lower())
        or found.get(b"sec-websocket-version") != b"13"
        or not _KEY.fullmatch(found.get(b"sec-websocket-key", b""))
        or (offered is not None and not _LIST.fullmatch(offered))
    ):
        return None
    accept = b64encode(sha1(found[b"sec-websocket-key"] + _MAGIC, usedforsecurity=False).digest())
    subprotocols = [one.decode() for one in _listed(offered or b"")]
    return Handshake(first[4:-9].decode(), headers, subprotocols, accept)


def _listed(value: bytes) -> list[bytes]:
    return [one.strip() for one in value.split(b",") if one.strip()] if _LIST.fullmatch(value) else []

"""The opening handshake, read without the library: as the library would have read it, and the rest is left to it."""

import pytest
from websockets.http11 import Request
from websockets.server import ServerProtocol

from server.gateway.handshake import read

KEY = b"MDEyMzQ1Njc4OWFiY2RlZg=="
GOOD = {
    b"host": b"x",
    b"connection": b"Upgrade",
    b"upgrade": b"websocket",
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": b"13",
}
ORDINARY: list[tuple[bytes, list[tuple[bytes, bytes]]]] = [
    (b"/connection/websocket", []),
    (b"/connection/websocket?cf_protocol=protobuf&x=%20y", []),
    (b"/a%2fb", [(b"origin", b"https://clinic.example"), (b"cookie", b"a=b"), (b"cookie", b"c=d")]),
    (b"/", [(b"sec-websocket-protocol", b"centrifuge-json, centrifuge-protobuf")]),
    (b"/", [(b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits")]),
    (b"/", [(b"connection", b"keep-alive, Upgrade"), (b"upgrade", b"WebSocket")]),
    (b"/", [(b"origin", b"https://clinic.example \t"), (b"x-blank", b" ")]),
    (b"/", [(b"user-agent", "Zoë".encode("latin-1")), (b"x-empty", b"")]),
]
LEFT: list[tuple[bytes, list[tuple[bytes, bytes]]]] = [
    (b"/", [(b"sec-websocket-key", KEY[:-4])]),
    (b"/", [(b"sec-websocket-key", b"MDEyMzQ1Njc4OWFiY2RlZh==")]),
    (b"/", [(b"sec-websocket-key", b"")]),
    (b"/", [(b"sec-websocket-version", b"8")]),
    (b"/", [(b"sec-websocket-version", b"13, 13")]),
    (b"/", [(b"sec-websocket-protocol", b"")]),
    (b"/", [(b"sec-websocket-protocol", b",,;")]),
    (b"/", [(b"connection", b"close")]),
    (b"/", [(b"connection", b"Upgrade;x")]),
    (b"/", [(b"upgrade", b"h2c")]),
    (b"/", [(b"content-length", b"3")]),
    (b"/", [(b"transfer-encoding", b"chunked")]),
    (b"/", [(b"x-control", b"a\x01b")]),
    (b"/", [(b"x-long", b"x" * 8_000)]),
    ("/ö".encode(), []),
    (b"/a b", []),
]


def request(target: bytes, also: list[tuple[bytes, bytes]], twice: bytes = b"") -> bytes:
    changed = dict(also)
    headers = [(name, changed.get(name, value)) for name, value in GOOD.items()]
    headers += [(name, value) for name, value in also if name not in GOOD]
    headers += [(twice, GOOD.get(twice, b"x"))] * (2 if twice and twice not in GOOD else bool(twice))
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target, lines)


def by_the_library(data: bytes) -> tuple[ServerProtocol, Request, int, str | None]:
    protocol = ServerProtocol()
    protocol.receive_data(data)
    [event] = protocol.events_received()
    assert isinstance(event, Request)
    answer = protocol.accept(event)
    return protocol, event, answer.status_code, answer.headers.get("Sec-WebSocket-Accept")


@pytest.mark.parametrize(("target", "also"), ORDINARY)
def test_an_ordinary_one_is_read_as_the_library_reads_it(target: bytes, also: list[tuple[bytes, bytes]]) -> None:
    data = request(target, also)
    opening = read(data)
    assert opening is not None
    _, theirs, status, accept = by_the_library(data)
    assert (status, accept) == (101, opening.accept.decode())
    assert opening.target == theirs.path
    assert opening.headers == [(name.encode(), value.encode("latin-1")) for name, value in theirs.headers.raw_items()]
    offered = dict(also).get(b"sec-websocket-protocol", b"")
    assert opening.subprotocols == [one.strip() for one in offered.decode().split(",") if one]


@pytest.mark.parametrize(("target", "also"), LEFT)
def test_whatever_is_out_of_the_ordinary_is_left_to_the_library(target: bytes, also: list[tuple[bytes, bytes]]) -> None:
    assert read(request(target, also)) is None


@pytest.mark.parametrize("name", [*list(GOOD)[1:], b"origin", b"sec-websocket-protocol"])
def test_what_may_stand_there_once_is_left_to_the_library_when_it_stands_there_twice(name: bytes) -> None:
    assert read(request(b"/", [], twice=name)) is None


def test_what_is_no_get_or_lacks_something_is_left_to_the_library() -> None:
    assert read(request(b"/", []).replace(b"GET", b"POST")) is None
    assert read(request(b"/", [])[:-2]) is None
    for name in list(GOOD)[1:]:
        assert read(request(b"/", []).replace(b"%b: %b\r\n" % (name, GOOD[name]), b"")) is None


def test_the_answer_opens_the_connection() -> None:
    opening = read(request(b"/", [(b"sec-websocket-protocol", b"centrifuge-json")]))
    assert opening is not None
    head = opening.answer([(b"date", b"today")], "centrifuge-json").decode().split("\r\n")
    assert head[0] == "HTTP/1.1 101 Switching Protocols"
    assert set(head[1:-2]) == {
        "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {opening.accept.decode()}", "date: today",
        "sec-websocket-protocol: centrifuge-json",
    }  # fmt: skip
    assert "protocol" not in opening.answer([], None).decode()

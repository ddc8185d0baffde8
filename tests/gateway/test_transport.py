"""The part that stands on uvicorn's internals: they are still there, and the handshake, sizes and closings behave."""

import asyncio
import inspect
import json
import struct
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version

import pytest
import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from server.gateway.frames import bounds, is_message
from server.gateway.gateway import PATH, Gateway
from server.gateway.transport import INTERNALS, MAX_FRAGMENTS, VERSIONS, GatewayProtocol
from tests.gateway.inner import Tape
from tests.gateway.raw import Raw
from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World

SIZES = [0, 100, 200, 3_000, 70_000, 1]


def test_the_versions_are_those_whose_internals_were_read():
    """If this fails: read the new websockets_sansio_impl.py against server/gateway/transport.py, then update VERSIONS."""
    assert {name: version(name) for name in VERSIONS} == VERSIONS


def test_the_internals_are_there():
    config = uvicorn.Config(lambda *_: None, ws=GatewayProtocol, log_config=None)
    config.load()

    async def make() -> GatewayProtocol:
        return GatewayProtocol(config, ServerState(), {})

    protocol = asyncio.run(make())
    for name in INTERNALS:
        assert hasattr(protocol, name), name
    for method in ("handle_connect", "handle_cont", "send_receive_event_to_app", "handle_parser_exception", "shutdown"):
        assert list(inspect.signature(getattr(WebSocketsSansIOProtocol, method)).parameters) == list(
            inspect.signature(getattr(GatewayProtocol, method)).parameters
        ), method
    assert protocol.conn.current_size is None


def test_what_uvicorn_must_be_told():
    world = World()
    options = Gateway(world, world, world.bus).uvicorn_options()
    config = uvicorn.Config(lambda *_: None, log_config=None, **options)
    config.load()
    assert isinstance(config.ws_protocol_class, partial)
    assert config.ws_protocol_class.func is GatewayProtocol
    assert config.ws_max_size == 1024 * 1024
    assert config.ws_per_message_deflate is False
    assert config.ws_ping_interval is None


@pytest.mark.parametrize("header", ["Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol:   "])
async def test_an_empty_subprotocol_header_is_no_header(header: str):
    async with serving(World()) as site:
        raw, head = await Raw.to(site, header)
        assert " 101 " in head
        assert "sec-websocket-protocol" not in head.lower()
        await raw.end()


async def test_a_bad_handshake_is_refused_by_the_library():
    async with serving(World()) as site:
        raw, head = await Raw.to(site, "Sec-WebSocket-Protocol: ,,;")
        assert " 400 " in head
        await raw.end()


@pytest.mark.catalogue("S23")
async def test_no_compression():
    async with serving(World()) as site:
        raw, head = await Raw.to(site, "Sec-WebSocket-Extensions: permessage-deflate")
        assert "deflate" not in head
        await raw.end()


def command(number: int, size: int) -> bytes:
    """A command of exactly that many bytes."""
    head, tail = b'{"id":%d,"rpc":{"method":"me","data":"' % number, b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


@pytest.mark.catalogue("S22")
async def test_sizes():
    """Up to 256 KiB served; beyond it told, and the connection lives; beyond 1 MiB closed with 3501, never with 1009."""
    async with serving(World()) as site:
        async with site.client("demo-clinician") as wire:
            await wire.socket.send(command(10, 256 * 1024))
            assert "rpc" in await wire.reply(10)
            await wire.socket.send(command(11, 256 * 1024 + 1))
            assert (await wire.reply(11))["error"]["code"] == 107
            await wire.socket.send(command(12, 1024 * 1024))
            assert (await wire.reply(12))["error"]["code"] == 107
            await wire.socket.send(b"\n".join([command(number, 200_000) for number in (13, 14, 15)]))
            for number in (13, 14, 15):
                assert "rpc" in await wire.reply(number)
            await wire.socket.send(command(16, 1024 * 1024 + 1))
            assert await wire.closed() == (3501, "message too large")


@pytest.mark.catalogue("S22")
@pytest.mark.parametrize("fragments", [1, 20])
async def test_a_huge_message_is_cut_off_before_it_is_held(fragments: int):
    """The close frame arrives although the client is still sending, and what it sends is dropped."""
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        raw.send(1, b'{"id":1,"connect":{"token":"a"}}')
        await raw.frame()
        for number in range(fragments):
            raw.send(0 if number else 1, b"x" * (20 * 1024 * 1024 // fragments), final=False)
        assert await raw.close_code() == 3501
        async with asyncio.timeout(5):
            await raw.writer.drain()
            assert await raw.reader.read() == b""
        await raw.end()


@pytest.mark.catalogue("S22")
async def test_absurdly_many_fragments():
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        raw.send(1, b"", final=False)
        for _ in range(MAX_FRAGMENTS + 100):
            raw.send(0, b"", final=False)
        assert await raw.close_code() == 3501
        await raw.end()


@pytest.mark.catalogue("S22", "S25")
async def test_a_flood_of_pings_and_of_what_comes_after_the_end_is_not_left_to_the_library(
    monkeypatch: pytest.MonkeyPatch,
):
    """It takes forty microseconds for a frame: with a flood of them all others would wait for seconds."""
    given, take = 0, WebSocketsSansIOProtocol.data_received

    def counted(protocol: WebSocketsSansIOProtocol, data: bytes) -> None:
        nonlocal given
        given += 1
        take(protocol, data)

    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        raw.send(1, b'{"id":1,"connect":{"token":"demo-clinician"}}')
        await raw.frame()
        monkeypatch.setattr(WebSocketsSansIOProtocol, "data_received", counted)
        for payload in (b"", b"x" * 125, b"there"):
            raw.send(9, payload)
            assert await raw.frame() == (0x8A, payload)
        assert given == 0
        raw.writer.write(frames(*[(0 if n else 1, b"x", False) for n in range(MAX_FRAGMENTS + 20_000)]))
        assert await raw.close_code() == 3501
        raw.send(8, struct.pack("!H", 3501))
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                await raw.reader.read()
        assert given <= MAX_FRAGMENTS + 3
        await raw.end()


async def test_a_message_in_fragments():
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        whole = b'{"id":1,"connect":{"token":"a"}}'
        raw.send(1, whole[:5], final=False)
        raw.send(9, b"are you there")
        raw.send(0, whole[5:9], final=False)
        raw.send(0, whole[9:])
        assert await raw.frame() == (0x8A, b"are you there")
        assert b'"connect"' in (await raw.frame())[1]
        await raw.end()


def frames(*parts: tuple[int, bytes, bool]) -> bytes:
    """What a client sends, as one stream of bytes."""
    tape = Tape()
    raw = Raw(None, tape)  # type: ignore[arg-type]
    for opcode, payload, final in parts:
        raw.send(opcode, payload, final)
    return tape.data


async def test_messages_arrive_whole_however_the_network_cuts_them():
    """Whole frames, fragments, pings and long ones, in pieces of every size: each message once, in order."""
    said = [b'{"id":%d,"rpc":{"method":"echo","data":"%s"}}' % (n, b"x" * size) for n, size in enumerate(SIZES, 2)]
    stream = frames(
        (1, b'{"id":1,"connect":{"token":"demo-clinician"}}', True),
        *((1, text, True) for text in said[:3]),
        (9, b"ping", True),
        (1, said[3][:7], False), (0, said[3][7:], True),
        *((2, text, True) for text in said[4:]),
    )  # fmt: skip
    async with serving(World()) as site:
        for piece in (1, 2, 3, 5, 7, 61, 1_000, len(stream)):
            raw, _ = await Raw.to(site)
            for at in range(0, len(stream), piece):
                raw.writer.write(stream[at : at + piece])
                if piece < 100 and at < 800:
                    await asyncio.sleep(0)  # so that they leave one by one, as far as the kernel lets them
            heard = [await raw.frame() for _ in range(len(said) + 2)]
            assert (0x8A, b"ping") in heard
            replies = [payload for kind, payload in heard if kind != 0x8A]
            assert [json.loads(payload)["id"] for payload in replies] == list(range(1, len(said) + 2))
            assert [len(json.loads(payload)["rpc"]["data"]) for payload in replies[1:]] == SIZES
            await raw.end()


@pytest.mark.catalogue("S22")
async def test_a_large_message_in_small_pieces_is_put_together_once():
    """If it were copied for each piece, a megabyte in pieces of a hundred bytes would be five gigabytes."""
    looked = []

    def counted(data: bytes, at: int) -> tuple[int, int]:
        looked.append(len(data))
        return bounds(data, at)

    text = b'{"id":1,"rpc":{"method":"echo","data":"%s"}}' % (b"x" * 200_000)
    stream = frames((1, text, True), (1, b"after", True))
    config = uvicorn.Config(lambda *_: None, ws=GatewayProtocol, log_config=None)
    config.load()
    protocol, taken = GatewayProtocol(config, ServerState(), {}), list[bytes]()
    protocol._cutting, protocol._message = True, taken.append  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.gateway.transport.bounds", counted)
        for at in range(0, len(stream), 100):
            protocol.data_received(stream[at : at + 100])
    assert taken == [text, b"after"]
    assert sum(looked) < 5 * len(stream)


@pytest.mark.catalogue("S22")
async def test_a_message_inside_of_another_ones_fragments_is_against_the_rules():
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        raw.send(1, b'{"id":1,', final=False)
        raw.send(1, b'{"id":1,"connect":{"token":"a"}}')
        assert await raw.close_code() == 1002
        await raw.end()


async def test_a_connection_that_is_left_to_the_library_is_served_as_well():
    """As that of whoever sends before the answer to their request is there."""
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        (protocol,) = [one for one in site.server.server_state.connections if isinstance(one, GatewayProtocol)]
        assert protocol._cutting
        protocol._cutting = False
        raw.send(1, b'{"id":1,"connect":{"token":"demo-clinician"}}')
        assert b'"connect"' in (await raw.frame())[1]
        raw.send(1, b'{"id":2,"rpc":{"method":"echo","data":2}}')
        assert b'"rpc"' in (await raw.frame())[1]
        await raw.end()


def test_bounds_of_frames():
    for size in (0, 1, 125, 126, 65_535, 65_536):
        data = b"before" + frames((1, b"x" * size, True))
        start, end = bounds(data, 6)
        assert (end - start, end) == (size, len(data))
        assert is_message(data, 6)
        header = data[6:start]
        for cut in range(len(header) - 4):
            assert bounds(header[:cut], 0) in ((0, 0), (start - 6, end - 6))
    assert not is_message(b"\x01\x80", 0), "not final"
    assert not is_message(b"\x81\x00", 0), "not masked"
    assert not is_message(b"\xc1\x80", 0), "an extension's"
    assert not is_message(b"\x89\x80", 0), "a ping"


@pytest.mark.catalogue("S22")
async def test_binary_frames_and_bad_utf8():
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        raw.send(2, b'{"id":1,"connect":{"token":"a"}}')
        assert b'"connect"' in (await raw.frame())[1]
        raw.send(1, b'{"id":2,"rpc":{"method":"me","data":"\xff"}}')
        assert await raw.close_code() == 3501
        raw.send(1, b"said after the end")
        raw.send(8, struct.pack("!H", 3501))
        assert await raw.reader.read() == b""
        await raw.end()


async def test_a_broken_peer_is_closed_by_the_library():
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        raw.send(3, b"no such opcode")
        assert await raw.close_code() == 1002
        await raw.end()
        while site.counters.connections:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("after", ["nothing", "garbage"])
async def test_a_peer_that_does_not_finish_closing_is_aborted(after: str):
    async with serving(World(), replace(QUICK, close_timeout=0.2)) as site:
        raw, _ = await Raw.to(site)
        raw.send(1, b"no")
        assert await raw.close_code() == 3501
        if after == "garbage":
            raw.send(3, b"no such opcode")
            raw.send(0, b"x" * 100)
        started = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError):
            await raw.reader.readexactly(1)
        assert 0.1 < asyncio.get_running_loop().time() - started < 2
        await raw.end()


async def test_a_peer_that_closes():
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        raw.send(8, struct.pack("!H", 1000))
        assert await raw.close_code() == 1000
        await raw.end()
        while site.counters.connections:
            await asyncio.sleep(0.01)


async def test_a_gateway_without_its_protocol_says_so(caplog: pytest.LogCaptureFixture):
    world = World()
    gateway = Gateway(world, world, world.bus, QUICK)
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, str]) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": PATH,
        "headers": [],
        "query_string": b"",
        "subprotocols": [],
        "extensions": {},
    }
    with pytest.raises(RuntimeError, match="uvicorn_options"):
        await gateway.route.handle(scope, receive, send)


async def test_an_abort_after_the_end_does_nothing():
    async with serving(World()) as site:
        raw, _ = await Raw.to(site)
        (protocol,) = [one for one in site.server.server_state.connections if isinstance(one, GatewayProtocol)]
        assert protocol.open
        await raw.end()
        while site.counters.connections:
            await asyncio.sleep(0.01)
        assert not protocol.open
        protocol.abort()
        protocol.finish(3001, "shutdown")


async def test_going_down_before_the_handshake_is_over():
    async with serving(World()) as site:
        config = uvicorn.Config(lambda *_: None, ws=GatewayProtocol, log_config=None)
        config.load()
        protocol = GatewayProtocol(config, ServerState(), {})
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, "127.0.0.1", site.port)
        protocol.shutdown()
        assert transport.is_closing()

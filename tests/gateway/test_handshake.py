"""The handshake, what is no frame of ours, and how connections end: drained, shut down, broken."""

import asyncio
import json

import pytest
from centrifuge.protocol import client_pb2 as theirs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.gateway.codec_json import JsonCodec
from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World


@pytest.mark.catalogue("S01")
@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://clinic.example", True),
        ("https://clinic.example", False),
        ("http://clinic.example.evil", False),
        ("http://CLINIC.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_origins(origin: str | None, allowed: bool, caplog: pytest.LogCaptureFixture):
    async with serving(World()) as site:
        headers = {} if origin is None else {"Origin": origin}
        if allowed:
            async with site.client("demo-clinician", additional_headers=headers):
                return
        with pytest.raises(InvalidStatus) as refused:
            async with connect(site.address, additional_headers=headers):
                pass
        assert refused.value.response.status_code == 403
    assert not caplog.records


@pytest.mark.parametrize("query", ["", "?cf_protocol=protobuf", "?format=protobuf"])
async def test_protobuf_is_spoken_with_who_asks_for_it(query: str):
    async with serving(World()) as site:
        offered = None if query else ["centrifuge-json", "centrifuge-protobuf"]
        async with connect(site.address + query, subprotocols=offered) as socket_:
            assert socket_.subprotocol == (None if query else "centrifuge-protobuf")
            asked = theirs.Command(id=1, connect={"token": "demo-clinician"}).SerializeToString()
            await socket_.send(bytes([len(asked)]) + asked)
            answer = await socket_.recv()
            assert isinstance(answer, bytes)
            reply = theirs.Reply.FromString(answer[1:])
            assert (reply.id, reply.connect.data) == (1, b'{"hello":true}')
            await socket_.send(b"\x05abc")
            with pytest.raises(ConnectionClosed) as over:
                await socket_.recv()
            assert over.value.rcvd is not None
            assert (over.value.rcvd.code, over.value.rcvd.reason) == (3501, "bad request")


async def test_the_json_subprotocol_is_echoed_only_if_offered():
    async with serving(World()) as site:
        async with connect(site.address, subprotocols=["centrifuge-json"]) as socket_:
            assert socket_.subprotocol == "centrifuge-json"
        async with connect(site.address + "?cf_protocol_version=v2") as socket_:
            assert socket_.subprotocol is None
            await socket_.send(b'{"id":1,"connect":{"token":"a"}}')
            assert json.loads(await socket_.recv())["id"] == 1


async def test_bad_frames_close_with_3501():
    async with serving(World()) as site:
        for frame in ("", "no", '{"id":1}', '{"id":1,"rpc":{}}', "[" * 200_000):
            async with site.client() as wire:
                await wire.socket.send(frame)
                assert await wire.closed() == (3501, "bad request")
        async with site.client("demo-clinician") as wire:
            await wire.say({"id": 5, "rpc": {"method": "echo"}}, {"id": 6, "connect": {}})
            code, _ = await wire.closed()
            assert code == 3501
        async with site.client("demo-clinician") as wire:
            await wire.say({"send": {"data": 1}})
            assert await wire.closed() == (3508, "not available")


async def test_what_was_said_before_goes_out_before_the_close():
    async with serving(World()) as site, site.client("demo-clinician") as wire:
        await wire.say({"id": 5, "unsubscribe": {"channel": "x"}}, {"id": 6})
        await wire.closed()
        assert wire.inbox == [{"id": 5, "unsubscribe": {}}]


async def test_drain():
    world = World()
    async with serving(world) as site:
        async with site.client("a") as first, site.client("b") as second, site.client("c") as third:
            await third.say({"id": 5, "rpc": {"method": "wait"}})
            while not world.seen_rpc:
                await asyncio.sleep(0.01)
            drained = asyncio.create_task(site.gateway.drain(0.3))
            done, _ = await asyncio.wait(
                [asyncio.create_task(wire.closed()) for wire in (first, second)], return_when=asyncio.ALL_COMPLETED
            )
            assert {task.result() for task in done} == {(3001, "shutdown")}
            with pytest.raises(InvalidStatus) as refused:
                async with connect(site.address):
                    pass
            assert refused.value.response.status_code == 503
            await asyncio.sleep(0.3)
            await third.say({"id": 6, "rpc": {"method": "echo"}})
            await asyncio.sleep(0.1)
            world.gate.set()
            assert await third.closed() == (3001, "shutdown")
            assert third.inbox == [{"id": 5, "rpc": {"data": {}}}]
            await drained
        assert site.counters.connections == 0


async def test_a_hung_operation_does_not_hold_the_drain():
    world = World()
    settings = QUICK.__class__(close_timeout=0.2)
    async with serving(world, settings) as site, site.client("a") as wire:
        await wire.say({"id": 5, "rpc": {"method": "wait"}})
        while not world.seen_rpc:
            await asyncio.sleep(0.01)
        await site.gateway.drain(0)
        assert await wire.closed() == (3001, "shutdown")
        await site.gateway.stop()
        assert not site.gateway._parts.tasks


async def test_a_server_that_goes_down_without_draining_closes_with_3001():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        site.server.should_exit = True
        world.write("ward", "last words")
        assert await wire.closed() == (3001, "shutdown")
        assert [message["push"]["pub"]["offset"] for message in wire.inbox] == [2]


async def test_a_defect_closes_one_connection_with_3004(monkeypatch: pytest.MonkeyPatch):

    async with serving(World()) as site, site.client("a") as wire:
        monkeypatch.setattr(JsonCodec, "decode", lambda *_: [])
        await wire.say({})
        assert await wire.closed() == (3004, "server error")


async def test_a_defect_in_subscribing_closes_one_connection_with_3004():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, site.client("demo-clinician") as wire, site.client("demo-clinician") as other:
        await other.subscribe("ward")
        subscribe, world.subscribe = world.subscribe, lambda *_: world.watched("nobody")  # type: ignore[assignment]
        await wire.say({"id": 5, "subscribe": {"channel": "ward"}})
        assert await wire.closed() == (3004, "server error")
        world.subscribe = subscribe  # type: ignore[method-assign]
        world.write("ward", "one")
        assert await other.texts("ward", 1) == [(2, "one")]

"""A reader who does not read is cut off, and nobody else notices."""

import asyncio
import json
import socket
from dataclasses import replace

import pytest

from tests.gateway.raw import KEY, Raw
from tests.gateway.wire import PATH, QUICK, Site, serving
from tests.gateway.world import World

SMALL = replace(QUICK, outbox_limit=128 * 1024, slow_grace=0.3)


async def stalled(site: Site, person: str) -> Raw:
    """A connected and subscribed client that has stopped reading, with a small window."""
    raw_socket = socket.socket()
    raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw_socket.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw_socket, ("127.0.0.1", site.port))
    reader, writer = await asyncio.open_connection(sock=raw_socket, limit=4096)
    writer.write(
        f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    raw = Raw(reader, writer)
    raw.send(1, json.dumps({"id": 1, "connect": {"token": person}}).encode())
    raw.send(1, json.dumps({"id": 2, "subscribe": {"channel": "ward"}}).encode())
    for _ in range(2):
        await raw.frame()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return raw


def crowd(*people: str) -> World:
    world = World()
    for person in people:
        world.join("ward", person)
    return world


async def flood(world: World, site: Site, until: int) -> int:
    """Write until so many readers were cut off; returns how much was written."""
    count = 0
    async with asyncio.timeout(20):
        while site.counters.aborted_readers < until:
            for _ in range(50):
                world.write("ward", "x" * 500)
            count += 50
            await asyncio.sleep(0)
    return count


@pytest.mark.catalogue("R23")
async def test_a_stalled_reader_is_aborted_and_nobody_else_notices():
    world = crowd("demo-clinician", "demo-patient")
    async with serving(world, SMALL) as site:
        bad = await stalled(site, "demo-patient")
        async with site.client("demo-clinician") as good:
            await good.subscribe("ward")
            reading = asyncio.create_task(good.texts("ward", 10_000))
            written = await flood(world, site, until=1)
            while site.counters.connections > 1:
                await asyncio.sleep(0.01)
            assert site.counters.subscriptions == 1
            while world.room("ward").top < 10_010:
                world.write("ward", "more")
                if world.room("ward").top % 100 == 0:
                    await asyncio.sleep(0)
            offsets = [offset for offset, _ in await reading]
            assert offsets == list(range(3, 10_003))
            assert written < 10_000
            assert site.counters.aborted_readers == 1
        await asyncio.sleep(0.4)
        bad.writer.transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await bad.reader.readexactly(100_000_000)
        await bad.end()


@pytest.mark.catalogue("R23")
async def test_a_reader_who_wakes_up_in_time_is_told_3008():
    world = crowd("demo-patient")
    async with serving(world, replace(SMALL, slow_grace=5)) as site:
        slow = await stalled(site, "demo-patient")
        await flood(world, site, until=1)
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        last = 1
        async with asyncio.timeout(10):
            while True:
                kind, payload = await slow.frame()
                if kind == 0x88:
                    break
                message = json.loads(payload)
                if "pub" in message.get("push", {}) and message["push"]["channel"] == "ward":
                    last += 1
                    assert message["push"]["pub"]["offset"] == last
        assert int.from_bytes(payload[:2], "big") == 3008
        await slow.end()


@pytest.mark.parametrize("who", ["the peer", "the gateway"])
async def test_a_stalled_reader_who_closes_is_not_waited_for(who: str):
    """A transport that closes in order would wait until the reader has taken everything: for ever."""
    world = crowd("demo-patient")
    async with serving(world, replace(QUICK, close_timeout=0.3)) as site:
        slow = await stalled(site, "demo-patient")
        (connection,) = site.server.server_state.connections
        while connection.buffered() < 300_000:  # type: ignore[union-attr]
            world.write("ward", "x" * 500)
            await asyncio.sleep(0)
        if who == "the gateway":
            slow.send(1, b"no command")
            while site.counters.connections:
                await asyncio.sleep(0.01)
        slow.send(8, (1000).to_bytes(2, "big"))
        async with asyncio.timeout(2):
            while site.server.server_state.connections:
                await asyncio.sleep(0.01)
        await slow.end()


async def test_a_stalled_reader_in_recovery_holds_no_more_than_a_portion():
    world = crowd("demo-patient")
    for _ in range(1_000):
        world.write("ward", "x" * 2_000)
    async with serving(world, QUICK) as site:
        slow = await stalled(site, "demo-patient")
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        slow.send(1, json.dumps({"id": 3, "unsubscribe": {"channel": "ward"}}).encode())
        assert json.loads((await slow.frame())[1])["id"] == 3
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wish = {"channel": "ward", "recover": True, "offset": 1, "epoch": "e1"}
        slow.send(1, json.dumps({"id": 4, "subscribe": wish}).encode())
        await asyncio.sleep(0.5)
        (held,) = [one.buffered() for one in site.server.server_state.connections]  # type: ignore[union-attr]
        assert 100_000 < held < 600_000
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        reply = json.loads((await slow.frame())[1])["subscribe"]
        offsets = [publication["offset"] for publication in reply["publications"]]
        while len(offsets) < 1_000:
            offsets.append(json.loads((await slow.frame())[1])["push"]["pub"]["offset"])
        assert offsets == list(range(2, 1_002))
        await slow.end()

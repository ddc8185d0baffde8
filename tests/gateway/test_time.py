"""Pings, pongs, silence, tokens that end: over real sockets, with short times."""

import asyncio
import json
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.gateway.wire import QUICK, Wire, serving
from tests.gateway.world import World


async def frames(wire: Wire, seconds: float) -> list[str]:
    """What comes, raw, answering nothing."""
    found: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                data = await wire.socket.recv()
                assert isinstance(data, str)
                found += data.split("\n")
    except TimeoutError:
        return found


async def test_pings_come_regularly_and_pongs_keep_it_alive():
    settings = replace(QUICK, ping_interval=0.2, pong_timeout=0.15)
    async with serving(World(), settings) as site, site.client() as wire:
        assert (await wire.hello("demo-clinician"))["ping"] == 1
        await wire.nothing(1.1)
        assert (await wire.ask(rpc={"method": "echo"}))["rpc"]


@pytest.mark.catalogue("R25")
async def test_without_pongs_it_ends_with_3012():
    settings = replace(QUICK, ping_interval=0.2, pong_timeout=0.15)
    async with serving(World(), settings) as site, site.client("demo-clinician") as wire:
        assert await frames(wire, 0.22) == ["{}"]
        assert await wire.closed() == (3012, "no pong")
        assert site.counters.connections == 0


@pytest.mark.catalogue("R26")
async def test_pings_come_on_time_while_a_channel_floods():
    world = World()
    world.join("ward", "demo-clinician")
    settings = replace(QUICK, ping_interval=0.2, pong_timeout=0.2)
    async with serving(world, settings) as site, site.client("demo-clinician", close_timeout=0.1) as wire:
        await wire.subscribe("ward")

        async def flood() -> None:
            while True:
                for _ in range(20):
                    world.write("ward", "x" * 300)
                await asyncio.sleep(0.001)

        flooding = asyncio.create_task(flood())
        pings = []
        try:
            async with asyncio.timeout(1.5):
                while True:
                    if await wire.socket.recv() == "{}":
                        pings.append(asyncio.get_running_loop().time())
                        await wire.socket.send("{}")
        except TimeoutError:
            flooding.cancel()
        assert 5 <= len(pings) <= 8
        assert max(b - a for a, b in pairwise(pings)) < 0.4


@pytest.mark.catalogue("R24")
async def test_no_connect_command_ends_with_3502():
    async with serving(World(), replace(QUICK, connect_timeout=0.2)) as site:
        async with site.client() as silent, site.client() as refused:
            await refused.say({"id": 1, "connect": {"token": "expired"}})
            assert (await refused.reply(1))["error"]["code"] == 109
            assert await silent.closed() == (3502, "stale")
            assert await refused.closed() == (3502, "stale")


async def test_refresh():
    settings = replace(QUICK, refresh_grace=0.3)
    async with serving(World(), settings) as site, site.client() as wire:
        welcome = await wire.hello("demo-clinician:1")
        assert (welcome["expires"], welcome["ttl"]) == (True, 1)
        refreshed = (await wire.ask(refresh={"token": "demo-clinician:2"}))["refresh"]
        assert refreshed == {"client": welcome["client"], "version": "warmline", "expires": True, "ttl": 2}
        await asyncio.sleep(1.5)
        assert (await wire.ask(rpc={"method": "echo"}))["rpc"]


async def test_a_token_that_ends_closes_with_3005():
    async with serving(World(), replace(QUICK, refresh_grace=0.1)) as site, site.client("demo-clinician:1") as wire:
        assert await wire.closed() == (3005, "connection expired")


@pytest.mark.parametrize(
    ("token", "expected"),
    [("somebody-else:5", 3500), ("forged", 3500), ("", 3500), ("expired", 3005)],
)
async def test_a_refresh_that_ends_it(token: str, expected: int):
    async with serving(World()) as site, site.client("demo-clinician:60") as wire:
        await wire.say({"id": 5, "refresh": {"token": token}})
        assert (await wire.closed())[0] == expected


@pytest.mark.parametrize("failing", ["connect", "connect!"])
async def test_a_refresh_that_may_be_tried_again(failing: str):
    world = World()
    async with serving(world) as site, site.client("demo-clinician:60") as wire:
        world.failing.add(failing)
        error = (await wire.ask(refresh={"token": "demo-clinician:60"}))["error"]
        assert (error["code"], error["temporary"]) == (100, True)
        world.failing.clear()
        assert (await wire.ask(refresh={"token": "demo-clinician:60"}))["refresh"]["ttl"] == 60


async def test_a_refresh_without_expiry_is_a_bad_request():
    async with serving(World()) as site, site.client("demo-clinician") as wire:
        await wire.say({"id": 5, "refresh": {"token": "demo-clinician"}})
        assert await wire.closed() == (3501, "bad request")


async def test_a_slow_policy_does_not_count_as_the_clients_silence():
    world = World()

    async def pause(name: str) -> None:
        await asyncio.sleep(0.2)

    world.pause = pause
    async with serving(world, replace(QUICK, connect_timeout=0.3)) as site, site.client() as wire:
        await wire.say({"id": 1, "connect": {"token": "demo-clinician"}}, {"id": 2, "rpc": {"method": "me"}})
        await asyncio.sleep(0.1)
        await wire.socket.send(json.dumps({"id": 3, "rpc": {"method": "me"}}))
        assert "connect" in await wire.reply(1)
        assert (await wire.reply(3))["rpc"] == (await wire.reply(2))["rpc"] == {"data": "demo-clinician"}


async def test_a_client_that_goes_while_it_is_being_admitted_leaves_nothing_behind():
    world = World()
    world.join("ward", "demo-clinician")
    gate = asyncio.Event()

    async def pause(name: str) -> None:
        if name == "watched":
            await gate.wait()

    world.pause = pause
    async with serving(world) as site:
        async with site.client() as wire:
            await wire.say({"id": 1, "connect": {"token": "demo-clinician"}})
            while "watched" not in world.calls:
                await asyncio.sleep(0.01)
        gate.set()
        while site.counters.connections:
            await asyncio.sleep(0.01)
        assert world.bus.wanted == set()


async def test_a_drain_while_somebody_is_being_admitted():
    world = World()
    gate = asyncio.Event()

    async def pause(name: str) -> None:
        await gate.wait()

    async with serving(world) as site, site.client() as wire:
        world.pause = pause
        await wire.say({"id": 1, "connect": {"token": "demo-clinician"}})
        while "connect" not in world.calls:
            await asyncio.sleep(0.01)
        await wire.say({"id": 2, "rpc": {"method": "me"}})
        await asyncio.sleep(0.05)
        draining = asyncio.create_task(site.gateway.drain(0))
        assert await wire.closed() == (3001, "shutdown")
        gate.set()
        await draining
        assert world.bus.wanted == set()
        world.pause = lambda name: asyncio.sleep(0)

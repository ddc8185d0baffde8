"""Subscribing over real sockets: refused, overlapping, given up half-way, a thousand at once."""

import asyncio

from tests.gateway.wire import serving
from tests.gateway.world import World


async def test_refused_subscriptions():
    world = World()
    world.room("forbidden")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        assert (await wire.ask(subscribe={"channel": "none"}))["error"]["code"] == 102
        assert (await wire.ask(subscribe={"channel": "forbidden"}))["error"]["code"] == 103
        assert (await wire.ask(subscribe={"channel": "#demo-clinician"}))["error"]["code"] == 105
        assert (await wire.ask(subscribe={"channel": "x" * 256}))["error"]["code"] == 107


async def test_subscribing_while_the_database_is_away_is_a_temporary_error():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        for failing in ("subscribe", "subscribe!", "since", "since!"):
            world.failing = {failing}
            error = (await wire.ask(subscribe={"channel": "ward"}))["error"]
            assert (error["code"], error["temporary"]) == (100, True), failing
        world.failing = set()
        assert (await wire.subscribe("ward"))["offset"] == 1
        assert site.counters.subscriptions == 1


async def test_unsubscribe_while_subscribing():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.say(
            {"id": 5, "subscribe": {"channel": "ward"}},
            {"id": 6, "unsubscribe": {"channel": "ward"}},
            {"id": 7, "subscribe": {"channel": "ward"}},
            {"id": 8, "subscribe": {"channel": "ward"}},
        )
        assert (await wire.reply(5))["error"]["temporary"]
        assert (await wire.reply(6))["unsubscribe"] == {}
        assert (await wire.reply(8))["subscribe"]["offset"] == 1
        assert (await wire.reply(7))["subscribe"]["offset"] == 1
        world.write("ward", "one")
        assert await wire.texts("ward", 1) == [(2, "one")]
        assert (await wire.ask(subscribe={"channel": "ward"}))["error"]["code"] == 105
        assert site.counters.subscriptions == 1


async def test_an_unsubscribe_during_the_log_read():
    world = World()
    world.join("ward", "demo-clinician")
    world.join("ward", "demo-patient")
    gate = asyncio.Event()

    async def pause(name: str) -> None:
        if name == "since":
            await gate.wait()

    async with serving(world) as site, site.client("demo-clinician") as wire:
        world.pause = pause
        await wire.say({"id": 5, "subscribe": {"channel": "ward"}})
        while not site.counters.reads:
            await asyncio.sleep(0.01)
        assert (await wire.ask(unsubscribe={"channel": "ward"}))["unsubscribe"] == {}
        assert (await wire.reply(5))["error"]["code"] == 100
        gate.set()
        await wire.nothing()
        assert site.counters.subscriptions == 0


async def test_an_unsubscribe_during_a_log_read_that_fails():
    world = World()
    world.join("ward", "demo-clinician")
    gate = asyncio.Event()

    async def pause(name: str) -> None:
        if name == "since":
            await gate.wait()

    async with serving(world) as site, site.client("demo-clinician") as wire:
        world.pause = pause
        await wire.say({"id": 5, "subscribe": {"channel": "ward"}})
        while not site.counters.reads:
            await asyncio.sleep(0.01)
        await wire.ask(unsubscribe={"channel": "ward"})
        assert (await wire.reply(5))["error"]["code"] == 100
        world.failing.add("since")
        gate.set()
        await wire.nothing()
        assert site.counters.subscriptions == 0


async def test_a_thousand_subscriptions_and_no_more():
    world = World()
    for number in range(1001):
        world.join(f"c{number}", "demo-clinician")
    async with serving(world) as site, site.client() as wire:
        world.calls.clear()
        await wire.say(
            {"id": 1, "connect": {"token": "demo-clinician"}},
            *({"id": number + 2, "subscribe": {"channel": f"c{number}"}} for number in range(1001)),
        )
        for number in range(1000):
            assert "subscribe" in await wire.reply(number + 2)
        assert (await wire.reply(1002))["error"]["code"] == 106
        assert (world.calls["subscribe"], world.calls["since"]) == (1, 1)
        assert site.counters.subscriptions == 1000
    assert world.bus.wanted == set()

"""Badges: hints about channels that a connection is not subscribed to."""

import asyncio
from dataclasses import replace

from tests.gateway.wire import QUICK, Wire, serving
from tests.gateway.world import World

NO_TOPS = replace(QUICK, tops_interval=600)


async def hint(wire: Wire) -> dict:
    return (await wire.push("#demo-clinician"))["pub"]["data"]


async def quiet(site) -> None:
    """Let what the start made due go by."""
    await asyncio.sleep(0.3)
    site.world.came.clear()


async def test_a_row_in_a_channel_one_is_not_subscribed_to():
    world = World()
    world.join("ward", "demo-clinician")
    world.join("ward", "somebody-else")
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        for number in range(20):
            world.write("ward", f"{number}", audience="patient")
        assert await hint(wire) == {"channel": "org/ward", "member": True, "top": 22}
        await wire.nothing()
        assert world.calls["hints"] == 1


async def test_only_the_connections_without_a_subscription_are_told():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world, NO_TOPS) as site:
        async with site.client("demo-clinician") as subscribed, site.client("demo-clinician") as not_subscribed:
            await subscribed.subscribe("ward")
            world.write("ward", "one")
            assert (await hint(not_subscribed))["top"] == 2
            assert await subscribed.texts("ward", 1) == [(2, "one")]
            await subscribed.nothing()
            await not_subscribed.subscribe("ward")
            calls = world.calls["hints"]
            world.write("ward", "two")
            assert await not_subscribed.texts("ward", 1) == [(3, "two")]
            await not_subscribed.nothing()
            assert world.calls["hints"] == calls
            await subscribed.ask(unsubscribe={"channel": "ward"})
            world.write("ward", "three")
            assert (await hint(subscribed))["top"] == 4


async def test_all_connections_are_told_when_the_person_is_called():
    """As a read mark set elsewhere does."""
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world, NO_TOPS) as site:
        async with site.client("demo-clinician") as subscribed, site.client("demo-clinician") as other:
            await subscribed.subscribe("ward")
            world.bus.publish("p:demo-clinician", b"org/ward")
            assert (await hint(subscribed))["channel"] == (await hint(other))["channel"] == "org/ward"


async def test_coming_in_and_going_out():
    world = World()
    world.room("ward")
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        membership = world.join("ward", "demo-clinician")
        assert await hint(wire) == {"channel": "org/ward", "member": True, "top": 1}
        world.write("ward", "one")
        assert (await hint(wire))["top"] == 2
        assert "t:org/ward" in world.bus.wanted
        world.remove("ward", membership)
        assert await hint(wire) == {"channel": "org/ward", "member": False, "top": 3}
        await asyncio.sleep(0.05)
        assert "t:org/ward" not in world.bus.wanted
        world.write("ward", "not theirs")
        await wire.nothing()


async def test_coming_in_unheard_is_found_by_the_tops_check():
    world = World()
    async with serving(world) as site, site.client("demo-clinician") as wire:
        world.bus.silent = True
        membership = world.join("ward", "demo-clinician")
        assert (await hint(wire))["member"]
        world.came.clear()
        world.write("ward", "one")
        found = await hint(wire)
        while found["top"] != 2:
            found = await hint(wire)
        world.remove("ward", membership)
        while found["member"]:
            found = await hint(wire)
        await quiet(site)
        wire.inbox.clear()
        await wire.nothing()


async def test_every_hint_is_sent_once_more():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world, replace(QUICK, hint_again=0.4)) as site, site.client("demo-clinician") as wire:
        await hint(wire)
        world.write("ward", "one")
        started = asyncio.get_running_loop().time()
        assert (await hint(wire))["top"] == 2
        assert (await hint(wire))["top"] == 2
        assert asyncio.get_running_loop().time() - started >= 0.4
        await wire.nothing(0.8)


async def test_hints_that_cannot_be_read_wait():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        world.failing.add("hints")
        world.write("ward", "one")
        await wire.nothing(0.2)
        world.failing.clear()
        assert (await hint(wire))["top"] == 2


async def test_when_the_bus_is_back_everything_watched_is_said_again():
    world = World()
    world.join("ward", "demo-clinician")
    world.join("other", "demo-clinician")
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("other")
        await wire.nothing()
        world.bus.restored()
        assert {(await hint(wire))["channel"] for _ in range(2)} == {"org/ward", "org/other"}


async def test_due_hints_of_people_who_left_are_dropped():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world, replace(NO_TOPS, hint_delay=0.3)) as site:
        async with site.client("demo-clinician"):
            world.write("ward", "one")
        await asyncio.sleep(0.5)
        assert "hints" not in world.calls
        assert world.bus.wanted == set()
        world.bus.publish("p:demo-clinician", b"org/ward")


async def test_hints_that_arrive_after_their_person_left_are_dropped():
    world = World()
    world.join("ward", "demo-clinician")

    async def pause(name: str) -> None:
        while name == "hints" and site.counters.connections:
            await asyncio.sleep(0.01)

    world.pause = pause
    async with serving(world, NO_TOPS) as site:
        async with site.client("demo-clinician"):
            world.write("ward", "one")
            while "hints" not in world.calls:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert site.counters.hints == 0
        assert site.gateway._watch._later == {}


async def test_nobody_is_left_behind():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world, NO_TOPS) as site:
        async with site.client("demo-clinician"):
            async with site.client("demo-clinician"):
                assert world.bus.wanted == {"t:org/ward", "p:demo-clinician"}
            await asyncio.sleep(0.05)
            assert world.bus.wanted == {"t:org/ward", "p:demo-clinician"}
        while site.counters.connections:
            await asyncio.sleep(0.01)
        assert world.bus.wanted == set()


async def test_a_message_that_cannot_be_read_makes_a_hint_too():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        world.bus.publish("t:org/ward", b"not a row")
        assert (await hint(wire))["channel"] == "org/ward"

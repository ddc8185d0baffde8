"""Who was signed out is sent away, by the check alone or at once when the bell rings; a sign-in that began later stays."""

from dataclasses import replace

import pytest

from server.errors import Unauthorized
from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World


@pytest.mark.catalogue("S06")
async def test_a_person_who_was_signed_out_is_sent_away_everywhere_and_nobody_else():
    world = World()
    world.bus.silent = True
    async with serving(world) as site, site.client("demo-a") as one, site.client("demo-a") as two:
        async with site.client("demo-b") as other:
            world.out = [("demo-a", 5.0), ("nobody-here", 5.0)]
            assert await one.closed() == (3503, "signed out")
            assert await two.closed() == (3503, "signed out")
            assert (await other.ask(rpc={"method": "me"}))["rpc"] == {"data": "demo-b"}
            assert (site.counters.signed_out, site.counters.connections) == (2, 1)


async def test_a_sign_in_that_began_later_stays_however_often_it_is_said():
    world = World()
    world.out = [("demo-a", 5.0)]
    world.began = 5.0
    async with serving(world) as site, site.client("demo-a") as wire:
        checks = world.calls["signed_out"]
        while world.calls["signed_out"] < checks + 3:
            await wire.nothing(0.05)
        assert (await wire.ask(rpc={"method": "me"}))["rpc"] == {"data": "demo-a"}


async def test_a_refresh_with_a_newer_sign_in_stays_as_well():
    world = World()
    world.began = 4.0
    async with serving(world, replace(QUICK, tops_interval=60)) as site, site.client("demo-a:60") as wire:
        world.began = 6.0
        assert (await wire.ask(refresh={"token": "demo-a:60"}))["refresh"]["ttl"] == 60
        world.out = [("demo-a", 5.0)]
        world.bus.publish(world.person_topic("demo-a"), b"")
        await wire.nothing(0.2)
        assert (await wire.ask(rpc={"method": "me"}))["rpc"] == {"data": "demo-a"}


async def test_the_bell_has_it_looked_at_at_once_and_one_query_serves_everybody():
    world = World()
    async with serving(world, replace(QUICK, tops_interval=60)) as site:
        async with site.client("demo-a") as one, site.client("demo-b") as two:
            before = world.calls["signed_out"]
            world.out = [("demo-a", 5.0), ("demo-b", 5.0)]
            world.bus.publish(world.person_topic("demo-a"), b"")
            assert (await one.closed())[0] == (await two.closed())[0] == 3503
            assert world.calls["signed_out"] == before + 1
            assert site.counters.malformed == 0


async def test_a_refresh_after_it_is_refused_for_good():
    world = World()
    async with serving(world, replace(QUICK, tops_interval=60)) as site, site.client("demo-a:60") as wire:
        world.refusing = Unauthorized("Sign in.")
        await wire.say({"id": 7, "refresh": {"token": "demo-a:60"}})
        assert await wire.closed() == (3500, "invalid token")

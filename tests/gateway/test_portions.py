"""Recovering much: in portions, as the reader takes them, within bounds, in few reads."""

import asyncio
from dataclasses import replace

from server.gateway.settings import GatewaySettings
from tests.gateway.asking import offsets, recover, ward
from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World


async def test_much_comes_in_portions_with_live_rows_behind():
    world = ward(1_800)
    async with serving(world) as site, site.client("demo-clinician", max_size=512 * 1024) as wire:
        result = (await recover(wire, 0))["subscribe"]
        assert (result["recovered"], offsets(result)) == (True, list(range(1, 501)))
        for _ in range(5):
            world.write("ward", "meanwhile")
        found = await wire.texts("ward", 1_305)
        assert [offset for offset, _ in found] == list(range(501, 1_806))


async def test_large_publications_come_in_small_portions():
    world = ward(90, text="x" * 20_000)
    async with serving(world) as site, site.client("demo-clinician", max_size=256 * 1024) as wire:
        result = (await recover(wire, 1))["subscribe"]
        got = offsets(result)
        assert 1 < len(got) < 20
        found = await wire.texts("ward", 89 - len(got))
        assert [offset for offset, _ in found] == list(range(got[-1] + 1, 91))
        world.write("ward", "next")
        assert await wire.texts("ward", 1) == [(91, "next")]


async def test_too_many_events_behind():
    world = ward(5_002)
    async with serving(world) as site, site.client("demo-clinician") as wire:
        assert (await recover(wire, 1, flag=2))["error"]["code"] == 112
        result = (await recover(wire, 1))["subscribe"]
        assert "recovered" not in result
        assert result["offset"] == 5_002


async def test_too_many_bytes_behind():
    world = ward(1_000, text="x" * 8_000)
    async with serving(world) as site, site.client("demo-clinician") as wire:
        assert (await recover(wire, 1, flag=2))["error"]["code"] == 112
        result = (await recover(wire, 1))["subscribe"]
        assert "recovered" not in result
        assert result["offset"] == 1_000
        world.write("ward", "next")
        assert await wire.texts("ward", 1) == [(1_001, "next")]


async def test_one_that_grows_while_it_is_sent_goes_on_from_where_it_got():
    """More than twice what one recovery carries: the client is told to come back, with the position it has by then."""
    world = ward(300, text="x" * 1_000)
    for _ in range(290):
        world.write("ward", "y" * 9_000)
    settings = replace(QUICK, recover_bytes=700_000)
    async with serving(world, settings) as site, site.client("demo-clinician") as wire:
        result = (await recover(wire, 100))["subscribe"]
        position = offsets(result)[-1]
        while True:
            push = await wire.push("ward")
            if "unsubscribe" in push:
                break
            position += 1
            assert push["pub"]["offset"] == position
        assert push["unsubscribe"]["code"] == 2500
        assert site.counters.resets == 1
        while position < 590:
            result = (await recover(wire, position))["subscribe"]
            assert result.get("recovered") or result["offset"] == 590
            if not result.get("recovered"):
                break
            position = offsets(result)[-1]


async def test_a_reader_who_waits_gets_the_rest_later():
    """Portions go out as the reader takes them, so a recovery of megabytes does not fill the outbox."""
    world = ward(300, text="x" * 10_000)
    async with serving(world) as site, site.client("demo-clinician", max_queue=1) as wire:
        result = (await recover(wire, 1))["subscribe"]
        await asyncio.sleep(0.3)
        calls = world.calls["since"]
        found = await wire.texts("ward", 299 - len(offsets(result)))
        assert found[-1][0] == 300
        assert world.calls["since"] > calls
        assert site.counters.aborted_readers == 0


async def test_a_failing_read_in_the_middle_of_portions():
    world = ward(1_200)
    async with serving(world) as site, site.client("demo-clinician") as wire:
        calls = [0]

        async def pause(name: str) -> None:
            if name == "since":
                calls[0] += 1
                if calls[0] > 2:
                    world.failing.add("since")

        world.pause = pause
        result = (await recover(wire, 0))["subscribe"]
        last = offsets(result)[-1]
        while True:
            push = await wire.push("ward")
            if "unsubscribe" in push:
                break
            last += 1
            assert push["pub"]["offset"] == last
        assert push["unsubscribe"]["code"] == 2500
        world.failing.clear()
        world.pause = lambda name: asyncio.sleep(0)
        result = (await recover(wire, last))["subscribe"]
        assert offsets(result)[0] == last + 1


async def test_many_channels_of_one_connection_are_read_together():
    world = World()
    for number in range(40):
        world.join(f"c{number}", "demo-clinician")
        for _ in range(10):
            world.write(f"c{number}", "x")
    settings = replace(QUICK, read_rows=300)
    async with serving(world, settings) as site, site.client("demo-clinician") as wire:
        world.calls.clear()
        await wire.say(
            *(
                {"id": n + 10, "subscribe": {"channel": f"c{n}", "recover": True, "offset": 1, "epoch": "e1"}}
                for n in range(40)
            )
        )
        for number in range(40):
            result = (await wire.reply(number + 10))["subscribe"]
            got = offsets(result)
            while len(got) < 10:
                got.append((await wire.push(f"c{number}"))["pub"]["offset"])
            assert got == list(range(2, 12))
        assert world.calls["subscribe"] == 1
        assert world.calls["since"] <= 3


async def test_subscribes_to_a_busy_channel_read_nothing():
    world = ward(10)
    async with serving(world) as site, site.client("demo-clinician") as first:
        await first.subscribe("ward")
        reads = site.counters.reads
        for _ in range(5):
            async with site.client("demo-clinician") as wire:
                assert (await wire.subscribe("ward"))["offset"] == 10
        assert site.counters.reads == reads


def test_defaults_keep_replies_small():
    """python SDKs up to 0.6 stop at 1 MiB, and design asks for replies under 256 KiB."""
    settings = GatewaySettings()
    assert settings.reply_bytes + 48_000 * 6 < 1024 * 1024
    assert settings.reply_bytes < 256 * 1024

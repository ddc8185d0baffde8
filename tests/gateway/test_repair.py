"""What the doorbell loses, doubles and reorders; removal that cuts at its offset, whether the bus rings or not."""

import asyncio
from dataclasses import replace

import pytest

from server.gateway.gateway import Gateway
from server.gateway.ports import LogRow
from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World

NO_TOPS = replace(QUICK, tops_interval=600)


def ward() -> World:
    world = World()
    world.join("ward", "demo-clinician")
    return world


async def test_a_lost_publication_on_a_quiet_channel_is_repaired():
    world = ward()
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.commit("ward", "lost")
        assert await wire.texts("ward", 1) == [(2, "lost")]
        assert site.counters.tops_behind == 1
        assert site.counters.gaps_repaired == 1


async def test_with_the_bus_silent_everything_still_arrives_in_order():
    world = ward()
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.bus.silent = True
        for number in range(1_200):
            world.write("ward", f"{number}")
        found = await wire.texts("ward", 1_200)
        assert [offset for offset, _ in found] == list(range(2, 1_202))


async def test_reordered_doubled_and_late_rows():
    world = ward()
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        two, three, four = (world.commit("ward", text) for text in ("two", "three", "four"))
        for row in (four, two, two, three, four, three):
            world.ring(row)
        assert await wire.texts("ward", 3) == [(2, "two"), (3, "three"), (4, "four")]
        await wire.nothing()
        assert site.counters.gaps == 1
        assert site.counters.duplicates >= 3


async def test_rows_held_behind_a_gap_follow_at_once():
    world = ward()
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        lost = world.commit("ward", "two")
        for number in range(3, 700):
            world.write("ward", f"{number}")
        found = await wire.texts("ward", 698)
        assert [offset for offset, _ in found] == list(range(2, 700))
        world.ring(lost)
        await wire.nothing()
        assert site.counters.reads <= 5


async def test_many_gaps_are_closed_in_one_read():
    world = World()
    for number in range(30):
        world.join(f"c{number}", "demo-clinician")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        for number in range(30):
            await wire.subscribe(f"c{number}")
        before = site.counters.reads
        for number in range(30):
            world.commit(f"c{number}", "lost")
        for number in range(30):
            assert await wire.texts(f"c{number}", 1) == [(2, "lost")]
        assert site.counters.reads - before <= 2


@pytest.mark.parametrize("silent", [False, True])
async def test_removal_cuts_exactly_at_its_offset(silent: bool):
    world = ward()
    membership = world.join("ward", "demo-patient", audience="patient")
    async with serving(world) as site:
        async with site.client("demo-patient") as gone, site.client("demo-clinician") as stays:
            await gone.subscribe("ward")
            await stays.subscribe("ward")
            world.bus.silent = silent
            world.write("ward", "before")
            world.remove("ward", membership)
            world.write("ward", "after")
            world.signal("ward", "seen", after=5)
            assert await gone.texts("ward", 1) == [(3, "before")]
            assert (await gone.push("ward"))["unsubscribe"] == {"code": 2000, "reason": "removed"}
            expected = [(3, "before"), (4, "left"), (5, "after")]
            assert await stays.texts("ward", 3) == expected
            await gone.find(lambda message: message["push"]["pub"]["data"].get("member") is False)
            await asyncio.sleep(0.3)
            assert not [message for message in gone.inbox if message["push"]["channel"] == "ward"]
            assert (await gone.ask(subscribe={"channel": "ward"}))["error"]["code"] == 102


async def test_a_local_write_behind_a_lost_removal_does_not_slip_through():
    """The removal was written elsewhere and its doorbell lost; the next message is written here."""
    world = ward()
    membership = world.join("ward", "demo-patient", audience="patient")
    async with serving(world, NO_TOPS) as site, site.client("demo-patient") as wire:
        await wire.subscribe("ward")
        world.bus.silent = True
        world.remove("ward", membership)
        world.bus.silent = False
        world.signal("ward", "seen after the removal", after=3)
        world.write("ward", "after")
        assert "unsubscribe" in await wire.push("ward")
        await asyncio.sleep(0.1)
        assert not [message for message in wire.inbox if message["push"]["channel"] == "ward"]


async def test_a_signal_that_comes_too_early_makes_the_hub_look():
    world = ward()
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.commit("ward", "lost")
        world.signal("ward", "seen", after=2)
        assert await wire.texts("ward", 1) == [(2, "lost")]


async def test_what_cannot_be_decoded_is_looked_up():
    world = ward()
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.commit("ward", "under a new key")
        world.bus.publish("t:org/ward", b"not a row")
        assert await wire.texts("ward", 1) == [(2, "under a new key")]
        assert site.counters.malformed == 1


async def test_a_defect_in_delivery_reaches_nobody_who_publishes(caplog: pytest.LogCaptureFixture):
    world = ward()
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        void, world.void = world.void, None  # type: ignore[assignment]
        world.write("ward", "for patients", audience="patient")
        world.bus.publish("p:demo-clinician", b"\xff")
        world.void = void
        world.write("ward", "fine")
        assert site.counters.malformed == 2
    assert "could not be delivered" in caplog.text


async def test_while_the_log_cannot_be_read_gaps_stay_open_and_are_closed_afterwards():
    world = ward()
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.failing |= {"since", "lately"}
        world.commit("ward", "lost")
        world.write("ward", "heard")
        await wire.nothing(0.5)
        world.failing.clear()
        assert await wire.texts("ward", 2) == [(2, "lost"), (3, "heard")]
        assert site.counters.gaps == 1


async def test_when_the_bus_is_back_the_tops_are_checked_at_once():
    world = ward()
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.commit("ward", "lost")
        await wire.nothing()
        world.bus.restored()
        assert await wire.texts("ward", 1) == [(2, "lost")]


async def test_a_gateway_that_is_far_behind_asks_its_clients_to_come_back():
    world = ward()
    async with serving(world, replace(QUICK, recover_events=50)) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.bus.silent = True
        for _ in range(60):
            world.write("ward", "lost")
        assert (await wire.push("ward"))["unsubscribe"]["code"] == 2500
        result = await wire.subscribe("ward", recover=True, offset=1, epoch="e1")
        assert "recovered" not in result


async def test_a_log_without_an_answer_does_not_make_the_hub_spin():
    world = ward()
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.ring(LogRow("org/ward", 5, None, None, (), (), "from nowhere"))
        await asyncio.sleep(0.1)
        reads = site.counters.reads
        await asyncio.sleep(0.1)
        assert site.counters.reads == reads
        world.write("ward", "two")
        assert await wire.texts("ward", 1) == [(2, "two")]


async def test_a_message_on_a_topic_that_was_just_left():
    async with serving(ward()) as site:
        site.gateway._received("t:org/ward", b"whatever")
        assert site.counters.malformed == 0


async def test_a_gateway_that_never_started_can_be_stopped():
    world = ward()
    await Gateway(world, world, world.bus, QUICK).stop()


async def test_the_first_check_must_succeed():
    world = ward()
    world.failing.add("lately")
    with pytest.raises(Exception, match="database is away"):
        async with serving(world):
            pass

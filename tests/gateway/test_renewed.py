"""A log that is another one than the gateway knows: until it has learned of that, nothing of the one goes out under the epoch
of the other. The check of every second is far away in these tests: whoever notices must call for it."""

from dataclasses import replace

import pytest

from tests.gateway.asking import recover, ward
from tests.gateway.wire import QUICK, Wire, serving
from tests.gateway.world import World

NO_TOPS = replace(QUICK, tops_interval=600)
ENDED = {"code": 2500, "reason": "insufficient state"}

pytestmark = pytest.mark.catalogue("R12", "R13")


async def anew(world: World, wire: Wire, position: int) -> None:
    """A position of the old log is answered out of the new one, and not gone on from."""
    result = (await recover(wire, position))["subscribe"]
    assert (result["epoch"], result.get("recovered"), result["offset"]) == ("e2", None, world.room("ward").top)
    row = world.write("ward", "next")
    assert await wire.texts("ward", 1) == [(row.offset, "next")]


@pytest.mark.parametrize("position", [3, 5, 6])
@pytest.mark.parametrize("alone", [True, False])
async def test_no_position_is_gone_on_from_in_another_log(position: int, alone: bool):
    """Where somebody listens already, position 6 could be answered without a read: it is the top that the gateway knows."""
    world = ward(6)
    async with (
        serving(world, NO_TOPS) as site,
        site.client("demo-clinician") as stays,
        site.client("demo-clinician") as wire,
    ):
        if not alone:
            await stays.subscribe("ward")
        world.renew("ward", 4, "other", "words", "here")
        error = (await recover(wire, position))["error"]
        assert (error["code"], error["temporary"]) == (100, True)
        if not alone:
            assert (await stays.push())["unsubscribe"] == ENDED
        await anew(world, wire, position)


async def test_a_grant_of_the_old_log_that_comes_late_opens_nothing():
    world = ward(6)
    paused = []

    async def pause(name: str) -> None:
        paused.append(name)
        if paused.count("subscribe") == 2 and world.next_epoch == "e1":  # judged, but not told yet
            world.renew("ward", 4)
            await site.gateway._tops.check()

    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        world.pause = pause
        error = (await recover(wire, 6))["error"]
        assert (error["code"], error["temporary"]) == (100, True)
        await anew(world, wire, 6)


async def test_a_gap_is_not_filled_out_of_another_log():
    world = ward(6)
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.renew("ward", 4, "other", "words", "here")
        site.gateway._hub.notice(site.gateway._channels.get("org/ward"), 7)
        assert (await wire.push())["unsubscribe"] == ENDED
        await anew(world, wire, 6)
        await wire.nothing()


async def test_what_the_doorbell_carries_of_another_log_is_not_delivered():
    world = ward(6)
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.renew("ward", 4, "other", "words")
        world.write("ward", "here")
        assert (await wire.push())["unsubscribe"] == ENDED
        await anew(world, wire, 6)


async def test_no_page_of_the_history_comes_out_of_another_log():
    world = ward(6)
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.renew("ward", 4, "other")
        wish = {"channel": "ward", "limit": 10, "since": {"offset": 2, "epoch": "e1"}}
        error = (await wire.ask(history=wish))["error"]
        assert (error["code"], error["temporary"]) == (100, True)
        assert (await wire.push())["unsubscribe"] == ENDED
        await wire.subscribe("ward")
        assert (await wire.ask(history=wish))["error"]["code"] == 112
        wish["since"] = {"offset": 2, "epoch": "e2"}
        page = (await wire.ask(history=wish))["history"]
        assert [one["data"]["text"] for one in page["publications"]] == ["text 3", "text 4", "other"]


async def test_a_read_that_was_under_way_when_the_log_was_renewed_is_not_used():
    world = ward(6)
    async with serving(world, NO_TOPS) as site, site.client("demo-clinician") as wire:

        async def pause(name: str) -> None:
            if name == "since" and world.next_epoch == "e1":
                world.renew("ward", 4)

        world.pause = pause
        error = (await recover(wire, 3))["error"]
        assert (error["code"], error["temporary"]) == (100, True)
        await anew(world, wire, 3)

"""Recovery over real sockets: positions, portions, floors, cuts in the middle, and what cannot be continued."""

from dataclasses import replace

import pytest

from tests.gateway.asking import offsets, recover, ward
from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World


async def test_what_was_missed_comes_in_the_reply():
    world = ward(7)
    async with serving(world) as site, site.client("demo-clinician") as wire:
        result = (await recover(wire, 4))["subscribe"]
        assert result == {
            "recoverable": True, "positioned": True, "epoch": "e1", "offset": 4, "was_recovering": True, "recovered": True,
            "publications": [
                {"data": {"text": f"text {offset}", "for": "staff"}, "offset": offset} for offset in (5, 6, 7)
            ],
        }  # fmt: skip
        world.write("ward", "next")
        assert await wire.texts("ward", 1) == [(8, "next")]
        assert site.counters.recoveries == 1


async def test_nothing_was_missed():
    world = ward(7)
    async with serving(world) as site, site.client("demo-clinician") as wire:
        result = (await recover(wire, 7))["subscribe"]
        assert result["recovered"]
        assert "publications" not in result


@pytest.mark.catalogue("R22")
@pytest.mark.parametrize(("offset", "epoch"), [(8, "e1"), (3, "e0"), (3, "_"), (2**63, "e1")])
async def test_positions_that_mean_nothing_here(offset: int, epoch: str):
    world = ward(7)
    async with serving(world) as site, site.client("demo-clinician") as wire:
        assert (await recover(wire, offset, epoch, flag=3))["error"] == {
            "code": 112,
            "message": "unrecoverable position",
        }
        result = (await recover(wire, offset, epoch, flag=1))["subscribe"]
        assert result == {"recoverable": True, "positioned": True, "epoch": "e1", "offset": 7, "was_recovering": True}
        world.write("ward", "next")
        assert await wire.texts("ward", 1) == [(8, "next")]
        assert site.counters.unrecovered == 2


async def test_the_beginning_is_the_floor():
    world = ward(5)
    world.join("ward", "late-patient", audience="patient", hidden=True)
    world.write("ward", "edit", target=3)
    async with serving(world) as site, site.client("late-patient") as wire:
        result = (await recover(wire, 0, ""))["subscribe"]
        assert (result["offset"], offsets(result)) == (5, [6, 7])
        assert result["publications"][1]["data"] == {"type": "void"}
        await wire.ask(unsubscribe={"channel": "ward"})
        assert "recovered" not in (await recover(wire, 4))["subscribe"]
        await wire.ask(unsubscribe={"channel": "ward"})
        assert (await recover(wire, 0, flag=2))["error"]["code"] == 112


async def test_from_the_beginning_of_an_empty_channel():
    world = World()
    world.join("ward", "demo-clinician")
    world.room("ward").rows.clear()
    async with serving(world) as site, site.client("demo-clinician") as wire:
        result = (await recover(wire, 0, ""))["subscribe"]
        assert result == {
            "recoverable": True, "positioned": True, "epoch": "e1", "was_recovering": True, "recovered": True,
        }  # fmt: skip


async def test_a_cut_in_the_middle_of_what_was_missed():
    """Removed between the grant and the read: what came before is theirs, then nothing is."""
    world = ward(4)
    membership = world.join("ward", "demo-patient", audience="patient")

    async def pause(name: str) -> None:
        if name == "since" and membership.active:
            world.bus.silent = True
            world.write("ward", "still mine")
            world.remove("ward", membership)
            world.write("ward", "no longer")

    async with serving(world, replace(QUICK, tops_interval=60)) as site, site.client("demo-patient") as wire:
        world.pause = pause
        result = (await recover(wire, 3))["subscribe"]
        assert offsets(result) == [4, 5, 6]
        assert (await wire.push("ward"))["unsubscribe"] == {"code": 2000, "reason": "removed"}
        told = await wire.push()  # a badge of theirs no more; the fact is all they learn
        assert (told["channel"], told["pub"]["data"]["member"]) == ("#demo-patient", False)
        await wire.nothing()
        assert (await recover(wire, 6))["error"]["code"] == 102
        assert site.counters.cuts == 1


async def test_rows_written_between_the_grant_and_the_answer():
    world = ward(4)
    again = [True]

    async def pause(name: str) -> None:
        if name == "since" and again.pop():
            again.append(False)
            world.write("ward", "between")

    for recovering in (True, False):
        again[:] = [True]
        async with serving(world) as site, site.client("demo-clinician") as wire:
            world.pause = pause
            top = world.room("ward").top
            if recovering:
                assert offsets((await recover(wire, top))["subscribe"]) == [top + 1]
            else:
                assert (await wire.subscribe("ward"))["offset"] == top
                assert await wire.texts("ward", 1) == [(top + 1, "between")]
            await wire.nothing()


async def test_rows_whose_doorbell_was_lost_between_the_grant_and_the_answer():
    world = ward(4)

    async def pause(name: str) -> None:
        if name == "since":
            world.pause = still
            world.commit("ward", "unheard")

    async def still(name: str) -> None:
        return

    async with serving(world, replace(QUICK, tops_interval=600)) as site, site.client("demo-clinician") as wire:
        world.pause = pause
        assert (await wire.subscribe("ward"))["offset"] == 4
        assert await wire.texts("ward", 1) == [(5, "unheard")]
        world.write("ward", "heard")
        assert await wire.texts("ward", 1) == [(6, "heard")]
        assert site.counters.reads == 1
        assert site.counters.resets == 0


async def test_catching_up_comes_to_an_end_while_rows_keep_coming():
    world = ward(4)
    written = [0]

    async def pause(name: str) -> None:
        if name == "since":
            written[0] += 1
            world.write("ward", "one more")

    async with serving(world) as site, site.client("demo-clinician") as wire:
        world.pause = pause
        result = (await recover(wire, 1))["subscribe"]
        assert offsets(result) == [2, 3, 4, 5, 6]
        await wire.nothing()
        assert (written[0], site.counters.reads) == (2, 1)


async def test_a_new_epoch_ends_every_subscription():
    world = ward(4)
    world.join("other", "demo-clinician")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        await wire.subscribe("other")
        world.next_epoch = "e2"
        for _ in range(2):
            assert (await wire.push())["unsubscribe"] == {"code": 2500, "reason": "insufficient state"}
        result = (await recover(wire, 4))["subscribe"]
        assert (result["epoch"], result["was_recovering"]) == ("e2", True)
        assert "recovered" not in result
        assert site.counters.resets == 2


async def test_a_new_epoch_in_the_middle_of_subscribing_is_a_temporary_error():
    world = ward(4)

    async def pause(name: str) -> None:
        if name == "since":
            world.next_epoch = "e2"
            await site.gateway._tops.check()

    async with serving(world, replace(QUICK, tops_interval=60)) as site, site.client("demo-clinician") as wire:
        world.pause = pause
        error = (await recover(wire, 3))["error"]
        assert (error["code"], error["temporary"]) == (100, True)
        assert site.counters.subscriptions == 0


async def test_a_log_that_has_lost_its_older_rows():
    world = ward(20)
    world.trimmed = 10
    async with serving(world) as site, site.client("demo-clinician") as wire:
        assert (await recover(wire, 5, flag=2))["error"]["code"] == 112
        result = (await recover(wire, 5))["subscribe"]
        assert "recovered" not in result
        assert result["offset"] == 20
        world.write("ward", "next")
        assert await wire.texts("ward", 1) == [(21, "next")]
        world.bus.silent = True
        for _ in range(3):
            world.write("ward", "lost for good")
        world.trimmed = 23
        assert (await wire.push("ward"))["unsubscribe"]["code"] == 2500


async def test_a_log_that_is_behind_its_own_grant():
    world = ward(4)

    async with serving(world) as site, site.client("demo-clinician") as wire, site.client("demo-clinician") as other:
        await other.subscribe("ward")
        world.bus.silent = True
        world.commit("ward", "not yet readable")
        world.trimmed = 5
        error = (await wire.ask(subscribe={"channel": "ward"}))["error"]
        assert (error["code"], error["temporary"]) == (100, True)

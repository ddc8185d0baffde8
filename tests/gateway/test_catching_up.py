"""Recovery over real sockets: positions, portions, floors, cuts in the middle, and what cannot be continued."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from server.gateway.settings import GatewaySettings
from tests.gateway.wire import QUICK, Wire, serving
from tests.gateway.world import World


def ward(rows: int = 0, text: str = "") -> World:
    """A ward with the demo clinician in it, and rows up to that offset."""
    world = World()
    world.join("ward", "demo-clinician")
    for offset in range(2, rows + 1):
        world.write("ward", text or f"text {offset}")
    return world


async def recover(wire: Wire, offset: int, epoch: str = "e1", **more: Any) -> dict[str, Any]:
    return await wire.ask(subscribe={"channel": "ward", "recover": True, "offset": offset, "epoch": epoch, **more})


def offsets(result: dict[str, Any]) -> list[int]:
    return [publication["offset"] for publication in result.get("publications", [])]


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

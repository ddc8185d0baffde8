"""The gateway over real sockets: connecting, subscribing, live delivery, and what each viewer sees."""

import asyncio

import pytest

from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World


async def test_a_day_on_the_ward():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, site.client() as wire:
        welcome = await wire.hello("demo-clinician")
        assert welcome["client"]
        assert welcome["data"] == {"hello": True}
        assert welcome["subs"] == {"#demo-clinician": {}}
        assert (welcome["ping"], welcome["pong"]) == (25, True)
        assert "expires" not in welcome
        assert await wire.subscribe("ward") == {"recoverable": True, "positioned": True, "epoch": "e1", "offset": 1}
        world.write("ward", "one")
        world.write("ward", "two")
        assert await wire.texts("ward", 2) == [(2, "one"), (3, "two")]
        assert (await wire.ask(rpc={"method": "echo", "data": {"a": 1}}))["rpc"] == {"data": {"a": 1}}
        assert (await wire.ask(unsubscribe={"channel": "ward"}))["unsubscribe"] == {}
        world.write("ward", "three")
        hint = await wire.push()
        assert hint == {
            "channel": "#demo-clinician",
            "pub": {"data": {"channel": "org/ward", "member": True, "top": 4}},
        }
        await wire.nothing()
        assert site.counters.connections == 1
        assert site.counters.subscriptions == 0


async def test_connect_and_subscribes_in_one_frame():
    """As the JavaScript SDK does it: answers in order, one look-up for all of them."""
    world = World()
    for name in "abc":
        world.join(name, "demo-clinician")
    async with serving(world) as site, site.client() as wire:
        world.calls.clear()
        await wire.say(
            {"id": 1, "connect": {"token": "demo-clinician", "name": "js"}},
            *({"id": number, "subscribe": {"channel": name}} for number, name in enumerate("abcx", 2)),
            {"id": 9, "rpc": {"method": "me"}},
        )
        replies = [await wire.find(lambda message: "id" in message) for _ in range(6)]
        assert "connect" in replies[0]
        by_id = {reply["id"]: reply for reply in replies}
        assert all("subscribe" in by_id[number] for number in (2, 3, 4))
        assert by_id[5]["error"] == {"code": 102, "message": "No such channel."}
        assert by_id[9]["rpc"] == {"data": "demo-clinician"}
        assert (world.calls["subscribe"], world.calls["since"]) == (1, 1)


@pytest.mark.parametrize(("token", "code"), [("expired", 109), (None, 3501), ("", 3501), ("forged", 3500)])
async def test_tokens(token: str | None, code: int):
    async with serving(World()) as site, site.client() as wire:
        await wire.say({"id": 1, "connect": {"token": token}}, {"id": 2, "rpc": {"method": "echo"}})
        if code == 109:
            assert (await wire.reply(1))["error"] == {"code": 109, "message": "The token has expired."}
            await wire.nothing()
        else:
            assert await wire.closed() == (code, "invalid token" if token else "bad request")


@pytest.mark.parametrize("failing", ["connect", "watched", "connect!"])
async def test_connecting_while_the_database_is_away_is_a_temporary_error(failing: str):
    world = World()
    world.failing.add(failing)
    async with serving(world) as site, site.client() as wire:
        error = (await wire.ask(connect={"token": "demo-clinician"}))["error"]
        assert (error["code"], error["temporary"]) == (100, True)


async def test_what_was_written_here_together_comes_in_order_and_stops_where_a_membership_ends():
    world = World()
    world.join("ward", "demo-clinician")
    leaving = world.join("ward", "demo-patient", audience="patient")
    async with serving(world) as site, site.client("demo-clinician") as stays, site.client("demo-patient") as leaves:
        for wire in (stays, leaves):
            await wire.subscribe("ward")
        site.gateway.told(
            [
                world.commit("ward", "one"),
                world.commit("ward", "for staff", audience="staff"),
                world.commit("ward", "gone", ends=(leaving.id,)),
                world.commit("ward", "two"),
            ]
        )
        assert await stays.texts("ward", 4) == [(3, "one"), (4, "for staff"), (5, "gone"), (6, "two")]
        assert await leaves.texts("ward", 2) == [(3, "one"), (4, "void")]
        assert (await leaves.push("ward"))["unsubscribe"]["code"] == 2000
        with pytest.raises(TimeoutError):
            await leaves.push("ward", within=0.1)


async def test_each_audience_sees_its_own_and_voids_keep_the_count():
    world = World()
    world.join("ward", "demo-clinician")
    world.join("ward", "demo-patient", audience="patient")
    world.write("ward", "old")
    world.join("ward", "late-patient", audience="patient", hidden=True)
    async with serving(world) as site:
        async with site.client("demo-clinician") as staff, site.client("demo-patient") as patient:
            async with site.client("late-patient") as late:
                for wire in (staff, patient, late):
                    await wire.subscribe("ward")
                world.write("ward", "for all")
                world.write("ward", "for staff", audience="staff")
                world.write("ward", "edit of old", target=3)
                world.write("ward", "edit of late", target=5, audience="patient")
                assert await staff.texts("ward", 4) == [
                    (5, "for all"),
                    (6, "for staff"),
                    (7, "edit of old"),
                    (8, "void"),
                ]
                assert await patient.texts("ward", 4) == [
                    (5, "for all"),
                    (6, "void"),
                    (7, "edit of old"),
                    (8, "edit of late"),
                ]
                assert await late.texts("ward", 4) == [(5, "for all"), (6, "void"), (7, "void"), (8, "edit of late")]


async def test_signals_pass_without_moving_anything():
    world = World()
    world.join("ward", "demo-clinician")
    world.join("ward", "demo-patient", audience="patient")
    world.join("ward", "late-patient", audience="patient", hidden=True)
    async with serving(world) as site:
        async with site.client("demo-clinician") as staff, site.client("demo-patient") as patient:
            async with site.client("late-patient") as late:
                for wire in (staff, patient, late):
                    await wire.subscribe("ward")
                world.signal("ward", "seen by staff", audience="staff")
                world.signal("ward", "seen", target=2)
                world.write("ward", "next")
                assert await staff.texts("ward", 3) == [(0, "seen by staff"), (0, "seen"), (4, "next")]
                assert await patient.texts("ward", 2) == [(0, "seen"), (4, "next")]
                assert await late.texts("ward", 1) == [(4, "next")]


async def test_a_row_that_cannot_be_read_is_a_void_and_an_alarm(caplog: pytest.LogCaptureFixture):
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        await wire.subscribe("ward")
        world.lost_rows.add(("org/ward", 2))
        world.write("ward", "tampered with")
        world.write("ward", "fine")
        assert await wire.texts("ward", 2) == [(2, "void"), (3, "fine")]
        assert site.counters.unreadable == 1
    assert "event 2 of channel org/ward cannot be read" in caplog.text


async def test_operations():
    world = World()
    async with serving(world) as site, site.client("demo-clinician") as wire:
        assert (await wire.ask(rpc={"method": "pretty"}))["rpc"] == {"data": {"a": 1}}
        assert (await wire.ask(rpc={"method": "forbidden"}))["error"] == {"code": 403, "message": "You may not."}
        assert (await wire.ask(rpc={"method": "none"}))["error"]["code"] == 108
        broken = (await wire.ask(rpc={"method": "boom"}))["error"]
        assert (broken["code"], broken["temporary"]) == (100, True)
        assert "defect" not in broken["message"]


async def test_operations_begin_in_order_so_many_at_once():
    world = World()
    settings = QUICK.__class__(rpc_in_flight=4, rpc_waiting=6, rpc_waiting_bytes=100)
    async with serving(world, settings) as site, site.client("demo-clinician") as wire:
        await wire.say(*({"id": number, "rpc": {"method": "wait", "data": number}} for number in range(10, 22)))
        assert (await wire.reply(20))["error"]["code"] == 111
        assert (await wire.reply(21))["error"] == {
            "code": 111, "message": "Too many commands at once. Try again in a moment.", "temporary": True,
        }  # fmt: skip
        assert world.seen_rpc == ["wait"] * 4
        await wire.say({"id": 30, "unsubscribe": {"channel": "x"}})
        assert (await wire.reply(30))["unsubscribe"] == {}
        world.gate.set()
        for number in range(10, 20):
            assert (await wire.reply(number))["rpc"] == {"data": number}
        world.gate.clear()
        await wire.say(*({"id": number, "rpc": {"method": "wait", "data": "x" * 60}} for number in range(40, 46)))
        assert (await wire.reply(45))["error"]["code"] == 111


async def test_an_operation_that_has_begun_is_finished_when_its_connection_is_gone():
    world = World()
    settings = QUICK.__class__(rpc_in_flight=1)
    async with serving(world, settings) as site:
        async with site.client("demo-clinician") as wire:
            await wire.say({"id": 10, "rpc": {"method": "wait"}}, {"id": 11, "rpc": {"method": "echo"}})
            while world.seen_rpc != ["wait"]:
                await asyncio.sleep(0.01)
        while site.counters.connections:
            await asyncio.sleep(0.01)
        assert len(site.gateway._parts.tasks) == 1
        world.gate.set()
        await asyncio.sleep(0.05)
        assert not site.gateway._parts.tasks
        assert world.seen_rpc == ["wait"]

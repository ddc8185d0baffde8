"""Questions about a channel over the wire: its history, leave to publish, subscription tokens, joins and leaves."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.gateway.asking import offsets, ward
from tests.gateway.wire import QUICK, Wire, serving
from tests.gateway.world import World


async def history(wire: Wire, **asked: Any) -> dict[str, Any]:
    return (await wire.ask(history={"channel": "ward", **asked}))["history"]


async def code(wire: Wire, **request: Any) -> int:
    return int((await wire.ask(**request))["error"]["code"])


async def test_pages_forward_and_back_and_where_it_stands():
    async with serving(ward(10)) as site, site.client("demo-clinician") as wire:
        assert await history(wire) == {"publications": [], "epoch": "e1", "offset": 10}
        first = await history(wire, limit=4)
        assert (offsets(first), first["offset"], first["epoch"]) == ([1, 2, 3, 4], 10, "e1")
        assert first["publications"][3]["data"] == {"text": "text 4", "for": "staff"}
        assert offsets(await history(wire, limit=4, since={"offset": 4, "epoch": "e1"})) == [5, 6, 7, 8]
        assert offsets(await history(wire, limit=4, reverse=True)) == [10, 9, 8, 7]
        assert offsets(await history(wire, limit=4, since={"offset": 7, "epoch": "e1"}, reverse=True)) == [6, 5, 4, 3]
        assert offsets(await history(wire, limit=-1)) == list(range(1, 11))
        assert await code(wire, history={"channel": "ward", "since": {"offset": 4, "epoch": "e0"}}) == 112
        assert await code(wire, history={"channel": "nowhere"}) == 102
        assert await code(wire, history={"channel": "forbidden"}) == 103


async def test_a_page_is_no_larger_than_a_reply_may_be_and_begins_at_the_floor():
    world = ward(30, "x" * 1_000)
    world.join("ward", "demo-patient", "patient", hidden=True)
    world.write("ward", "seen")
    world.write("ward", "for staff", audience="staff")
    world.write("ward", "changed", target=3)
    settings = replace(QUICK, reply_bytes=5_000)
    async with serving(world, settings) as site, site.client("demo-clinician") as wire:
        page = offsets(await history(wire, limit=-1))
        assert page == list(range(1, len(page) + 1))
        assert 3 <= len(page) <= 6
        async with site.client("demo-patient") as theirs:
            page = (await history(theirs, limit=-1))["publications"]
            assert [pub["offset"] for pub in page] == [31, 32, 33, 34]
            assert [pub["data"].get("text", "void") for pub in page] == ["joined", "seen", "void", "void"]
            assert offsets(await history(theirs, limit=9, since={"offset": 2, "epoch": "e1"})) == [31, 32, 33, 34]


async def test_who_is_removed_while_the_page_is_read_gets_none():
    world = ward(3)
    member = world.join("ward", "demo-patient", "patient")
    async with serving(world) as site, site.client("demo-patient") as wire:

        async def remove(call: str) -> None:
            if call == "since" and member.active:
                world.remove("ward", member)
                world.room("ward").rows[-2], world.room("ward").rows[-1] = (
                    world.room("ward").rows[-1],
                    world.room("ward").rows[-2],
                )

        world.pause = remove
        assert await code(wire, history={"channel": "ward", "limit": 9}) == 102


async def test_what_fails_is_said_to_be_for_now(caplog: pytest.LogCaptureFixture):
    world = ward(3)
    async with serving(world) as site, site.client("demo-clinician") as wire:
        world.failing = {"history"}
        assert await code(wire, history={"channel": "ward"}) == 100
        world.failing = {"history!"}
        refused = (await wire.ask(history={"channel": "ward"}))["error"]
        assert (refused["code"], refused["temporary"]) == (100, True)
        assert "a question could not be answered" in caplog.text
        world.failing = set()
        assert (await history(wire))["offset"] == 3


async def test_publishing_is_the_policys_to_allow():
    async with serving(ward()) as site, site.client("demo-clinician") as wire:
        assert await code(wire, publish={"channel": "ward", "data": "early"}) == 103
        await wire.subscribe("ward")
        assert (await wire.ask(publish={"channel": "ward", "data": "said"}))["publish"] == {}
        push = await wire.push("ward")
        assert push["pub"]["data"] == {"text": "said", "for": "staff"}
        assert push["pub"]["info"]["user"] == "demo-clinician"
        page = (await history(wire, limit=1, reverse=True))["publications"]
        assert page == [push["pub"]]
        assert await code(wire, publish={"channel": "ward"}) == 107


async def test_a_subscription_token_is_asked_for_anew_and_its_end_is_the_subscriptions():
    settings = replace(QUICK, refresh_grace=0.05)
    async with serving(ward(), settings) as site, site.client("demo-clinician") as wire:
        stood = await wire.subscribe("ward", token="1")
        assert (stood["expires"], stood["ttl"]) == (True, 1)
        answer = (await wire.ask(sub_refresh={"channel": "ward", "token": ":600"}))["sub_refresh"]
        assert answer == {"expires": True, "ttl": 600}
        # As centrifuge-python 0.5.0 asks: the channel is in the token alone.
        answer = (await wire.ask(sub_refresh={"token": "ward:1"}))["sub_refresh"]
        assert answer == {"expires": True, "ttl": 1}
        push = await wire.push("ward")
        assert push["unsubscribe"] == {"code": 2501, "reason": "subscription expired"}
        site.world.write("ward", "later")
        await wire.ask(rpc={"method": "echo", "data": 1})
        assert [message for message in wire.inbox if message["push"]["channel"] == "ward"] == []
        assert await code(wire, sub_refresh={"channel": "ward", "token": ":9"}) == 103
        assert "expires" not in await wire.subscribe("ward")


async def test_subscription_tokens_that_are_no_good():
    async with serving(ward()) as site:
        async with site.client("demo-clinician") as wire:
            assert await code(wire, subscribe={"channel": "ward", "token": "expired"}) == 109
            await wire.subscribe("ward", token="600")
            assert await code(wire, sub_refresh={"channel": "ward", "token": "refused"}) == 103
            assert (await wire.ask(sub_refresh={"channel": "ward", "token": "expired"}))["sub_refresh"] == {}
            assert (await wire.push("ward"))["unsubscribe"]["code"] == 2501
            await wire.say({"id": 90, "sub_refresh": {"channel": "ward", "token": "forged"}})
            assert await wire.closed() == (3500, "invalid token")
        async with site.client("demo-clinician") as wire:
            await wire.say({"id": 90, "subscribe": {"channel": "ward", "token": "mismatched"}})
            assert await wire.closed() == (3500, "invalid token")


async def test_those_who_ask_hear_who_comes_and_goes_if_they_may():
    world = World()
    for channel in ("ward", "noisy"):
        for person in ("demo-clinician", "demo-nurse"):
            world.join(channel, person)
        world.join(channel, "demo-patient", "patient")
    async with (
        serving(world) as site,
        site.client("demo-clinician") as asks,
        site.client("demo-clinician") as silent,
        site.client("demo-patient") as patient,
    ):
        await asks.subscribe("ward", join_leave=True)
        own = (await asks.push("ward"))["join"]["info"]
        assert own["user"] == "m0-ward"
        await silent.subscribe("ward")
        assert (await asks.push("ward"))["join"]["info"]["user"] == "m0-ward"
        await patient.subscribe("ward", join_leave=True)
        async with site.client("demo-nurse") as nurse:
            await nurse.subscribe("ward")
            joined = (await asks.push("ward"))["join"]["info"]
            assert joined["user"] == "m1-ward"
            await nurse.ask(unsubscribe={"channel": "ward"})
            assert (await asks.push("ward"))["leave"]["info"] == joined
            await nurse.subscribe("ward")
            await asks.push("ward")
        assert (await asks.push("ward"))["leave"]["info"]["user"] == "m1-ward"
        await patient.ask(unsubscribe={"channel": "ward"})
        for wire in (asks, silent, patient):
            await wire.ask(rpc={"method": "echo", "data": 1})
            assert [one for one in wire.inbox if {"join", "leave"} & set(one["push"])] == []
        # Where the Policy says so they are pushed unasked.
        await silent.subscribe("noisy")
        assert (await silent.push("noisy"))["join"]["info"]["user"] == "m0-noisy"


async def test_joins_beyond_the_rate_are_dropped_and_events_are_not():
    settings = replace(QUICK, joins=replace(QUICK.joins, per_second=0.01, burst=2))
    world = ward()
    async with serving(world, settings) as site, site.client("demo-clinician") as wire:
        for _ in range(5):
            await wire.subscribe("ward", join_leave=True)
            await wire.ask(unsubscribe={"channel": "ward"})
        await wire.subscribe("ward", join_leave=True)
        world.write("ward", "said")
        assert len([message for message in wire.inbox if "join" in message["push"]]) == 1
        assert (await wire.find(lambda message: "pub" in message.get("push", {})))["push"]["pub"]["data"][
            "text"
        ] == "said"


async def test_who_is_there_without_a_board_is_who_is_here():
    world = ward()
    world.join("ward", "demo-patient", "patient")
    async with serving(world) as site, site.client("demo-clinician") as wire:
        assert (await wire.ask(presence={"channel": "ward"}))["presence"] == {"presence": {}}
        await wire.subscribe("ward")
        async with site.client("demo-clinician") as other, site.client("demo-patient") as patient:
            await other.subscribe("ward")
            await patient.subscribe("ward")
            there = (await wire.ask(presence={"channel": "ward"}))["presence"]["presence"]
            assert len(there) == 2
            assert all(info == {"user": "m0-ward", "client": client} for client, info in there.items())
            stats = (await wire.ask(presence_stats={"channel": "ward"}))["presence_stats"]
            assert stats == {"num_clients": 2, "num_users": 1}
            for name in ("presence", "presence_stats"):
                assert await code(patient, **{name: {"channel": "ward"}}) == 103
        async with asyncio.timeout(2):
            while (await wire.ask(presence_stats={"channel": "ward"}))["presence_stats"]["num_clients"] != 1:
                await asyncio.sleep(0.01)
        assert await code(wire, presence={"channel": "nowhere"}) == 102

"""How many commands one connection may give: the machine without a socket, and a flood over one."""

import json
from dataclasses import replace

import pytest

from server.gateway import protocol as p
from server.gateway.effects import Call, Close
from server.limits import Rate
from tests.gateway.machine import OVER, ask, codes, opened
from tests.gateway.wire import QUICK, serving
from tests.gateway.world import World

TIGHT = {"commands": Rate(10, 5), "commands_refused": Rate(1, 3)}


def test_a_burst_is_taken_then_refused_then_it_is_over() -> None:
    connection = opened(**TIGHT)  # type: ignore[arg-type]
    effects = ask(connection, *(p.Rpc(number, "a", b"") for number in range(1, 20)))
    assert [effect.id for effect in effects if isinstance(effect, Call)] == [1, 2, 3, 4, 5]
    assert codes(effects) == [111] * 3
    assert effects[-1] == Close(OVER.TOO_MANY_REQUESTS)
    assert len(effects) == 9
    assert connection.closed


def test_who_slows_down_is_taken_again() -> None:
    connection = opened(**TIGHT)  # type: ignore[arg-type]
    ask(connection, *(p.Rpc(number, "a", b"") for number in range(1, 8)))
    assert ask(connection, p.Rpc(9, "a", b""), now=102.2) == [Call(9, "a", b"")]


def test_pongs_to_nothing_are_dropped_and_then_it_is_over() -> None:
    connection = opened(**TIGHT)  # type: ignore[arg-type]
    assert ask(connection, *[p.Pong()] * 8) == []
    assert ask(connection, p.Pong()) == [Close(OVER.TOO_MANY_REQUESTS)]


def test_what_came_with_the_connect_command_counts() -> None:
    connection = opened(**TIGHT)  # type: ignore[arg-type]
    effects = ask(connection, *(p.Subscribe(number, f"c{number}") for number in range(1, 7)))
    assert codes(effects) == [111]


@pytest.mark.catalogue("S25")
async def test_a_thousand_commands_a_second_end_and_the_neighbour_hears_everything() -> None:
    world = World()
    world.join("ward", "victim")
    settings = replace(QUICK, commands=Rate(100, 300), commands_refused=Rate(1, 100))
    async with serving(world, settings) as site, site.client("victim") as victim, site.client("flooder") as flooder:
        await victim.subscribe("ward")
        for start in range(10, 1_010, 100):
            await flooder.say(*({"id": start + one, "rpc": {"method": "echo", "data": 1}} for one in range(100)))
            world.write("ward", str(start))
        assert await flooder.closed() == (3013, "too many requests")
        told = [message.get("error", {}).get("code", 0) for message in flooder.inbox]
        assert told.count(111) == 100
        assert len(world.seen_rpc) <= 420
        assert len(await victim.texts("ward", 10)) == 10
        assert (await victim.ask(rpc={"method": "echo", "data": 2}))["rpc"]["data"] == 2


@pytest.mark.catalogue("S25")
async def test_ten_thousand_subscribes() -> None:
    world = World()
    for number in range(60):
        world.join(f"c{number}", "flooder")
    settings = replace(QUICK, max_subscriptions=50, commands=Rate(100, 550))
    async with serving(world, settings) as site, site.client("flooder") as flooder:
        number = 10
        for frame in range(100):
            wishes = []
            for one in range(100):
                number += 1
                wishes.append({"id": number, "subscribe": {"channel": f"c{(frame * 100 + one) % 10_000}"}})
            try:
                await flooder.socket.send("\n".join(json.dumps(wish) for wish in wishes))
            except Exception:  # it is over
                break
        assert (await flooder.closed())[0] == 3013
        told = [message.get("error", {}).get("code", 0) for message in flooder.inbox if "id" in message]
        assert told.count(0) <= 50
        assert {106, 111} <= set(told)
        assert site.counters.subscriptions <= 50

"""Who may come in, and when: the line of those who connect, how many connections a person has, and who is not known yet."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.errors import TooMany
from server.gateway.doors import BUSY, Turnstile
from server.gateway.porch import Porch
from server.limits import Rate
from tests.gateway.raw import Raw
from tests.gateway.wire import QUICK, Site, Wire, serving
from tests.gateway.world import World


async def inside(turnstile: Turnstile, entered: list[int], number: int, alive: list[bool] | None = None) -> None:
    async with turnstile.turn(lambda: alive is None or alive[0]):
        entered.append(number)
        await asyncio.sleep(0.02)


async def test_so_many_at_once_the_rest_in_line_and_in_order() -> None:
    turnstile, entered = Turnstile(2, 10, 5), list[int]()
    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(inside(turnstile, entered, number))
        await asyncio.sleep(0)
        assert entered == [0, 1]
        assert not turnstile.free
    assert entered == list(range(8))
    assert turnstile.free


async def test_beyond_the_line_is_refused_and_whoever_stands_too_long() -> None:
    turnstile, entered = Turnstile(1, 2, 0.05), list[int]()
    async with turnstile.turn(lambda: True):
        waiting = [asyncio.create_task(inside(turnstile, entered, number)) for number in range(3)]
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in ended] == [TooMany] * 3
    assert entered == []
    assert turnstile.free
    await inside(turnstile, entered, 9)
    assert entered == [9]


async def test_whoever_left_makes_room_and_is_not_let_in() -> None:
    turnstile, entered, alive = Turnstile(1, 2, 5), list[int](), [True]
    async with turnstile.turn(lambda: True):
        gone = [asyncio.create_task(inside(turnstile, entered, number, alive)) for number in range(2)]
        await asyncio.sleep(0)
        assert turnstile.full
        alive[0] = False
        assert not turnstile.full
        there = asyncio.create_task(inside(turnstile, entered, 7))
        left = asyncio.create_task(inside(turnstile, entered, 8, alive))
        await asyncio.sleep(0)
    await there
    ended = await asyncio.gather(left, return_exceptions=True)
    assert [type(error) for error in ended] == [TooMany]
    assert entered == [7]
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    assert turnstile.free


async def test_a_turn_that_comes_as_one_gives_up_goes_to_the_next() -> None:
    turnstile, entered = Turnstile(1, 5, 5), list[int]()
    async with turnstile.turn(lambda: True):
        first = asyncio.create_task(inside(turnstile, entered, 1))
        second = asyncio.create_task(inside(turnstile, entered, 2))
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.wait_for(second, 5)
    assert entered == [2]
    assert turnstile.free


@pytest.mark.catalogue("S25")
async def test_a_person_with_too_many_connections_is_refused_for_now_and_nobody_else_is() -> None:
    async with serving(World(), replace(QUICK, connections_per_person=3)) as site:
        async with site.client("a") as first, site.client("a"), site.client("a"), site.client() as fourth:
            error = (await fourth.ask(connect={"token": "a"}))["error"]
            assert (error["code"], error["temporary"]) == (111, True)
            async with site.client("b"):
                pass
            await first.socket.close()
            while site.counters.connections > 3:
                await asyncio.sleep(0.01)
            async with site.client("a"):
                pass
        while site.counters.connections:
            await asyncio.sleep(0.01)
        assert len(site.gateway._parts.doors._people) == 0


@pytest.mark.catalogue("S25")
async def test_who_connects_again_and_again_is_held_back_before_the_reply() -> None:
    async with serving(World(), replace(QUICK, connects=Rate(0.1, 5))) as site:
        codes = []
        for _ in range(8):
            async with site.client() as wire:
                codes.append((await wire.ask(connect={"token": "a"})).get("error", {}).get("code", 0))
        assert codes == [0] * 5 + [111] * 3
        async with site.client("b"):
            pass
        while site.counters.connections:
            await asyncio.sleep(0.01)
        assert len(site.gateway._parts.doors._people) == 0


async def refused(address: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as told:
        async with connect(address):
            pass
    return told.value.response.status_code, told.value.response.headers["Retry-After"]


@pytest.mark.catalogue("S25", "R24")
async def test_those_nobody_knows_are_few_and_who_is_known_makes_room() -> None:
    async with serving(World(), replace(QUICK, unauthenticated_per_address=3)) as site:
        async with site.client("known"), site.client() as one, site.client(), site.client():
            assert await refused(site.address) == (503, "1")
            await one.hello("a")
            async with site.client():
                assert await refused(site.address) == (503, "1")
        while site.counters.connections:
            await asyncio.sleep(0.01)
        doors = site.gateway._parts.doors
        assert (doors._strangers.total, len(doors._strangers)) == (0, 0)


@pytest.mark.catalogue("S25")
async def test_behind_a_proxy_each_address_counts_for_itself() -> None:
    async with serving(World(), replace(QUICK, unauthenticated_per_address=1)) as site:
        async with connect(site.address, additional_headers={"X-Forwarded-For": "192.0.2.1"}):
            async with connect(site.address, additional_headers={"X-Forwarded-For": "192.0.2.2"}):
                with pytest.raises(InvalidStatus):
                    async with connect(site.address, additional_headers={"X-Forwarded-For": "192.0.2.1"}):
                        pass


async def test_a_mass_of_connects_waits_in_a_short_line_and_those_connected_are_served() -> None:
    """The database is slow: four are looked up at a time, a few wait, the rest is told 503 or 111, and all get in at last."""
    world, most, now = World(), 0, 0

    async def slow(name: str) -> None:
        nonlocal most, now
        if name == "connect":
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.02)
            now -= 1

    settings = replace(QUICK, connects_at_once=4, connects_waiting=10, connect_patience=0.1)
    async with serving(world, settings) as site, site.client("victim") as victim:
        world.pause = slow
        told = {"in": 0, 111: 0, 503: 0}

        async def come(person: str) -> None:
            while True:
                try:
                    async with connect(site.address) as socket:
                        wire = Wire(socket)
                        reply = await wire.ask(connect={"token": person})
                        if "error" not in reply:
                            told["in"] += 1
                            return
                        assert reply["error"]["temporary"]
                        told[reply["error"]["code"]] += 1
                except InvalidStatus as refusal:
                    told[refusal.response.status_code] += 1
                await asyncio.sleep(0.05)

        coming = [asyncio.create_task(come(f"p{number}")) for number in range(60)]
        answered = 0
        while not all(task.done() for task in coming):
            await victim.ask(rpc={"method": "echo", "data": {"x": 1}})
            answered += 1
            await asyncio.sleep(0.005)
        await asyncio.gather(*coming)
        assert told["in"] == 60
        assert told[111] + told[503] > 0
        assert most <= 2 * 4  # the pause is awaited at both ends of the call, by four at most each
        assert answered > 5


async def test_who_leaves_the_line_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Reading goes on while somebody waits, so their end is noticed before their turn."""
    world = World()
    hold = asyncio.Event()

    async def held(name: str) -> None:
        if name == "connect":
            await hold.wait()

    settings = replace(QUICK, connects_at_once=1, connect_patience=20)
    async with serving(world, settings) as site, site.client() as first, site.client() as last:
        gone = [await connect(site.address) for _ in range(20)]
        world.pause = held
        await first.say({"id": 1, "connect": {"token": "first"}})
        while not world.calls.get("connect"):
            await asyncio.sleep(0.01)
        for number, socket_ in enumerate(gone):
            await socket_.send(json.dumps({"id": 1, "connect": {"token": f"gone {number}"}}))
            await socket_.close()
        await last.say({"id": 1, "connect": {"token": "last"}})
        await asyncio.sleep(0.05)
        hold.set()
        assert "connect" in await last.reply(1)
        assert "connect" in await first.reply(1)
        assert world.calls["connect"] == 2, "nobody was looked up who had gone"
    assert not caplog.records


@pytest.fixture
async def crowded() -> AsyncIterator[tuple[Site, asyncio.Event]]:
    """A gateway that takes one connect at a time, and has one that is held until the event."""
    world, hold = World(), asyncio.Event()

    async def held(name: str) -> None:
        if name == "connect":
            await hold.wait()

    settings = replace(
        QUICK, connects_at_once=1, connects_waiting=6, unauthenticated_per_address=4, handshake_patience=3
    )
    async with serving(world, settings) as site, site.client() as first:
        world.pause = held
        await first.say({"id": 1, "connect": {"token": "first"}})
        while not world.calls.get("connect"):
            await asyncio.sleep(0.01)
        yield site, hold
        hold.set()


async def test_who_has_no_address_any_more_gives_their_place_back_too() -> None:
    """As of a peer who has reset the connection by the time it is asked for, or behind a Unix socket."""

    class Nobody:
        def address(self) -> str:
            return ""

        def proceed(self) -> None:
            pass

        def turn_away(self) -> None:
            pass

    turnstile = Turnstile(1, 10, 5)
    porch = Porch(turnstile, 2, 2, 5)
    async with turnstile.turn(lambda: True):
        for _ in range(3):
            one = Nobody()
            assert not porch.enter(one)
            porch.leave(one)
            porch.leave(one)
        assert len(porch._counts) == porch._counts.total == 0


async def knocking(site: Site, address: str = "192.0.2.1") -> Raw:
    """Somebody who has asked for a WebSocket, and was not answered yet."""
    return await Raw.asking(site, f"X-Forwarded-For: {address}")


async def told(raw: Raw) -> str:
    """The status line that they are answered with."""
    async with asyncio.timeout(5):
        return (await raw.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0]


async def test_a_handshake_waits_while_others_are_looked_up_and_goes_on_in_its_turn(
    crowded: tuple[Site, asyncio.Event],
) -> None:
    site, hold = crowded
    waiting = [await knocking(site, f"192.0.2.{number}") for number in range(1, 4)]
    while len(site.gateway._porch) < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert site.counters.connections == 1, "no handshake was taken up"
    hold.set()
    for raw in waiting:
        assert " 101 " in await told(raw)
    for raw in waiting:
        await raw.end()


@pytest.mark.catalogue("S25")
async def test_of_those_that_wait_one_address_has_so_many_and_all_of_them_so_many(
    crowded: tuple[Site, asyncio.Event],
) -> None:
    site, hold = crowded
    one = [await knocking(site) for _ in range(5)]
    assert " 503 " in await told(one[4]), "four of one address"
    others = [await knocking(site, f"192.0.2.{number}") for number in (2, 3, 4)]
    assert " 503 " in await told(others[2]), "six in all"
    await one[0].end()
    while len(site.gateway._porch) > 5:
        await asyncio.sleep(0.01)
    again = await knocking(site)
    while len(site.gateway._porch) < 6:
        await asyncio.sleep(0.01)
    hold.set()
    for raw in (*one[1:4], *others[:2], again):
        assert " 101 " in await told(raw)
    for raw in (*one[1:], *others, again):
        await raw.end()
    assert len(site.gateway._porch._counts) == 0


async def test_who_has_waited_in_vain_is_told_and_who_does_not_wait_for_an_answer_is_cut_off(
    crowded: tuple[Site, asyncio.Event],
) -> None:
    site, _ = crowded
    patient, loud = await knocking(site), await knocking(site, "192.0.2.2")
    while len(site.gateway._porch) < 2:
        await asyncio.sleep(0.01)
    loud.send(1, b'{"id":1,"connect":{"token":"early"}}')
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            assert await loud.reader.read() == b""
    assert " 503 " in await told(patient)
    assert await patient.reader.read() == (BUSY + "\n").encode()
    assert len(site.gateway._porch) == 0
    for raw in (patient, loud):
        await raw.end()


async def test_who_waits_when_the_gateway_goes_down_is_told(crowded: tuple[Site, asyncio.Event]) -> None:
    site, hold = crowded
    raw = await knocking(site)
    while not len(site.gateway._porch):
        await asyncio.sleep(0.01)
    going = asyncio.create_task(site.gateway.drain(0))
    assert " 503 " in await told(raw)
    late = await knocking(site)
    assert " 503 " in await told(late)
    hold.set()
    await going
    for one in (raw, late):
        await one.end()

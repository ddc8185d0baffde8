"""Holding people to a rate: those who wait come through in the order they came, the rest are told, nobody else waits."""

import asyncio

import pytest

from server import metrics
from server.errors import TooMany
from server.limits import Rate
from server.pace import Pace


def counted(kind: str) -> float:
    return metrics.REGISTRY.get_sample_value("warmline_limited_total", {"kind": kind}) or 0.0


async def test_a_flood_passes_in_order_at_the_rate_and_the_rest_is_refused() -> None:
    pace = Pace("sends", Rate(100, 5, patience=0.5), "Too many; {seconds} s.")
    before = counted("sends"), counted("sends_delayed")
    came: list[int] = []

    async def one(number: int) -> None:
        await pace.turn("somebody")
        came.append(number)

    began = asyncio.get_running_loop().time()
    ended = await asyncio.gather(*(one(number) for number in range(200)), return_exceptions=True)
    took = asyncio.get_running_loop().time() - began
    refused = [error for error in ended if error is not None]
    assert len(came) >= 55
    assert took >= (len(came) - 5) / 100 - 0.01, "no faster than the rate"
    assert came == sorted(came)
    assert len(came) + len(refused) == 200, "nothing is dropped"
    assert {type(error) for error in refused} == {TooMany}
    assert counted("sends") - before[0] == len(refused)
    assert counted("sends_delayed") - before[1] == len(came) - 5
    assert not pace._lines


async def test_a_neighbour_does_not_wait() -> None:
    pace = Pace("sends", Rate(0.1, 1, patience=60), "{seconds}")
    await pace.turn("somebody")
    waiting = asyncio.create_task(pace.turn("somebody"))
    await asyncio.sleep(0)
    for number in range(100):
        await asyncio.wait_for(pace.turn(f"neighbour {number}"), 5)
    assert not waiting.done()
    waiting.cancel()


async def test_one_who_gives_up_waiting_holds_up_nobody() -> None:
    pace = Pace("sends", Rate(50, 1, patience=5), "{seconds}")
    await pace.turn("a")
    first, second = asyncio.create_task(pace.turn("a")), asyncio.create_task(pace.turn("a"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(second, 5)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not pace._lines


async def test_who_comes_while_others_wait_is_behind_them() -> None:
    """Also when the timer of those who wait is late, so that by the clock alone the newcomer could pass."""
    pace = Pace("sends", Rate(20, 1, patience=5), "{seconds}")
    await pace.turn("a")
    came: list[str] = []

    async def one(name: str) -> None:
        await pace.turn("a")
        came.append(name)

    waiting = asyncio.create_task(one("first"))
    await asyncio.sleep(0)
    [line] = pace._lines.values()
    line[0] = (asyncio.get_running_loop().time() + 0.3, line[0][1])
    await asyncio.sleep(0.15)
    await asyncio.gather(one("second"), waiting)
    assert came == ["first", "second"]

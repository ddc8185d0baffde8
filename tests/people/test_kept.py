"""What is fetched from elsewhere: seldom, once however many ask, kept while it is away, and never waited for in a crowd."""

import asyncio

import pytest

from server.errors import Unavailable
from server.people.kept import Kept


class Source:
    """Somebody else's document: its version, whether it can be had, and a gate that holds the answer back."""

    def __init__(self) -> None:
        self.version, self.fetched, self.away = 1, 0, False
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 1000.0

    async def __call__(self) -> int:
        self.fetched += 1
        await self.gate.wait()
        if self.away:
            raise OSError("away")
        return self.version

    def kept(self, **options: float) -> Kept[int]:
        return Kept("the document", self, clock=lambda: self.now, **options)  # type: ignore[arg-type]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_is_fetched_once_and_kept_while_it_is_fresh() -> None:
    source = Source()
    kept = source.kept(fresh=600)
    assert [await kept.get() for _ in range(3)] == [1, 1, 1]
    source.now += 599
    await kept.get()
    assert source.fetched == 1


async def test_an_old_one_is_given_at_once_and_fetched_beside() -> None:
    source = Source()
    kept = source.kept(fresh=600)
    await kept.get()
    source.version, source.now = 2, source.now + 600
    assert await kept.get() == 1
    await settled()
    assert (await kept.get(), source.fetched) == (2, 2)


async def test_while_it_is_away_the_old_one_does_until_it_is_too_old() -> None:
    source = Source()
    kept = source.kept(fresh=600, stale=3600, pause=10)
    await kept.get()
    source.away, source.now = True, source.now + 3599
    assert await kept.get() == 1
    await settled()
    assert kept.failing
    source.now += 10
    with pytest.raises(Unavailable, match="Try again"):
        await kept.get()
    source.away, source.version, source.now = False, 2, source.now + 10
    assert (await kept.get(), kept.failing) == (2, False)


async def test_however_many_ask_there_is_one_fetch_and_a_crowd_is_told_at_once() -> None:
    source = Source()
    source.gate.clear()
    kept = source.kept(most_waiting=50)
    asking = [asyncio.create_task(kept.get()) for _ in range(5_000)]
    await settled()
    assert sum(one.done() for one in asking) == 4_950, "only so many wait"
    assert all(isinstance(one.exception(), Unavailable) for one in asking if one.done())
    source.gate.set()
    waited = [one for one in asking if not one.done()]
    assert await asyncio.gather(*waited) == [1] * 50
    assert source.fetched == 1


async def test_while_it_fails_it_is_tried_once_per_pause_and_nobody_waits() -> None:
    source = Source()
    source.away = True
    kept = source.kept(pause=10)
    for _ in range(1_000):
        with pytest.raises(Unavailable):
            await kept.get()
    assert source.fetched == 1
    source.now += 10
    with pytest.raises(Unavailable):
        await kept.get()
    assert source.fetched == 2


async def test_one_who_gives_up_waiting_does_not_end_it_for_the_others() -> None:
    source = Source()
    source.gate.clear()
    kept = source.kept()
    first, second = asyncio.create_task(kept.get()), asyncio.create_task(kept.get())
    await settled()
    first.cancel()
    await settled()
    source.gate.set()
    assert await second == 1


async def test_stopping_ends_what_is_under_way() -> None:
    source = Source()
    source.gate.clear()
    kept = source.kept()
    waiting = asyncio.create_task(kept.get())
    await settled()
    await kept.stop()
    assert source.fetched == 1
    with pytest.raises(asyncio.CancelledError):
        await waiting

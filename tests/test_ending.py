"""What runs in the background ends when it is told to, also where the first time was lost."""

import asyncio
import sys

import pytest

from server.ending import end


async def test_a_cancellation_that_is_lost_is_said_again() -> None:
    told, went_on = asyncio.Event(), 0

    async def go_on() -> None:
        nonlocal went_on
        while True:
            await asyncio.wait_for(told.wait(), 60)
            told.clear()
            went_on += 1

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0.01)
    told.set()
    await asyncio.sleep(0)  # what it waits for is done, and it does not know yet: Python 3.11 loses what comes now
    async with asyncio.timeout(10):
        await end(task)
    assert task.cancelled()
    assert went_on == (sys.version_info < (3, 12)), "it was lost, or else this shows nothing"


async def test_whatever_the_end_is_like_nobody_is_troubled_with_it() -> None:
    async def fail() -> None:
        raise ValueError("on purpose")

    async def fail_in_the_end() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("on purpose")

    done, ending = asyncio.create_task(fail()), asyncio.create_task(fail_in_the_end())
    await asyncio.sleep(0)
    await end(done, None, ending)
    assert done.done()
    with pytest.raises(ValueError, match="on purpose"):
        ending.result()
    await end()

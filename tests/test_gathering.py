"""Questions that come together are answered together, in bounds, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from server.gathering import Gathering


class Answers:
    """Doubles numbers, once it may; remembers what was asked together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.gate.wait()
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


async def asked(gathering: Gathering[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(gathering.ask(number)) for number in numbers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_meanwhile_goes_together_and_each_gets_its_own() -> None:
    answers = Answers()
    gathering = Gathering(answers, 3)
    first = await asked(gathering, 1)
    second = await asked(gathering, 2)
    rest = await asked(gathering, 3, 4, 5, 6, 7)
    assert answers.batches == [[1], [2]], "two at a time"
    answers.gate.set()
    assert await asyncio.gather(*first, *second, *rest) == [2, 4, 6, 8, 10, 12, 14]
    assert answers.batches == [[1], [2], [3, 4, 5], [6, 7]]


async def test_weights_are_bounded_but_one_always_goes() -> None:
    answers = Answers()
    gathering = Gathering(answers, 10, lambda number: number)
    tasks = await asked(gathering, 1) + await asked(gathering, 1) + await asked(gathering, 30, 4, 5, 2)
    answers.gate.set()
    await asyncio.gather(*tasks)
    assert answers.batches[2:] == [[30], [4, 5], [2]]


async def test_who_has_gone_is_not_asked_for() -> None:
    answers = Answers()
    gathering = Gathering(answers, 10)
    tasks = await asked(gathering, 1) + await asked(gathering, 2) + await asked(gathering, 3, 4)
    tasks[0].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0)
    answers.gate.set()
    assert await asyncio.gather(*tasks, return_exceptions=True) != []
    assert answers.batches == [[1], [2], [4]]
    assert await tasks[3] == 8


async def test_what_fails_fails_for_its_batch_alone() -> None:
    answers = Answers()
    gathering = Gathering(answers, 2)
    tasks = await asked(gathering, 1) + await asked(gathering, 2) + await asked(gathering, 13, 3, 4)
    answers.gate.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answer if isinstance(answer, int) else str(answer) for answer in ended] == [2, 4, "thirteen", "thirteen", 8]
    with pytest.raises(ValueError, match="thirteen"):
        await gathering.ask(13)
    assert await gathering.ask(1) == 2

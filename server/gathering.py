"""Questions that come together, answered by one statement: whoever asks while one is under way waits for the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")

_AT_ONCE = 2
"""Statements under way, of one kind: one that is held up does not hold up everybody."""


class Gathering(Generic[A, B]):
    """Asks `answer` for what many want to know, at most `most` of it in one go; `weight` says how much one wants."""

    def __init__(
        self,
        answer: Callable[[Sequence[A]], Awaitable[Sequence[B]]],
        most: int,
        weight: Callable[[A], int] = lambda _: 1,
    ) -> None:
        self._answer = answer
        self._most = most
        self._weight = weight
        self._waiting: deque[tuple[A, asyncio.Future[B]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._busy = 0

    async def ask(self, question: A) -> B:
        """The answer to one question. Raises what answering those of its batch raised."""
        mine: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, mine))
        # Not the number of tasks: one that has just looked for the last time is not done yet.
        if self._busy < _AT_ONCE:
            self._busy += 1
            task = asyncio.create_task(self._run(), context=Context())  # for all who ask meanwhile
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await mine

    async def _run(self) -> None:
        try:
            while self._waiting:
                if batch := self._batch():
                    await self._settle(batch)
        finally:
            self._busy -= 1

    def _batch(self) -> list[tuple[A, "asyncio.Future[B]"]]:
        """In order, as many as keep to the bound, but at least one; whoever has gone meanwhile is passed over."""
        batch: list[tuple[A, asyncio.Future[B]]] = []
        total = 0
        while self._waiting:
            total += self._weight(self._waiting[0][0])
            if batch and total > self._most:
                break
            one = self._waiting.popleft()
            if not one[1].done():
                batch.append(one)
        return batch

    async def _settle(self, batch: list[tuple[A, "asyncio.Future[B]"]]) -> None:
        try:
            answers = await self._answer([question for question, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

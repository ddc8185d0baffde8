"""Shows that a step is still going on, once it has taken more than two seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


def say(text: str) -> None:
    """One line for the person at the terminal, at once even through a pipe; nothing if the terminal has gone."""
    with suppress(OSError):
        print(text, flush=True)


@asynccontextmanager
async def step(what: str) -> AsyncIterator[None]:
    """Around something that may take long: silent if it is quick, a line every two seconds if it is not."""
    ticking = asyncio.create_task(tick(what))
    try:
        yield
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking


async def tick(what: str) -> None:
    """Write whole lines, so that what other processes write between them stays readable."""
    begun = time.monotonic()
    while True:
        await asyncio.sleep(1.9)
        say(f"{what} ... {time.monotonic() - begun:.0f} s")

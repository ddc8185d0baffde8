"""Keeps a child process up: says when it ended, starts it again with growing pauses, and gives up in the end."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

from server.dev.child import Child
from server.dev.progress import say

ENOUGH = 5
WITHIN = 60.0
FIRST_PAUSE = 0.5
MISCONFIGURED = 2  # the exit status that says: the settings are wrong, trying again does not help


class GaveUp(Exception):
    """A part could not be kept up; the text says which, and what to do."""


async def keep(child: Child, again: Callable[[], Awaitable[None]], settled: asyncio.Event) -> None:
    """Watch one child until cancelled; `again` starts it anew. `settled` is set once everything has worked.

    Raises:
        GaveUp: it failed before that, ended too often, or said that its settings are wrong.
    """
    ends: list[float] = []
    while True:
        status = await child.wait(poll=0.1)
        if status == MISCONFIGURED:
            raise GaveUp(f"The {child.name} cannot run with these settings; it said why above.")
        if status > 0 and not settled.is_set():
            raise GaveUp(f"The {child.name} ended while starting ({reason(status)}). {where_to_look(child)}")
        now = time.monotonic()
        ends = [*(end for end in ends if end > now - WITHIN), now]
        if len(ends) >= ENOUGH:
            raise GaveUp(f"The {child.name} ended {ENOUGH} times within {WITHIN:.0f} s. {where_to_look(child)}")
        pause = FIRST_PAUSE * 2 ** (len(ends) - 1)
        say(f"The {child.name} ended ({reason(status)}); starting it again in {pause:g} s.")
        await asyncio.sleep(pause)
        await again()


def reason(status: int) -> str:
    """An exit status in words."""
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def where_to_look(child: Child) -> str:
    """Where it says why."""
    return f"See {child.output}." if child.output else "What it said stands above."

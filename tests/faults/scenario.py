"""What a run with faults consists of, and breaking one thing after the other."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.nemesis import Nemesis
from tests.faults.run import Run
from tests.faults.ward import PRODUCT

Break = Callable[[Run, float], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One run.

    `rows` of the catalogue; `breaks` gets the seconds that it should take, about; `faults`: what must happen at least, in a
    short run; `own`: it harms Postgres or Redis, so they must be its own; `load`: see run; `plan`: see Plan. For the others see
    ward: they are of the place, as `settings` and `program` are of the gateways.
    """

    rows: tuple[str, ...]
    says: str
    breaks: Break
    faults: dict[str, int]
    own: bool = False
    gateways: int = 2
    worker: bool = False
    standby: bool = False
    backup: bool = False
    churn: bool = True
    misfortune: bool = False
    early: bool = False
    new_master: bool = False
    counted: bool = False
    program: tuple[str, ...] = PRODUCT
    settings: dict[str, str] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For tables and test ids."""
        return "+".join(self.rows)


def again(*acts: Callable[[Nemesis], Awaitable[None]], calm: float = 1.0) -> Break:
    """One act after the other, each at least once, until the time is over, with a calm between them."""

    async def breaks(going: Run, seconds: float) -> None:
        until = time.monotonic() + seconds
        for number in itertools.count():
            await asyncio.sleep(going.nemesis.luck.uniform(0.5, 1.5) * calm)
            if number >= len(acts) and time.monotonic() > until:
                return
            await acts[number % len(acts)](going.nemesis)

    return breaks

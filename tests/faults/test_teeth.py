"""The teeth of the history checker: each planted bug of reliability.md §3 turns it red.

That the same faults without the bugs leave it green is for test_short.py to show.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.planted import PLANTED, in_database
from tests.faults.run import Run, run
from tests.faults.ward import PRODUCT, Shared, ward

Break = Callable[[Run], Awaitable[None]]


def until(kind: str, times: int) -> Break:
    """Wait until that has happened so often: a bug needs its occasions, and a slow machine more time for as many."""

    async def wait(going: Run) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                while sum(event.kind == kind for event in going.ward.recorder.events) < times:
                    await asyncio.sleep(0.05)

    return wait


async def kill(going: Run) -> None:
    """Right after an answer, three times: what was answered before it was written is lost then."""
    events = going.ward.recorder.events
    for _ in range(3):
        await going.nemesis.settled()
        since = len(events)
        while not any(event.kind == "send.ok" for event in events[since:]):
            await asyncio.sleep(0.005)
        await going.nemesis.kill_gateway()


async def cut_until_written_twice(going: Run) -> None:
    """Lines are cut until somebody has sent something again to the other gateway: how many that takes is luck."""
    twice = """select exists (select from messages group by organization_id, channel_id, author_person_id, client_id
               having count(*) > 1)"""
    async with going.ward.sql() as owner:
        for _ in range(20):
            await going.nemesis.cut_within_answers()
            if await owner.fetchval(twice):
                return


async def set_back(going: Run) -> None:
    await going.nemesis.set_back(list(going.channels), told=False)
    await asyncio.sleep(1.0)


async def set_back_and_told(going: Run) -> None:
    await going.nemesis.set_back(list(going.channels))
    await asyncio.sleep(2.0)


async def unannounced(going: Run) -> None:
    """The last words in every channel are written by somebody who dies before telling: this process announces nothing."""
    await going.stop_writing(4)
    await asyncio.sleep(1.5)  # until nobody comes back any more: whoever does has the log looked at
    for number, channel in enumerate(going.channels):
        home, key = going.ward.homes[going.channels[channel]], f"last words {number}"
        going.ward.recorder.say("send.invoke", channel=channel, key=key)
        done = await home.send(home.clinician, channel, key, key)
        going.ward.recorder.say("send.ok", channel=channel, key=key, message=done["message_id"], offset=done["offset"])


@dataclass(frozen=True)
class Tooth:
    """A planted bug, what is broken to bring it to light, and the checks of which one at least must see it."""

    bug: str
    seen_by: frozenset[str]
    breaks: Break
    churn: bool = False
    gateways: int = 1
    patience: float = 3
    """Seconds for those who do not arrive: where the bug leaves everybody behind, it would be waited for in vain."""


TEETH = [
    Tooth("ack before commit", frozenset({"K1"}), kill),
    Tooth("SEQUENCE offsets", frozenset({"K4"}), until("send.ok", 150), patience=0.5),
    Tooth("no buffering during recovery", frozenset({"K7", "K8"}), until("sub.ok", 60), patience=0.5),
    Tooth("publish before commit", frozenset({"K5"}), until("send.ok", 150)),
    Tooth("no tops query", frozenset({"K9"}), unannounced),
    Tooth("keep epoch after restore", frozenset({"K1", "K5"}), set_back),
    Tooth("epoch learned late", frozenset({"K5"}), set_back_and_told, patience=0.5),
    Tooth("dedupe by memory only", frozenset({"K3"}), cut_until_written_twice, gateways=2),
    Tooth("no second look at memberships", frozenset({"K10"}), until("member.remove", 3), churn=True),
]


async def bitten(folder: Path, shared: Shared, tooth: Tooth) -> Run:
    """One short run with the bug."""
    program = ("tests.faults.planted", tooth.bug) if tooth.bug in PLANTED else PRODUCT
    async with ward(folder, tooth.gateways, shared=shared, program=program) as made:
        async with run(
            made,
            7,
            channels=2,
            writers=3,
            listeners=3,
            restless=0.4,
            churn=tooth.churn,
            patience=tooth.patience,
            reaches=3,
            sends=20,
        ) as going:
            async with made.sql() as owner:
                await in_database(owner, tooth.bug)
            await asyncio.sleep(0.7)
            await tooth.breaks(going)
    return going


@pytest.mark.parametrize("tooth", TEETH, ids=[tooth.bug for tooth in TEETH])
async def test_a_planted_bug_turns_the_checker_red(roomy_path: Path, shared: Shared, tooth: Tooth) -> None:
    going = await bitten(roomy_path, shared, tooth)
    red = {name for name, found in going.found.items() if found}
    assert tooth.seen_by <= red, {name: [str(one) for one in found[:2]] for name, found in going.found.items() if found}

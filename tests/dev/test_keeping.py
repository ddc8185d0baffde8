"""A part that ends by itself is started again, with pauses, but not for ever."""

import asyncio
import sys

import pytest

from server.dev import keeping
from server.dev.child import Child
from server.dev.keeping import GaveUp, keep


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.01)


async def test_one_that_keeps_ending_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    starts = await keep_until_it_gives_up("raise SystemExit(1)", "ended 5 times within 60 s")
    assert starts == 5
    assert capsys.readouterr().out.count("ended (exit status 1); starting it again in") == 4


async def test_a_signal_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    await keep_until_it_gives_up("import os; os.kill(os.getpid(), 9)", "ended 5 times")
    assert "(SIGKILL)" in capsys.readouterr().out


async def test_wrong_settings_are_not_tried_again() -> None:
    assert await keep_until_it_gives_up("raise SystemExit(2)", "cannot run with these settings") == 1


async def test_one_that_fails_while_starting_is_not_tried_again() -> None:
    assert await keep_until_it_gives_up("raise SystemExit(1)", "ended while starting", settled=False) == 1


async def test_one_that_stays_up_is_left_alone() -> None:
    child = Child("steady", [sys.executable, "-c", "import time; time.sleep(60)"])
    child.start()
    pid = child.pid
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(keep(child, pytest.fail, asyncio.Event()), 0.3)
    assert child.pid == pid
    await child.stop()


async def keep_until_it_gives_up(program: str, saying: str, settled: bool = True) -> int:
    """Keep a program up until GaveUp says so; how often it was started."""
    child, starts = Child("part", [sys.executable, "-c", program]), 1
    child.start()

    async def again() -> None:
        nonlocal starts
        starts += 1
        child.start()

    everything_worked = asyncio.Event()
    if settled:
        everything_worked.set()
    with pytest.raises(GaveUp, match=saying):
        await keep(child, again, everything_worked)
    return starts

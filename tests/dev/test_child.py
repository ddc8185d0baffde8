"""A child process ends when it should: when told, by force if need be, and with its parent."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server.dev.child import Child
from tests.support.processes import is_running

PARENT = """
import sys, time
from server.dev.child import Child
child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


async def test_it_cannot_outlive_a_parent_killed_with_kill_9() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    async with asyncio.timeout(5):
        while is_running(pid):
            await asyncio.sleep(0.01)


async def test_one_that_ignores_being_told_is_ended_by_force(tmp_path: Path) -> None:
    child = Child("deaf", [sys.executable, "-c", DEAF], output=tmp_path / "said")
    child.start()
    while not child.output.read_text():
        await asyncio.sleep(0.01)
    assert await child.stop(within=0.1) == -signal.SIGKILL
    assert not child.running()


async def test_its_status_is_that_of_the_program() -> None:
    child = Child("three", [sys.executable, "-c", "raise SystemExit(3)"])
    child.start()
    assert await child.wait() == 3
    assert await child.stop() == 3


async def test_one_that_was_never_started_needs_no_stopping() -> None:
    child = Child("never", ["true"])
    assert await child.stop() == 0
    with pytest.raises(RuntimeError, match="never was not started"):
        _ = child.pid

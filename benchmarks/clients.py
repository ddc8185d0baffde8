"""The processes that make the load, and the references. All speak the same way: "ready" when they are, and then for each
line "go SECONDS" one line of JSON. They end when their standard input does.
"""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Cores, counting, pin

NATIVE = Path(__file__).parent / "native"
SOURCES = {"load": ("load.c", "traffic.c", "report.c", "script.c", "wire.c"), "reference": ("reference.c",)}
ROOT = Path(__file__).parents[1]
START_SECONDS = 180


class Failed(Exception):
    """A part of the benchmark did not do what it must; the text says which and what it said."""


@dataclass(frozen=True)
class Sample:
    """One round: what the client counted, times in seconds, and the processor time of those that were watched."""

    seconds: float
    done: int
    deliveries: int
    bytes: int
    p50: float
    p99: float
    worst: float
    between: float
    """Of a broadcast: from the first connection that had it to the last, in the middle."""
    busiest: float
    spent: Mapping[str, float]
    answer_p50: float = 0.0
    answer_p99: float = 0.0
    """From a command to its answer, where that is not what p50 and p99 are about."""

    def busy(self, who: str) -> float:
        """How many cores a watched process kept busy."""
        return self.spent[who] / self.seconds


class Client:
    """A process that makes load in rounds."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.process = process
        self.name = name

    async def line(self, within: float) -> str:
        """What it prints next. Raises Failed."""
        assert self.process.stdout is not None
        try:
            said = (await asyncio.wait_for(self.process.stdout.readline(), within)).decode()
        except TimeoutError:
            raise Failed(f"{self.name} said nothing for {within:.0f} s") from None
        if not said:
            raise Failed(f"{self.name} ended, with status {await self.process.wait()}")
        return said

    async def ask(self, words: str, within: float) -> dict[str, Any]:
        """Tell it a line; what it answers. Raises Failed."""
        assert self.process.stdin is not None
        self.process.stdin.write(words.encode() + b"\n")
        told: dict[str, Any] = json.loads(await self.line(within))
        return told

    async def go(self, seconds: float, watched: Mapping[str, int], *pace: int) -> Sample:
        """One round. `pace`: with these as window, burst and pause, in the words of native/load.c.

        Raises Failed when anything was refused, lost or left without an answer.
        """
        taken = {name: counting(pid) for name, pid in watched.items()}
        told = await self.ask(" ".join(map(str, ("go", seconds, *pace))), seconds + 30)
        spent = {name: seconds() for name, seconds in taken.items()}
        if any(told.get(bad) for bad in ("errors", "lost", "unfinished")) or not told["done"]:
            raise Failed(f"{self.name}: {json.dumps(told)}")
        return Sample(spent=spent, **{name: told[name] for name in Sample.__dataclass_fields__ if name in told})


@contextlib.asynccontextmanager
async def running(name: str, command: Sequence[str | Path], cores: Cores) -> AsyncIterator[Client]:
    """A client for as long as the block lasts: connected and ready, on these cores."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, limit=1 << 20
    )
    try:
        pin(process.pid, cores)
        yield Client(process, name)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ConnectionError):
                process.stdin.close()  # type: ignore[union-attr]
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()
                await process.wait()


def compile_native(folder: Path) -> dict[str, Path] | None:
    """The programs in C, compiled into a folder; None where there is no compiler. Raises Failed."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    for name, sources in SOURCES.items():
        command = [compiler, "-O2", "-Wall", "-pthread", "-o", folder / name, *(NATIVE / source for source in sources)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"cc: {done.stderr}")
    return {name: folder / name for name in SOURCES}


def load_command(
    native: Mapping[str, Path] | None, port: int, script: Path, threads: int, window: int
) -> list[str | Path]:
    """The load client's command line: the one in C, or without a compiler the one in Python."""
    program: list[str | Path] = [native["load"]] if native else [sys.executable, "-m", "benchmarks.load"]
    return [*program, str(port), script, str(threads), str(window)]


async def ready(client: Client) -> None:
    """Wait until it is connected. Raises Failed."""
    began = time.monotonic()
    while not (await client.line(START_SECONDS)).startswith("ready"):
        if time.monotonic() - began > START_SECONDS:
            raise Failed(f"{client.name} does not get ready")

"""The SDKs' applications (tests/sdk) as processes: started on the SDK that a test wants, listened to line by line."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support import node, old_sdk
from tests.support.docs import ROOT
from tests.support.wire import PATIENCE

APPS = ROOT / "tests" / "sdk"


class App:
    """A running application: what it said, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    def count(self, word: str) -> int:
        """How many lines begin with a word."""
        return sum(line.split()[0] == word for line in self.lines)

    @property
    def heard(self) -> list[tuple[int, str]]:
        """(offset, text) of every publication, in the order they came."""
        words = [line.split(maxsplit=2) for line in self.lines if line.startswith("pub ")]
        return [(int(offset), text) for _, offset, text in words]

    async def type(self, line: str) -> None:
        """Give it a line."""
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def says(self, *wanted: str, times: int = 1, within: float = PATIENCE) -> None:
        """Wait until it has said each of these so often; a word stands for every line that begins with it."""
        assert self.process.stdout
        async with asyncio.timeout(within):
            while not all(sum(f"{line} ".startswith(f"{one} ") for line in self.lines) >= times for one in wanted):
                line = await self.process.stdout.readline()
                assert line, self.lines
                self.lines.append(line.decode().strip())


def command(sdk: str, cache: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """How to run the application on this SDK, and in which environment."""
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    if sdk == "js":
        run = node.command()
        if run is None:
            pytest.skip(node.MISSING)
        shutil.copy(APPS / "app.mjs", folder)
        (folder / "node_modules").symlink_to(node.modules(cache / "node") / "node_modules")
        return [*run, str(folder / "app.mjs")], environment
    if sdk == "python-0.5.0":
        environment["PYTHONPATH"] = str(old_sdk.packages(cache / "python-0.5.0"))
    return [sys.executable, str(APPS / "app.py")], environment


@asynccontextmanager
async def running(arguments: list[str], environment: dict[str, str]) -> AsyncIterator[App]:
    """It runs as long as the block lasts, and must then end well."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*arguments, env=environment, stdin=pipe, stdout=pipe, stderr=None)
    try:
        yield App(process)
        assert process.stdin
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

"""The SDKs as anybody installs them, in both codecs: live delivery, cut off and recovered, sending until it is known, refresh."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.live.conftest import Pair
from tests.support import node, old_sdk
from tests.support.cast import Clinic
from tests.support.docs import ROOT
from tests.support.proxy import proxy
from tests.support.site import Site
from tests.support.wire import PATIENCE

APPS = ROOT / "tests" / "sdk"


class App:
    """A running application: what it said, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    def count(self, word: str) -> int:
        return sum(line.split()[0] == word for line in self.lines)

    @property
    def heard(self) -> list[tuple[int, str]]:
        """(offset, text) of every publication, in the order they came."""
        words = [line.split(maxsplit=2) for line in self.lines if line.startswith("pub ")]
        return [(int(offset), text) for _, offset, text in words]

    async def type(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def says(self, *wanted: str, times: int = 1) -> None:
        """Wait until it has said each of these so often; a word stands for every line that begins with it."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
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


@pytest.mark.parametrize("codec", ["json", "protobuf"])
@pytest.mark.parametrize("sdk", ["python", "python-0.5.0", "js"])
async def test_it_hears_recovers_refreshes_and_sends_once(
    sdk: str,
    codec: str,
    pair: Pair,
    site: Site,
    clinic: Clinic,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    arguments, environment = command(sdk, tmp_path_factory.getbasetemp().parent / "sdks", tmp_path)
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    token = tmp_path / "token"
    token.write_text(site.token(clinic.identity(patient), 3))
    async with (
        proxy(pair.a.port, pair.b.port) as way,
        running([*arguments, way.socket_url, codec, channel, str(token)], environment) as app,
    ):
        await app.says("subscribed anew")
        await clinic.send(clinic.clinician, channel, "live")
        await app.type("send mine")
        await app.says("pub 2 live", "sent", "pub 3 mine")

        # Its token ends after three seconds: it fetches another one, and its connection lives on.
        token.write_text(site.token(clinic.identity(patient), 900))
        await app.says("token", times=2)

        way.targets = []  # nobody is there for a moment
        way.cut()
        for number in range(20):
            await clinic.send(clinic.clinician, channel, f"away-{number}")
        await app.type("send retried")
        await app.says("again")
        way.targets = [pair.b.port]
        await app.says("subscribed recovered", "sent 24 retried", "pub 24 retried")

        texts = ["live", "mine", *(f"away-{number}" for number in range(20)), "retried"]
        assert app.heard == list(enumerate(texts, 2)), "everything, once, in order"
        assert app.count("subscribed") == 2
        assert not app.count("unsubscribed") + app.count("refused"), app.lines
        if sdk != "python-0.5.0":  # that one says so of every lost connection
            assert not app.count("disconnected"), app.lines

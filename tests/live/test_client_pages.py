"""The programs in the client developers' pages, run as they stand: they show, send, and survive a gateway's death."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.errors import Invalid
from tests.live.conftest import Start
from tests.support import docs, node
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.wire import PATIENCE


class Program:
    """A running program: lines in, lines out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def type(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def prints(self, wanted: str) -> None:
        """Wait for this line."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            while wanted not in self.lines:
                line = await self.process.stdout.readline()
                assert line, self.lines
                self.lines.append(line.decode().rstrip("\n"))


def command(language: str, folder: Path, cache: Path) -> list[str]:
    """How to run the program of a page, written into `folder`."""
    page, run = (
        ("docs/clients-python.md", [sys.executable])
        if language == "python"
        else ("docs/clients-javascript.md", node.command())
    )
    if run is None:
        pytest.skip(node.MISSING)
    name, text = docs.program(page, language)
    (folder / name).write_text(text)
    if language == "js":
        (folder / "node_modules").symlink_to(node.modules(cache) / "node_modules")
    return [*run, str(folder / name)]


@asynccontextmanager
async def running(arguments: list[str], url: str, token: str) -> AsyncIterator[Program]:
    pipe = asyncio.subprocess.PIPE
    environment = os.environ | {"WARMLINE_URL": url, "WARMLINE_TOKEN": token}
    process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("language", ["python", "js"])
async def test_the_program_of_the_page_chats_and_survives_a_gateways_death(
    language: str, tmp_path: Path, start: Start, site: Site, clinic: Clinic
) -> None:
    patient, doctor = await clinic.patient(), clinic.clinician
    channel = await clinic.care_team(patient, doctor)
    await clinic.send(doctor, channel, "Good morning")
    gateway = await start()
    arguments = command(language, tmp_path, docs.ROOT / ".venv" / "sdk")
    async with running([*arguments, channel], gateway.socket_url, site.token(clinic.identity(patient))) as program:
        await program.prints("Clinician: Good morning")
        directory = await clinic.call(patient, "channel.directory", channel_id=channel)
        [me] = [member["name"] for member in directory["members"] if member["me"]]
        await program.type("Good morning to you")
        await program.prints(f"{me}: Good morning to you")
        await clinic.send(doctor, channel, "How are you?")
        gateway.kill()
        await clinic.send(doctor, channel, "Are you there?")
        await program.type("Well, thank you")
        gateway.spawn()
        await gateway.healthy()
        await program.prints("Clinician: Are you there?")
        await program.prints(f"{me}: Well, thank you")
        await program.type("x" * 8001)
        await program.prints(f"Not sent: {await refusal(clinic, patient, channel)}")
        shown = [line for line in program.lines if not line.startswith("Not sent")]
        assert sorted(shown) == sorted(set(shown)), "nothing twice"
        assert program.process.stdin
        program.process.stdin.close()
        assert await asyncio.wait_for(program.process.wait(), PATIENCE) == 0
    texts = await clinic.call(patient, "message.history", channel_id=channel)
    assert [item["text"] for item in texts["items"] if item.get("text") == "Well, thank you"] == ["Well, thank you"]


async def refusal(clinic: Clinic, person: str, channel: str) -> str:
    """What a program says of a message that is too long."""
    with pytest.raises(Invalid) as refused:
        await clinic.send(person, channel, "x" * 8001)
    return refused.value.message

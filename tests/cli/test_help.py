"""The command line itself: quick to help, honest about what it changes, clear about wrong settings."""

import argparse
import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cli import parser
from server.dev.datafolder import DataFolder
from tests.support.commands import warmline

READS = {
    "why",
    "notices dead",
    "schema check",
    "token",
    "keys list",
    "jobs dead",
    "doctor",
    "people list",
    "organizations list",
} | {*("audit export", "audit verify", "audit heads", "audit show", "audit keys")}
"""Commands that change nothing, whatever happens: each is a decision, so they are named one by one."""
RUNS = {"dev", "serve", "work"}
"""The processes: what they change is what people ask of them."""
HEAVY = ("asyncio", "asyncpg", "cryptography", "httpx", "joserfc", "prometheus_client", "pydantic", "redis", "sqlalchemy",
         "sqlmodel", "starlette", "structlog", "uvicorn")  # fmt: skip


def commands(
    at: argparse.ArgumentParser | None = None, path: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command with its full name, walked in the parser itself."""
    at = at or parser()
    below = [action.choices for action in at._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield path, at
    for name, child in (item for choices in below for item in choices.items()):
        yield from commands(child, f"{path} {name}".strip())


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda it: it if isinstance(it, str) else "")
def test_every_command_says_what_it_does_and_reads_and_how_it_ends(name: str, command: argparse.ArgumentParser) -> None:
    text = command.format_help()
    assert "Reads" in text
    assert "Exit status" in text
    assert len(text.split()) > 30


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda it: it if isinstance(it, str) else "")
def test_every_command_that_changes_anything_can_be_tried_dry(name: str, command: argparse.ArgumentParser) -> None:
    dry = "--dry-run" in command.format_help()
    assert dry == (name not in READS | RUNS), (
        f"{name}: a changing command takes --dry-run, one that changes nothing does not"
    )


@pytest.mark.parametrize("name", ["", *(name for name, _ in commands())])
def test_help_imports_nothing_that_takes_long(name: str) -> None:
    code = (
        "import sys, contextlib\nfrom server.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({[*name.split(), '--help']!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], len(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    found, count = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert found == "[]"
    assert int(count) < 150
    assert "usage: warmline" in done.stdout


@pytest.mark.parametrize("command", [["serve"], ["work"], ["schema", "check"], ["demo"], ["token", "demo-patient"]])
def test_missing_settings_are_named_without_a_stack_trace(command: list[str], tmp_path: Path) -> None:
    done = warmline(*command, WARMLINE_DATA=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_database_that_is_away_is_one_line(command: str, tmp_path: Path) -> None:
    with DataFolder(tmp_path).held():
        settings = DataFolder(tmp_path).key_settings() | {"REDIS_URL": "redis://127.0.0.1:1/0"}
    at_once = "from server import schema; schema.START_PATIENCE = 0"
    done = warmline(command, **settings, DATABASE_URL="postgresql://nobody:hidden@127.0.0.1:1/none", before=at_once)
    assert (done.returncode, done.stderr) == (2, "DATABASE_URL: the database cannot be used: ConnectionRefusedError\n")


async def test_a_port_that_is_taken_is_one_line(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with DataFolder(tmp_path).held():
        settings = DataFolder(tmp_path).key_settings() | {"REDIS_URL": redis_url, "DATABASE_URL": database_url}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await asyncio.to_thread(warmline, "serve", **settings, PORT=str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f"HOST, PORT: 127.0.0.1:{port} cannot be listened on")
    assert done.stderr.count("\n") == 1

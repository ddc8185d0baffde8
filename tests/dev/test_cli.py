"""The command line: quick to help, clear about wrong settings."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.dev.datafolder import DataFolder

COMMANDS = ["dev", "serve", "work", "schema", "demo", "token"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_and_reads(command: str) -> None:
    text = warmline(command, "--help").stdout
    assert "Reads" in text
    assert len(text.split()) > 15


def test_help_comes_at_once() -> None:
    taken = []
    for _ in range(3):
        begun = time.monotonic()
        assert "schema" in warmline("--help").stdout
        taken.append(time.monotonic() - begun)
    assert min(taken) < 0.3


@pytest.mark.parametrize("command", [["serve"], ["work"], ["schema", "check"], ["demo"], ["token", "demo-patient"]])
def test_missing_settings_are_named_without_a_stack_trace(command: list[str], tmp_path: Path) -> None:
    done = warmline(*command, WARMLINE_DATA=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_answer_is_one_line() -> None:
    done = warmline("schema", "check", DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none")
    assert done.returncode == 2
    assert done.stderr.startswith("DATABASE_URL: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


async def test_schema_is_applied_and_checked(empty_database_url: str) -> None:
    assert warmline("schema", "check", DATABASE_URL=empty_database_url).returncode == 2
    assert warmline("schema", "apply", DATABASE_URL=empty_database_url).returncode == 0
    assert warmline("schema", "check", DATABASE_URL=empty_database_url).returncode == 0


async def test_a_demo_clinic_is_made_once_and_signed_in_to(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with DataFolder(tmp_path).held():
        settings = DataFolder(tmp_path).key_settings() | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    people = warmline("demo", **settings).stdout
    assert "demo-patient" in people
    assert warmline("demo", **settings).stdout == people
    assert warmline("token", "demo-patient", **settings).stdout.count(".") == 2
    stranger = warmline("token", "nobody", **settings)
    assert stranger.returncode == 1
    assert "'nobody'" in stranger.stderr
    assert stranger.stderr.count("\n") == 1


async def test_tokens_are_signed_in_development_only(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with DataFolder(tmp_path).held():
        settings = DataFolder(tmp_path).key_settings() | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    refused = warmline("token", "demo-patient", **settings | {"WARMLINE_PROFILE": "production"})
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def warmline(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command with these settings and no others."""
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")} | settings
    command = [sys.executable, "-c", "import sys; from server.cli import main; sys.exit(main())", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)

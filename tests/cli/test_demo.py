"""`warmline demo` and `token`: made once, said first, and in development only."""

from pathlib import Path

import pytest

from server.dev.datafolder import DataFolder
from tests.support.commands import everything, here


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a `warmline dev` over this test's database."""
    with DataFolder(tmp_path).held():
        return DataFolder(tmp_path).key_settings() | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


async def test_a_demo_clinic_is_said_made_once_and_signed_in_to(settings: dict[str, str]) -> None:
    before = await everything(settings["DATABASE_URL"])
    would = await here("demo", "--dry-run", **settings)
    assert would.returncode == 0
    assert await everything(settings["DATABASE_URL"]) == before
    people = (await here("demo", **settings)).stdout
    assert "demo-patient" in people
    for line in people.splitlines():
        kind, label = line.split(maxsplit=2)[1:]
        assert f"  {kind.replace('_', ' ')} {label}" in would.stdout
    made = await everything(settings["DATABASE_URL"])
    assert "nothing would be made" in (await here("demo", "--dry-run", **settings)).stdout
    assert (await here("demo", **settings)).stdout == people
    assert await everything(settings["DATABASE_URL"]) == made
    assert (await here("token", "demo-patient", **settings)).stdout.count(".") == 2
    stranger = await here("token", "nobody", **settings)
    assert stranger.returncode == 1
    assert "'nobody'" in stranger.stderr
    assert stranger.stderr.count("\n") == 1


async def test_tokens_are_signed_in_development_only(settings: dict[str, str]) -> None:
    refused = await here("token", "demo-patient", **settings | {"WARMLINE_PROFILE": "production"})
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr

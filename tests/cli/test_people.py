"""`warmline people`: linking, unlinking and signing out, each tried dry first; and what is wrong said in words."""

from pathlib import Path

import asyncpg
import pytest

from tests.support.cast import Clinic
from tests.support.commands import Done, everything, here

ISSUER = "https://id.example"


class Operator:
    """Somebody at the command line of a server with a sign-in provider."""

    def __init__(self, folder: Path, database_url: str, key: Path) -> None:
        self.url, self.key = database_url, key

    async def does(self, *arguments: str) -> Done:
        return await here(
            "people", *arguments, DATABASE_URL=self.url, REDIS_URL="redis://127.0.0.1:1/0", WARMLINE_PROFILE="dev",
            WARMLINE_MASTER_KEY_FILE=str(self.key), WARMLINE_TOKEN_ISSUER=ISSUER,
        )  # fmt: skip

    async def did(self, *arguments: str) -> str:
        """Tried dry, which changes nothing, and then done; what it said."""
        before = await everything(self.url)
        dry = await self.does(*arguments, "--dry-run")
        assert (dry.returncode, dry.stderr, dry.stdout[:10]) == (0, "", "Would do: ")
        assert await everything(self.url) == before
        done = await self.does(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture
def operator(tmp_path: Path, database_url: str, issuer) -> Operator:
    return Operator(tmp_path, database_url, issuer.folder / "master.key")


async def test_somebody_is_linked_listed_signed_out_and_unlinked(
    operator: Operator, clinic: Clinic, owner: asyncpg.Connection
) -> None:
    person = clinic.clinician
    assert "linked with no subject" in (await operator.does("list")).stdout
    assert "signs in as subject-1" in await operator.did("link", person, "subject-1")
    listed = (await operator.does("list", "--organization", clinic.organization_id)).stdout
    assert f"subject-1 at {ISSUER}" in listed
    assert "signed out everywhere" in await operator.did("sign-out", person)
    first = await owner.fetchval("select signed_out_at from people where id = $1", person)
    assert first is not None
    await operator.did("unlink", person, "subject-1")
    assert await owner.fetchval("select signed_out_at from people where id = $1", person) > first
    assert f"subject-1 at {ISSUER}" not in (await operator.does("list")).stdout
    recorded = await owner.fetch("select operation, actor_id from audit_entries order by id")
    assert [tuple(row) for row in recorded] == [
        ("identity.link", None), ("person.sign_out", None), ("identity.unlink", None),
    ]  # fmt: skip


async def test_what_cannot_be_is_said(operator: Operator, clinic: Clinic) -> None:
    other = await clinic.team_member()
    await operator.did("link", other, "taken")
    for arguments, words in (
        (("link", "tm_" + "0" * 20, "x"), "no such person"),
        (("link", clinic.clinician, "taken"), "Unlink it there first"),
        (("unlink", clinic.clinician, "taken"), "not linked"),
        (("sign-out", "nobody"), "no such person"),
    ):
        done = await operator.does(*arguments)
        assert done.returncode == 1
        assert words in done.stderr

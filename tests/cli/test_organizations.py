"""`warmline organizations`: a clinic of its own, whose administrator can do everything, or nothing at all."""

import base64
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from server.dispatching import Dispatcher
from server.ids import OrganizationId, PersonId
from server.people.actors import Identity
from tests.support.cast import Clinic
from tests.support.commands import Done, everything, here

FOUND = ("found", "Another Clinic", "--administrator", "Demo Administrator", "--email", "administrator@clinic.invalid")


@pytest.fixture
def does(tmp_path: Path, database_url: str) -> Any:
    master = tmp_path / "master.key"
    master.write_text(base64.b64encode(bytes(range(32))).decode())

    async def does(*arguments: str) -> Done:
        return await here(
            "organizations", *arguments, DATABASE_URL=database_url, REDIS_URL="redis://127.0.0.1:1/0", WARMLINE_PROFILE="dev",
            WARMLINE_MASTER_KEY_FILE=str(master), WARMLINE_TOKEN_ISSUER="none", WARMLINE_TOKEN_KEYS_FILE="/none",
        )  # fmt: skip

    return does


async def test_a_new_clinic_has_an_administrator_who_can_do_the_rest(
    does: Any, clinic: Clinic, owner: asyncpg.Connection
) -> None:
    done = await does(*FOUND)
    assert (done.returncode, done.stderr) == (0, "")
    organization, administrator = (line.split()[0] for line in done.stdout.splitlines())
    dispatcher = Dispatcher(clinic.database, clinic.batcher)
    identity = Identity(OrganizationId(organization), PersonId(administrator))
    me = json.loads(await dispatcher.call(identity, "me", b"{}"))
    assert me["organization"]["name"] == "Another Clinic"
    assert "team.manage" in me["permissions"]
    patient = {"legal_name": "Demo Patient", "email": "a@clinic.invalid", "allocation_clinician_id": administrator}
    await dispatcher.call(identity, "patient.create", json.dumps(patient).encode())

    listed = await does("list")
    assert f"{organization}  " in listed.stdout
    assert "Another Clinic" in listed.stdout
    found = [json.loads(line) for line in (await does("list", "--json")).stdout.splitlines()]
    assert {each["id"] for each in found} == {organization, clinic.organization_id}


async def test_dry_and_wrong_it_changes_nothing(does: Any, database_url: str) -> None:
    before = await everything(database_url)
    dry = await does(*FOUND, "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout.startswith("Would make")
    wrong = await does("found", "Another Clinic", "--administrator", " ", "--email", "nobody")
    assert wrong.returncode == 1
    assert "email" in wrong.stderr
    assert "name" in wrong.stderr
    nameless = await does("found", "", "--administrator", "Demo Administrator", "--email", "a@clinic.invalid")
    assert nameless.returncode == 1
    assert await everything(database_url) == before

"""`warmline people archive`, `channels backfill` and `jobs`: tried dry they change nothing, and say what they would do."""

import base64
from pathlib import Path

import pytest

from server import jobs
from server.ids import OrganizationId, TeamMemberId
from tests.support.cast import Clinic
from tests.support.commands import Done, everything, here
from tests.support.working import do_jobs


class Operator:
    """Somebody at the command line."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.key = folder / "master.key"
        self.key.write_text(base64.b64encode(bytes(range(32))).decode())

    async def does(self, *arguments: str) -> Done:
        """Run it."""
        return await here(
            *arguments, DATABASE_URL=self.url, REDIS_URL="redis://127.0.0.1:1/0", WARMLINE_PROFILE="dev",
            WARMLINE_MASTER_KEY_FILE=str(self.key), WARMLINE_TOKEN_ISSUER="none", WARMLINE_TOKEN_KEYS_FILE="/none",
        )  # fmt: skip

    async def tries(self, *arguments: str) -> str:
        """Run it dry; what it said. Nothing may have changed."""
        before = await everything(self.url)
        done = await self.does(*arguments, "--dry-run")
        assert (done.returncode, done.stderr) == (0, "")
        assert await everything(self.url) == before
        return done.stdout


@pytest.fixture
def operator(tmp_path: Path, database_url: str) -> Operator:
    return Operator(tmp_path, database_url)


async def test_archiving_is_previewed_asked_for_and_carried_out(operator: Operator, clinic: Clinic) -> None:
    patient, leaver, successor = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(patient, leaver)
    would = await operator.tries("people", "archive", leaver, "--successor", successor)
    assert f"{channel}: {clinic.clinician} would take over" in would
    assert f"Leaves 1 channels. 0 patients and 0 groups go to {successor}." in would
    done = await operator.does("people", "archive", leaver)
    assert (done.returncode, "Asked for: arc_" in done.stdout) == (0, True), done
    await do_jobs(clinic.database)
    [row] = await clinic.sql("select status from people where id = $1", leaver)
    assert row["status"] == "archived"
    again = await operator.does("people", "archive", leaver)
    assert (again.returncode, "archived already" in again.stderr) == (1, True)
    for nobody in (TeamMemberId.new(), "nobody"):
        assert (await operator.does("people", "archive", nobody)).returncode == 1


async def test_a_back_fill_is_tried_and_then_done(operator: Operator, clinic: Clinic) -> None:
    patients = [await clinic.patient() for _ in range(3)]
    await do_jobs(clinic.database)
    rule = {"kind": "service_team", "automatic": False, "team_member_ids": [clinic.clinician]}
    await clinic.call(clinic.clinician, "activation_rule.set", **rule)
    command = ("channels", "backfill", clinic.organization_id, "service_team")
    would = await operator.tries(*command)
    assert would.splitlines() == [*sorted(patients), "Would make the service_team channel of 3 patients."]
    assert "Asked for" in (await operator.does(*command)).stdout
    await do_jobs(clinic.database)
    assert "of 0 patients" in await operator.tries(*command)
    assert (await operator.does("channels", "backfill", OrganizationId.new(), "care_team")).returncode == 1


async def test_dead_jobs_are_listed_and_done_after_all(operator: Operator, clinic: Clinic) -> None:
    await clinic.patient()
    assert (await operator.does("jobs", "dead")).stdout == ""
    await clinic.sql("update jobs.pgqueuer set status = 'failed'")
    async with clinic.database.transaction() as tx:
        [job] = await jobs.dead(tx)
    listed = (await operator.does("jobs", "dead")).stdout
    assert listed.split()[:2] == [str(job.id), "patient.activate_channels"]
    assert await operator.tries("jobs", "requeue", str(job.id)) == "Would requeue 1 jobs.\n"
    assert (await operator.does("jobs", "requeue", "999999")).returncode == 1
    assert (await operator.does("jobs", "requeue", str(job.id))).stdout == "Requeued 1 jobs.\n"
    await do_jobs(clinic.database)
    assert (await operator.does("jobs", "dead")).stdout == ""

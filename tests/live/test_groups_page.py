"""The page about group sessions, run as it stands against a real gateway: from making the group to documenting the session."""

import asyncio
import os
import sys
from pathlib import Path

from tests.live.conftest import Start
from tests.support import docs
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.working import do_jobs

PAGE = "docs/groups.md"


async def test_the_page_runs_as_it_stands(start: Start, site: Site, clinic: Clinic, tmp_path: Path) -> None:
    patients = [await clinic.patient() for _ in range(2)]
    gateway = await start()
    program = tmp_path / "session.py"
    program.write_text("\n".join(text for _, text in docs.blocks(PAGE, "python")))
    environment = os.environ | {
        "WARMLINE_URL": gateway.url,
        "WARMLINE_TOKEN": site.token(clinic.identity(clinic.clinician)),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), stdout=pipe, stderr=pipe, env=environment
    )
    said, wrong = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, wrong.decode()
    lines = said.decode().splitlines()
    [group] = (await clinic.call(clinic.clinician, "group.list"))["groups"]
    assert lines[0] == f"Made Depression support, Monday mornings as {group['id']}"
    for _, text in docs.blocks(PAGE, "text"):  # what the page says that it prints
        assert text.strip() in lines
    assert lines[2:] == [
        "3 of 12 places are taken",
        "['Depression support, Monday mornings']",
        "left and back as a new row: True",
        "group None not_started",
        "2 notes; 1 in the second patient's view",
        "session-feedback is still to come from 2",
        "complete by True",
        "This encounter is finalised, and stays as it is. Only a note of the type addendum can be added.",
        "[('patient', 'active'), ('guest', 'left')]",
        "wanted",
    ]
    await do_jobs(clinic.database)
    found = await clinic.call(clinic.clinician, "group.get", group_id=group["id"])
    assert (found["channel"], found["active_members"]) == ("active", 3)
    seen = await clinic.call(patients[0], "channel.list")
    assert [channel["kind"] for channel in seen["channels"]] == ["group"]

"""A worker without a key: nobody gets pushes, and the ledger says so, of each once."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from server.ids import now
from server.notices.rules import WHY
from tests.support.cast import Clinic
from tests.support.pushes import Pushes
from tests.support.site import Site


async def test_without_a_key_what_is_due_is_settled_and_explained_but_what_another_worker_may_send(
    clinic: Clinic, pushes: Pushes, site: Site, tmp_path: Path
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await pushes.device(clinic.clinician)
    pushes.ahead = timedelta(minutes=-2)
    due, claimed = await pushes.say(patient, channel), await pushes.say(patient, channel)
    await clinic.sql(
        "update notices set claimed_until = $1 where (message_id, medium) = ($2, 'push')",
        *(now() + timedelta(seconds=60), claimed),
    )
    pushes.ahead = timedelta()
    fresh = await pushes.say(patient, channel)

    async def of(message: str) -> tuple[str, str]:
        notice = await pushes.notice(clinic.clinician, message)
        return notice["status"], notice["why"]

    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-m", "workers"], env=os.environ | site.environment, stderr=log)
    try:
        async with asyncio.timeout(30):
            while await of(due) == ("due", "new"):
                await asyncio.sleep(0.02)
    finally:
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, 30) == 0, (tmp_path / "worker.log").read_text()
    assert await of(due) == ("suppressed", "no_key")
    assert await of(claimed) == await of(fresh) == ("due", "new")
    found = await clinic.call(clinic.clinician, "notice.why", channel_id=channel, message_id=due)
    [outcome] = [
        each
        for member in found["members"]
        if member["person_id"] == clinic.clinician
        for each in member["outcomes"]
        if (each["medium"], each["cause"]) == ("push", "new")
    ]
    assert (outcome["status"], outcome["why"], outcome["explained"]) == ("suppressed", "no_key", WHY["no_key"])
    assert pushes.endpoint.received == []

"""Workers that are killed in the middle of pushing: the next one goes on with the devices that are left (R31)."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from server.config import Settings
from server.ids import now
from server.notices import ledger
from tests.support.cast import Clinic
from tests.support.pushes import Pushes
from tests.support.site import Site

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
async def start(site: Site, push_settings: Settings, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a worker as `warmline work` does, with the push service of the test as a provider."""
    started: list[subprocess.Popen[bytes]] = []
    told = {
        "WARMLINE_VAPID_KEY_FILE": str(push_settings.vapid_key_file),
        "WARMLINE_VAPID_SUBJECT": str(push_settings.vapid_subject),
        "WARMLINE_PUSH_LOCAL": ",".join(push_settings.push_local),
    }

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "workers"]
            started.append(subprocess.Popen(command, env=os.environ | site.environment | told, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30) == 0, (tmp_path / "worker.log").read_text()


async def until(true: Callable[[], Awaitable[bool]], within: float = 30) -> None:
    """Wait for something to become so."""
    async with asyncio.timeout(within):
        while not await true():
            await asyncio.sleep(0.02)


@pytest.mark.catalogue("R31")
async def test_killed_in_mid_push_the_next_worker_does_the_rest_and_a_row_that_kills_three_is_parked(
    clinic: Clinic, pushes: Pushes, start: Start
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    reached = [await pushes.device(clinic.clinician) for _ in range(3)]
    left = await pushes.device(clinic.clinician)
    pushes.endpoint.answer(left, "hang")
    sent = await clinic.send(patient, channel, "Text")

    async def delivered() -> bool:
        rows = await clinic.sql("select status from notice_deliveries")
        return [row["status"] for row in rows] == ["sent"] * len(reached)

    for time in range(1, ledger.MOST_STARTS + 1):
        worker = start()
        await until(lambda time=time: asyncio.sleep(0, pushes.endpoint.hung == time))  # type: ignore[misc]
        await until(delivered)
        worker.kill()  # -9
        worker.wait()
        notice = await pushes.notice(clinic.clinician, sent["message_id"])
        assert (notice["status"], notice["starts"]) == ("due", time)
        await clinic.sql("update notices set claimed_until = $1", now())  # the lease is over

    pushes.endpoint.answer(left, 201)
    await pushes.send()
    notice = await pushes.notice(clinic.clinician, sent["message_id"])
    assert (notice["status"], notice["why"]) == ("dead", "killed")
    assert [len(pushes.endpoint.at(device)) for device in (*reached, left)] == [1, 1, 1, 0]

    async with clinic.database.transaction() as tx:
        assert await ledger.requeue(tx, [notice["id"]], now()) == [notice["id"]]
    start()
    await until(lambda: _sent(pushes, clinic.clinician, sent["message_id"]))
    assert [len(pushes.endpoint.at(device)) for device in (*reached, left)] == [1, 1, 1, 1]


async def _sent(pushes: Pushes, person: str, message: str) -> bool:
    return bool((await pushes.notice(person, message))["status"] == "sent")

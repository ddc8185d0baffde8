"""The rules' jobs under kill -9 and under load: real workers, killed while they hold half of a job, and sends that go on."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from server.ids import ChannelId
from tests.chat.test_archiving import ask, log, outcome, team
from tests.chat.test_staffed import UNSTAFFED
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.working import do_jobs

WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
LISTENING = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen %'"
LEFT = "select count(*) from jobs.pgqueuer"


def worker(site: Site) -> subprocess.Popen[bytes]:
    """One worker process, as `warmline work` starts it."""
    return subprocess.Popen([sys.executable, "-m", "workers"], env=os.environ | site.environment)


async def until(owner: asyncpg.Connection, query: str, *wanted: int) -> None:
    async with asyncio.timeout(30):
        while await owner.fetchval(query) not in wanted:
            await asyncio.sleep(0.02)


async def killed_in_mid_job(
    site: Site, owner: asyncpg.Connection, url: str, hold: tuple[str, ...], start: Callable[[], Awaitable[Any]]
) -> Any:
    """Hold a row that the job will need, start the job, kill its worker once that waits, let go, and have two others do it."""
    holder = await asyncpg.connect(url)
    doomed = worker(site)
    try:
        held = holder.transaction()
        await held.start()
        await holder.execute(*hold)
        started = await start()
        await until(owner, WAITING, 1, 2)
        doomed.kill()
        doomed.wait(10)
        await held.rollback()
    finally:
        doomed.kill()
        doomed.wait(10)
        await holder.close()
    heirs = [worker(site), worker(site)]
    try:
        await until(owner, LISTENING, 2)  # who is still starting when it is told to end, ends as Python does
        await until(owner, LEFT, 0)
    finally:
        for heir in heirs:
            heir.terminate()
            # The other one may have done it all before this one listens to signals.
            assert await asyncio.to_thread(heir.wait, 30) in (0, -signal.SIGTERM)
    return started


async def test_a_patients_channels_are_made_once_though_the_worker_is_killed(
    clinic: Clinic, site: Site, owner: asyncpg.Connection, database_url: str
) -> None:
    nominee = await clinic.team_member()
    for kind in ("care_team", "service_team"):
        rule = {"kind": kind, "automatic": True, "team_member_ids": [nominee]}
        await clinic.call(clinic.clinician, "activation_rule.set", **rule)
    hold = ("lock table audit_entries in share mode",)  # the first channel is written by the time its entry has to wait
    patient = await killed_in_mid_job(site, owner, database_url, hold, clinic.patient)
    rows = await clinic.sql("select kind, top_offset from channels where patient_id = $1 order by kind", patient)
    assert [tuple(row) for row in rows] == [("care_team", 1), ("service_team", 1)]


async def test_an_archiving_is_done_once_though_the_worker_is_killed(
    clinic: Clinic, site: Site, owner: asyncpg.Connection, database_url: str
) -> None:
    leaver = await clinic.team_member()
    made = [await clinic.care_team(await clinic.patient(), leaver) for _ in range(3)]
    await do_jobs(clinic.database)
    # Held is what the job changes last of all: everything before is done, and undone by the kill.
    hold = ("select from memberships where channel_id = $1 and person_id = $2 for update", max(made), leaver)
    asked = await killed_in_mid_job(site, owner, database_url, hold, lambda: ask(clinic, leaver))  # type: ignore[arg-type]
    assert (await outcome(clinic, asked["id"]))["status"] == "done"
    for channel in made:
        assert await log(clinic, channel) == ["opened", "joined", "left"]
        assert set(await team(clinic, channel)) == {clinic.clinician}


async def test_sends_go_on_while_many_channels_are_handed_over(clinic: Clinic) -> None:
    leaver, net = await clinic.team_member(), await clinic.team_member()
    patients = [await clinic.patient() for _ in range(60)]
    made: list[ChannelId] = []
    for start in range(0, 60, 20):
        made += await asyncio.gather(*(clinic.care_team(patient, leaver) for patient in patients[start : start + 20]))
    await clinic.call(clinic.clinician, "organization.update", safety_net_id=net)
    sent: list[asyncio.Task[Any]] = []
    done = asyncio.Event()

    async def send() -> None:
        while not done.is_set():
            number = len(sent) % 60
            sent.append(asyncio.create_task(clinic.send(patients[number], made[number], "Text")))
            await asyncio.sleep(0.005)

    sending = asyncio.create_task(send())
    asked = await ask(clinic, leaver)
    await do_jobs(clinic.database)
    done.set()
    await sending
    assert len({(await one)["message_id"] for one in sent}) == len(sent) > 0
    assert (await outcome(clinic, asked["id"]))["status"] == "done"
    assert await clinic.sql(UNSTAFFED) == []
    members = await clinic.sql(
        "select person_id from memberships where channel_id = any ($1) and left_at is null and person_kind = 'team_member'",
        made,
    )
    assert [row["person_id"] for row in members] == [clinic.clinician] * 60

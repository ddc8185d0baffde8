"""Workers of notices at the same time, killed in the middle: everything is planned once, and nothing is lost or doubled."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from server import metrics
from server.ids import now
from tests.support.cast import Clinic
from tests.support.reaching import Reaching
from workers import notices
from workers.notices import Planner
from workers.runner import once

LOST = "select from channels c left join notice_marks k on k.channel_id = c.id where c.top_offset > coalesce(k.planned_offset, 0)"
OWED = """
select (select count(*) from memberships m join messages x on x.channel_id = m.channel_id
         where x.author_person_id <> m.person_id and x.log_offset > m.joined_offset) as owed,
       (select count(*) from notices where medium = 'push') as planned,
       (select count(*) from notices where status = 'due' and medium = 'push') as due"""


@pytest.fixture
def reaching(clinic: Clinic) -> Reaching:
    return Reaching(clinic)


async def until_all_is_sent(clinic: Clinic) -> None:
    async with asyncio.timeout(20):
        while True:
            [row] = await clinic.sql(OWED)
            if row["owed"] == row["planned"] and not row["due"]:
                return
            await asyncio.sleep(0.05)


@pytest.mark.catalogue("R31")
async def test_three_workers_of_whom_some_are_killed_plan_and_send_everything_once(
    clinic: Clinic, reaching: Reaching, database_url: str, tmp_path: Path
) -> None:
    people = [await clinic.team_member() for _ in range(4)]
    await reaching.device(*people)
    channels = [await clinic.channel("direct", *people) for _ in range(3)]
    started, file = now(), tmp_path / "sent"

    def begin() -> subprocess.Popen[bytes]:
        arguments = ("-m", "tests.workers.planning", database_url, str(file), started.isoformat())
        return subprocess.Popen([sys.executable, *arguments])

    workers = [begin() for _ in range(3)]
    while not all(Path(f"{file}.{each.pid}").exists() for each in workers):
        await asyncio.sleep(0.02)
    kills = 0
    try:
        for number in range(40):
            await clinic.send(people[number % 4], channels[number % 3], "Text")
            if number % 12 == 11:
                workers[kills % 3].kill()
                workers[kills % 3].wait()
                workers[kills % 3] = begin()
                kills += 1
        await until_all_is_sent(clinic)
    finally:
        for each in workers:
            each.kill()
            each.wait()
    assert await clinic.sql(LOST) == []
    sent = Counter(file.read_text().split())
    rows = await clinic.sql("select id, status, attempts from notices where medium = 'push'")
    assert {row["status"] for row in rows} == {"sent"}
    assert sent.keys() == {row["id"] for row in rows}
    assert all(sent[row["id"]] <= row["attempts"] for row in rows)
    assert sum(count - 1 for count in sent.values()) <= 5 * kills  # what was sent and not noted yet


async def test_planning_wakes_who_sends_and_says_how_far_it_is(clinic: Clinic, reaching: Reaching) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await reaching.device(patient)
    due, stopped = asyncio.Event(), asyncio.Event()
    before = metrics.REGISTRY.get_sample_value("warmline_notices_planned_total") or 0
    planning = [asyncio.create_task(Planner(clinic.database, due).run(stopped)) for _ in range(3)]
    await clinic.send(clinic.clinician, channel, "Text")
    await asyncio.wait_for(due.wait(), 10)
    for sweep in notices.sweeps():
        assert await once(clinic.database, sweep)
    assert metrics.REGISTRY.get_sample_value("warmline_notices_due", {"medium": "push"}) == 1
    assert metrics.REGISTRY.get_sample_value("warmline_notices_due", {"medium": "email"}) == 0
    assert metrics.REGISTRY.get_sample_value("warmline_notices_planned_total") == before + 1
    stopped.set()
    await asyncio.wait_for(asyncio.gather(*planning), 10)


async def test_planning_goes_on_after_the_database_was_away(
    clinic: Clinic, reaching: Reaching, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await reaching.device(patient)
    due, stopped = asyncio.Event(), asyncio.Event()
    planner = Planner(clinic.database, due)
    planning = asyncio.create_task(planner.run(stopped))
    while not planner._everywhere_at:
        await asyncio.sleep(0.01)
    away = clinic.database.transaction
    failures = [OSError("away"), ZeroDivisionError()]

    def broken():
        if failures:
            raise failures.pop()
        return away()

    # It is away for longer than what counts as lately.
    async with clinic.database.transaction() as tx:
        await tx.rows("select from notice_marks for update")
        await clinic.send(clinic.clinician, channel, "Text")
        await owner.execute("update events set created_at = created_at - interval '1 minute'")
        monkeypatch.setattr(clinic.database, "transaction", broken)
    while failures:
        await asyncio.sleep(0.01)
    await asyncio.wait_for(due.wait(), 10)
    stopped.set()
    await asyncio.wait_for(planning, 10)

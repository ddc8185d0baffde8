"""Everybody changes everything at once: people archived and taken back, members added, removed and leaving, patients reassigned,
archived and taken back, with two workers. No patient is ever alone, and nobody waits in a circle."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from server.errors import NotFound, WarmlineError
from tests.chat.test_staffed import UNSTAFFED
from tests.support.cast import Clinic
from tests.support.working import do_jobs
from workers.handlers import HANDLERS
from workers.jobs import Worker

STEPS, AT_ONCE = 70, 6


class Churn:
    """People at random, doing things at random."""

    def __init__(self, clinic: Clinic, team: Sequence[str], patients: Sequence[str]) -> None:
        self.clinic, self.team, self.patients = clinic, team, patients
        self.chance = random.Random(11)
        self.done = 0

    async def call(self, name: str, **params: object) -> None:
        await self.clinic.call(self.clinic.clinician, name, **params)

    async def place(self) -> tuple[str, str, str]:
        """A channel with a patient, and somebody of its team: (channel, membership, person)."""
        rows = await self.clinic.sql(
            """select channel_id, id, person_id from memberships where left_at is null and person_kind = 'team_member'
                  and channel_id in (select channel_id from memberships where person_kind = 'patient' and left_at is null)"""
        )
        if not rows:
            raise NotFound("Just now every patient is archived, and their teams have gone.")
        return tuple(self.chance.choice(rows))

    async def archive(self) -> None:
        person, successor = self.chance.sample(self.team, 2)
        await self.call(
            "team_member.archive", team_member_id=person, successor_id=self.chance.choice([None, successor])
        )

    async def unarchive(self) -> None:
        await self.call("team_member.unarchive", team_member_id=self.chance.choice(self.team))

    async def leave(self) -> None:
        channel, _, person = await self.place()
        replacement = self.chance.choice([None, *self.team])
        await self.clinic.call(person, "channel.leave", channel_id=channel, replacement_id=replacement)

    async def remove(self) -> None:
        channel, member, person = await self.place()
        await self.clinic.call(person, "member.remove", channel_id=channel, member_id=member)

    async def add(self) -> None:
        channel, _, person = await self.place()
        await self.clinic.call(person, "member.add", channel_id=channel, person_id=self.chance.choice(self.team))

    async def reassign(self) -> None:
        patient, clinician = self.chance.choice(self.patients), self.chance.choice(self.team)
        await self.call("patient.update", patient_id=patient, allocation_clinician_id=clinician)

    async def patient(self) -> None:
        verb = self.chance.choice(["archive", "unarchive"])
        await self.call(f"patient.{verb}", patient_id=self.chance.choice(self.patients))

    async def go_on(self) -> None:
        acts: list[Callable[[], Awaitable[None]]] = [
            self.archive, self.archive, self.unarchive, self.leave, self.remove, self.add, self.add, self.reassign, self.patient,
        ]  # fmt: skip
        for _ in range(STEPS):
            try:
                await self.chance.choice(acts)()
                self.done += 1
            except WarmlineError:  # refused, in one of its many ways
                pass
            assert await self.clinic.sql(UNSTAFFED) == []


async def test_no_patient_is_ever_alone_and_nobody_waits_in_a_circle(clinic: Clinic, owner: asyncpg.Connection) -> None:
    team = [await clinic.team_member("ADMIN") for _ in range(6)]
    for kind in ("care_team", "service_team"):
        rule = {"kind": kind, "automatic": True, "team_member_ids": team[:3]}
        await clinic.call(clinic.clinician, "activation_rule.set", **rule)
    patients = [await clinic.patient() for _ in range(5)]
    await do_jobs(clinic.database)
    for number in range(3):
        await clinic.channel("group", team[number], *patients[number : number + 2])
    await clinic.call(clinic.clinician, "organization.update", safety_net_id=clinic.clinician)
    before = await owner.fetchval("select deadlocks from pg_stat_database where datname = current_database()")
    stopped = asyncio.Event()
    workers = [asyncio.create_task(Worker(clinic.database, HANDLERS).run(stopped)) for _ in range(2)]
    churn = Churn(clinic, team, patients)
    await asyncio.gather(*(churn.go_on() for _ in range(AT_ONCE)))
    stopped.set()
    await asyncio.gather(*workers)
    await clinic.sql("update jobs.pgqueuer set execute_after = now() where status = 'queued'")
    await do_jobs(clinic.database)
    ended = await clinic.sql("select status from archivings where organization_id = $1", clinic.organization_id)
    assert {row["status"] for row in ended} == {"done", "refused"}
    assert await clinic.sql(UNSTAFFED) == []
    assert churn.done > AT_ONCE * STEPS / 10
    after = await owner.fetchval("select deadlocks from pg_stat_database where datname = current_database()")
    assert after == before

"""`python -m benchmarks.handover`: one team member with many patients' channels is archived, while others go on sending.

A worker process carries it out; the sends go through a batcher of this process, spread over the channels that are handed
over. Told: how long the transaction held the channels, how long the sends took, and whether any was refused. Bounded: it
sends for a few seconds and stops by itself. `python -m benchmarks.handover 1000 200`: channels, sends per second.
"""

import asyncio
import contextlib
import statistics
import sys
import time
from dataclasses import dataclass, field

from benchmarks import machine, stack
from benchmarks.clinic import AT_ONCE, Clinic, founded
from benchmarks.stack import Stack
from benchmarks.worker import worker
from server.chat import archiving
from server.chat.archiving import ArchiveTeamMember
from server.chat.batcher import Batcher
from server.chat.models import Channel
from server.chat.opening import begin
from server.errors import WarmlineError
from server.ids import ChannelId, PersonId, TeamMemberId
from server.people.actors import Identity

BEFORE_SECONDS, AFTER_SECONDS = 1.0, 1.0


@dataclass
class Sending:
    """What became of the sends."""

    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


async def channels(clinic: Clinic, count: int, leaver: PersonId, patients: list[PersonId]) -> list[ChannelId]:
    """A care-team channel for each patient, with this one team member in it."""
    made: list[ChannelId] = []
    for start in range(0, count, AT_ONCE):
        async with clinic.database.transaction() as tx:
            for patient in patients[start : start + AT_ONCE]:
                channel = Channel(
                    organization_id=clinic.organization_id, id=ChannelId.new(), kind="care_team", patient_id=patient
                )  # fmt: skip
                await begin(tx, channel, [patient, leaver])
                made.append(channel.id)
    return made


async def sending(
    clinic: Clinic, batcher: Batcher, pairs: list[tuple[PersonId, ChannelId]], rate: int, stop: asyncio.Event
) -> Sending:
    """Each patient in turn sends into their channel, so many times a second in all, until told to stop."""
    done, running, number = Sending(), set(), 0
    began = time.monotonic()

    async def one(number: int) -> None:
        person, channel = pairs[number % len(pairs)]
        asked = time.monotonic()
        try:
            await batcher.send(Identity(clinic.organization_id, person), channel, f"send-{number}", "Text", None)
            done.seconds.append(time.monotonic() - asked)
        except WarmlineError as refused:
            done.refused.append(refused.message)

    while not stop.is_set():
        task = asyncio.create_task(one(number))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
    await asyncio.gather(*running)
    return done


async def handed_over(clinic: Clinic, leaver: PersonId) -> float:
    """Ask for it and wait; the seconds from the request's commit until it is done."""
    params = ArchiveTeamMember(team_member_id=TeamMemberId(leaver))
    async with clinic.database.transaction() as tx:
        asked = await archiving.request(tx, clinic.organization_id, None, params)
    began = time.monotonic()
    query = "select status, why from archivings where id = $1"
    while (row := (await clinic.database.fetch(query, asked.id))[0])["status"] == "pending":
        await asyncio.sleep(0.01)
    if row["status"] != "done":
        raise RuntimeError(row["why"])
    return time.monotonic() - began


async def measure(parts: Stack, count: int, rate: int) -> None:
    """Once, and say what was seen."""
    settings = await parts.settings("handover")
    async with contextlib.AsyncExitStack() as open_:
        clinic = await open_.enter_async_context(founded(settings))
        [leaver, clinician] = await clinic.staff(2)
        patients = await clinic.patients(count, clinician)
        made = await channels(clinic, count, leaver, patients)
        await open_.enter_async_context(worker(parts, settings))
        while (await clinic.database.fetch("select count(*) as left from jobs.pgqueuer"))[0]["left"]:
            await asyncio.sleep(0.1)  # what came of creating the patients
        batcher = Batcher(clinic.database, lambda _topic, _payload: None)
        await batcher.start()
        stop = asyncio.Event()
        pairs = list(zip(patients, made, strict=True))
        traffic = asyncio.create_task(sending(clinic, batcher, pairs, rate, stop))
        await asyncio.sleep(BEFORE_SECONDS)
        took = await handed_over(clinic, leaver)
        await asyncio.sleep(AFTER_SECONDS)
        stop.set()
        sent = await traffic
        await batcher.stop()
    slow = sorted(sent.seconds)
    print(f"{count} channels handed over: {took:.2f} s from the request's commit until it is done")
    print(
        f"{len(slow)} sends at {rate}/s, {len(sent.refused)} refused; seconds: median {statistics.median(slow):.3f}, "
        f"p99 {slow[int(len(slow) * 0.99)]:.3f}, longest {slow[-1]:.3f}"
    )


async def main() -> None:
    """Measure with the numbers of the command line."""
    count, rate = (int(number) for number in (sys.argv[1:3] if len(sys.argv) > 2 else ("1000", "200")))
    async with stack.running(machine.plan(for_postgres=2)) as parts:
        await measure(parts, count, rate)


if __name__ == "__main__":
    asyncio.run(main())

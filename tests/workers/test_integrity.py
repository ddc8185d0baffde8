"""The integrity sweep: silent about a whole database, and loud about each kind of damage, with ids and nothing else."""

import asyncio

import asyncpg
import pytest

from server import events
from tests.support.cast import Clinic
from workers import integrity

DAMAGES = {
    "an event is gone from the middle": (
        "delete from events where channel_id = $1 and log_offset = 3",
        "log has a hole",
    ),
    "the first event is gone": ("delete from events where channel_id = $1 and log_offset = 1", "log has a hole"),
    "the last event is gone": ("delete from events where channel_id = $1 and log_offset = 4", "log has a hole"),
    "the head stands too far": ("update channels set top_offset = 9 where id = $1", "log has a hole"),
    "the head stands back": ("update channels set top_offset = 2 where id = $1", "log has a hole"),
    "an offset was moved": (
        "update events set log_offset = 9 where channel_id = $1 and log_offset = 4",
        "log has a hole",
    ),
    "the words are gone": ("delete from message_revisions where channel_id = $1", "message without its words"),
    "the current words are gone": (
        "update messages set revision = 2 where channel_id = $1",
        "message without its words",
    ),
    "a message is gone": ("delete from messages where channel_id = $1 and log_offset = 3", "message without its words"),
    "the team is gone": (
        "update memberships set left_at = now(), left_offset = 9 where channel_id = $1 and person_kind = 'team_member'",
        "patient without a team",
    ),
    "the team is archived": (
        """update people set status = 'archived'
            where id in (select person_id from memberships where channel_id = $1 and person_kind = 'team_member')""",
        "patient without a team",
    ),
}


async def swept(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What a sweep has to say."""
    caplog.clear()
    async with clinic.database.transaction() as tx:
        await integrity.sweep(tx)
    return [record.getMessage() for record in caplog.records if record.name == "workers.integrity"]


async def written(clinic: Clinic) -> str:
    """A channel with three messages and a team of its own."""
    patient = await clinic.patient()
    channel = await clinic.care_team(patient, await clinic.team_member())
    for number in range(3):
        await clinic.send(patient, channel, f"canary {number}")
    return channel


async def test_a_whole_database_is_nothing_to_speak_of(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient())
    await clinic.send(clinic.clinician, channel, "Text")
    await clinic.add(channel, colleague)
    await clinic.remove(channel, clinic.clinician)
    await clinic.channel("group", await clinic.team_member())
    archived = await clinic.patient()
    await clinic.care_team(archived, colleague)
    await clinic.archive(archived)
    assert await swept(clinic, caplog) == []


async def test_each_kind_of_damage_is_found(
    clinic: Clinic, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await owner.execute("set session_replication_role = replica")
    known: set[str] = set()
    for kind, (damage, what) in DAMAGES.items():
        channel = await written(clinic)
        await owner.execute(damage, channel)
        told = set(await swept(clinic, caplog)) - known
        assert told == {f"integrity: {what}: channel {channel} of {clinic.organization_id}"}, kind
        known |= told
    assert "canary" not in str(known)


async def test_a_log_that_is_older_than_the_window_is_not_mistaken_for_a_hole(
    clinic: Clinic, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    channel = await written(clinic)
    await owner.execute("update events set created_at = now() - interval '1 day' where log_offset < 4")
    assert await swept(clinic, caplog) == []
    await owner.execute("set session_replication_role = replica")
    await owner.execute("delete from events where channel_id = $1 and log_offset = 3", channel)
    assert len(await swept(clinic, caplog)) == 1


async def test_writing_meanwhile_is_no_damage(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    channel = await clinic.care_team(await clinic.patient())

    async def write() -> None:
        for _ in range(10):
            await asyncio.gather(*(clinic.send(clinic.clinician, channel, "Text") for _ in range(20)))

    writing, told = asyncio.create_task(write()), []
    while not writing.done():
        told += await swept(clinic, caplog)
    await writing
    assert told == []
    assert (
        integrity.EVERY_SECONDS + events.LOOK_BACK_SECONDS < 180
    )  # the window covers what one sweep could not yet see

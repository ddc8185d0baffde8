"""A group's channel follows its roster: made, joined, left and archived by a worker, once, whatever happens meanwhile."""

import asyncio
from typing import Any

import asyncpg
import pytest

from server import jobs
from server.errors import Conflict, Forbidden, NotFound
from server.ids import GroupId
from server.roster.asking import JOB
from tests.chat.test_archiving import archived, log
from tests.roster.test_members import add, add_batch, group, guest, patients, roster
from tests.support.cast import Clinic
from tests.support.working import do_jobs


async def followed(clinic: Clinic, *people: str, **more: Any) -> str:
    """A group that a channel follows, with these on its roster."""
    group_id = await group(clinic, facilitator_id=clinic.clinician, **more)
    if people:
        await add_batch(clinic, group_id, people)
    await clinic.call(clinic.clinician, "group.channel", group_id=group_id)
    await do_jobs(clinic.database)
    return group_id


async def shown(clinic: Clinic, group_id: str) -> dict[str, Any]:
    return dict(await clinic.call(clinic.clinician, "group.get", group_id=group_id))


async def channel_of(clinic: Clinic, group_id: str) -> str:
    [row] = await clinic.sql("select channel_id from groups where id = $1", group_id)
    return str(row["channel_id"])


async def there(clinic: Clinic, group_id: str) -> set[str]:
    """Who is in the group's channel."""
    channel = await channel_of(clinic, group_id)
    rows = await clinic.sql("select person_id from memberships where channel_id = $1 and left_at is null", channel)
    return {row["person_id"] for row in rows}


async def leave_group(clinic: Clinic, group_id: str, who: str) -> str:
    [row] = [row for row in await roster(clinic, group_id, status="active") if row["patient_id"] == who]
    await clinic.call(clinic.clinician, "group_member.remove", group_id=group_id, group_member_id=row["id"])
    await do_jobs(clinic.database)
    return str(row["id"])


async def test_it_is_made_with_the_facilitator_and_follows_who_comes_and_goes(clinic: Clinic) -> None:
    one, two, three = await patients(clinic, 3)
    spouse = await guest(clinic)
    group_id = await followed(clinic, one, two, spouse, name="Mondays")
    assert await there(clinic, group_id) == {clinic.clinician, one, two}
    found = await shown(clinic, group_id)
    assert (found["channel"], found["channel_id"]) == ("active", await channel_of(clinic, group_id))
    [row] = await clinic.sql("select name, kind, facilitator_id from channels where id = $1", found["channel_id"])
    assert tuple(row.values()) == ("Mondays", "group", clinic.clinician)
    await clinic.send(clinic.clinician, found["channel_id"], "Before the third")
    await add(clinic, group_id, three)
    await do_jobs(clinic.database)
    assert await there(clinic, group_id) == {clinic.clinician, one, two, three}
    rows = await clinic.sql("select distinct source from memberships where channel_id = $1", found["channel_id"])
    assert [row["source"] for row in rows] == ["roster"]
    seen = await clinic.call(three, "message.history", channel_id=found["channel_id"])
    assert "Before the third" not in str(seen)
    assert "Before the third" in str(await clinic.call(one, "message.history", channel_id=found["channel_id"]))
    assert {row["patient_id"]: row["in_channel"] for row in await roster(clinic, group_id)} == {
        one: True, two: True, three: True, None: False,
    }  # fmt: skip
    await leave_group(clinic, group_id, two)
    assert await there(clinic, group_id) == {clinic.clinician, one, three}
    with pytest.raises(NotFound):
        await clinic.call(two, "message.history", channel_id=found["channel_id"])
    assert await log(clinic, found["channel_id"]) == ["opened", "joined", "message", "joined", "left"]


async def test_it_is_for_those_who_manage_messaging_and_wanted_in_so_many_words(clinic: Clinic) -> None:
    group_id, manager = await group(clinic, facilitator_id=clinic.clinician), await clinic.team_member("DOCTOR")
    await add(clinic, group_id, await clinic.patient())
    await do_jobs(clinic.database)
    assert (await shown(clinic, group_id))["channel"] == "none"
    with pytest.raises(Forbidden, match=r"messaging\.manage"):
        await clinic.call(manager, "group.channel", group_id=group_id)
    nurse = await clinic.team_member("NURSE")
    await clinic.sql("update team_members set extra_permissions = '{messaging.manage}' where id = $1", nurse)
    with pytest.raises(Forbidden, match=r"group\.update"):
        await clinic.call(nurse, "group.channel", group_id=group_id)
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "group.channel", group_id=GroupId.new())
    with pytest.raises(Conflict, match="facilitator"):
        await clinic.call(clinic.clinician, "group.channel", group_id=await group(clinic))
    assert (await clinic.call(clinic.clinician, "group.channel", group_id=group_id))["channel"] == "wanted"
    outsider = await clinic.team_member("ADMIN")
    await do_jobs(clinic.database)
    seen = await clinic.call(outsider, "group.get", group_id=group_id)
    assert (seen["channel"], seen["channel_id"]) == ("active", None)  # its id is for its members


async def test_who_left_by_hand_stays_out_until_their_row_changes(clinic: Clinic) -> None:
    stays, leaves, removed = await patients(clinic, 3)
    group_id = await followed(clinic, stays, leaves, removed)
    channel = await channel_of(clinic, group_id)
    await clinic.call(leaves, "channel.leave", channel_id=channel)
    await clinic.remove(channel, removed)
    await add(clinic, group_id, await clinic.patient())
    await do_jobs(clinic.database)
    assert {leaves, removed} & await there(clinic, group_id) == set()
    assert len(await there(clinic, group_id)) == 3
    for who in (leaves, removed):
        row = await leave_group(clinic, group_id, who)
        await clinic.call(clinic.clinician, "group_member.rejoin", group_id=group_id, group_member_id=row)
    await do_jobs(clinic.database)
    assert {leaves, removed} <= await there(clinic, group_id)


async def test_who_was_there_before_belongs_to_the_roster_from_now_on(clinic: Clinic) -> None:
    first, friend = await patients(clinic, 2)
    group_id = await followed(clinic, first)
    channel = await channel_of(clinic, group_id)
    await clinic.add(channel, friend)
    before = await log(clinic, channel)
    await add(clinic, group_id, friend)
    await do_jobs(clinic.database)
    assert await log(clinic, channel) == before
    await leave_group(clinic, group_id, friend)
    assert friend not in await there(clinic, group_id)


async def test_the_channel_is_archived_with_the_group_and_comes_back_with_it(clinic: Clinic) -> None:
    one, two = await patients(clinic, 2)
    group_id = await followed(clinic, one, two)
    channel = await channel_of(clinic, group_id)

    async def becomes(verb: str, what: str, **params: Any) -> str:
        await clinic.call(clinic.clinician, f"{what}.{verb}", **params)
        await do_jobs(clinic.database)
        return str((await shown(clinic, group_id))["channel"])

    assert await becomes("archive", "group", group_id=group_id) == "archived"
    await leave_group(clinic, group_id, two)
    assert await there(clinic, group_id) == {clinic.clinician, one}
    assert await becomes("unarchive", "group", group_id=group_id) == "active"
    # What is archived by hand stays so until the group's own status changes.
    assert await becomes("archive", "channel", channel_id=channel) == "archived"
    assert await becomes("update", "group", group_id=group_id, name="Other") == "archived"
    assert await becomes("archive", "group", group_id=group_id) == "archived"
    assert await becomes("unarchive", "group", group_id=group_id) == "active"
    assert await log(clinic, channel) == [
        "opened",
        "joined",
        "archived",
        "left",
        "unarchived",
        "archived",
        "unarchived",
    ]


async def test_a_new_facilitator_is_staffed_in(clinic: Clinic) -> None:
    group_id, leader = await followed(clinic, await clinic.patient()), await clinic.team_member()
    await clinic.call(clinic.clinician, "group.update", group_id=group_id, facilitator_id=leader)
    await do_jobs(clinic.database)
    assert {leader, clinic.clinician} <= await there(clinic, group_id)
    [row] = await clinic.sql("select facilitator_id from channels where id = $1", await channel_of(clinic, group_id))
    assert row["facilitator_id"] == leader
    assert (await archived(clinic, leader, successor_id=clinic.clinician))["status"] == "done"
    assert (await shown(clinic, group_id))["facilitator_id"] == clinic.clinician


async def test_nobody_comes_in_by_making_themselves_facilitator(clinic: Clinic) -> None:
    group_id, curious = await followed(clinic, await clinic.patient()), await clinic.team_member("DOCTOR")
    await clinic.call(curious, "group.update", group_id=group_id, name="Mondays", facilitator_id=clinic.clinician)
    with pytest.raises(Forbidden, match="Messaging Management"):
        await clinic.call(curious, "group.update", group_id=group_id, facilitator_id=curious)
    await clinic.call(curious, "group.update", group_id=group_id, facilitator_id=None)
    with pytest.raises(Forbidden, match="Messaging Management"):
        await clinic.call(curious, "group.update", group_id=group_id, facilitator_id=curious)
    await do_jobs(clinic.database)
    assert curious not in await there(clinic, group_id)
    alone = await group(clinic)
    changed = await clinic.call(curious, "group.update", group_id=alone, facilitator_id=curious)
    assert changed["facilitator_id"] == curious, "without a channel it joins nobody to anything"


async def test_an_archived_patients_rows_end_and_so_do_their_places_in_channels(clinic: Clinic) -> None:
    one, two = await patients(clinic, 2)
    group_id, other = await followed(clinic, one, two), await group(clinic)
    await add(clinic, other, one)
    await clinic.call(clinic.clinician, "patient.archive", patient_id=one)
    await do_jobs(clinic.database)
    for made in (group_id, other):
        assert one not in [row["patient_id"] for row in await roster(clinic, made, status="active")]
    assert await there(clinic, group_id) == {clinic.clinician, two}
    await clinic.call(clinic.clinician, "patient.unarchive", patient_id=one)
    await do_jobs(clinic.database)
    assert await there(clinic, group_id) == {clinic.clinician, two}
    found = (await clinic.call(clinic.clinician, "patient.groups", patient_id=one))["groups"]
    assert [row["status"] for row in found] == ["left", "left"]


async def test_they_end_also_if_the_patient_is_taken_back_before_a_worker_comes_to_it(clinic: Clinic) -> None:
    [one] = await patients(clinic, 1)
    group_id, other = await followed(clinic, one), await group(clinic)
    for verb in ("archive", "unarchive"):
        await clinic.call(clinic.clinician, f"patient.{verb}", patient_id=one)
    await add(clinic, other, one)  # anew, and so it stays
    await do_jobs(clinic.database)
    assert await roster(clinic, group_id, status="active") == []
    assert [row["patient_id"] for row in await roster(clinic, other, status="active")] == [one]
    await add(clinic, group_id, one)
    await do_jobs(clinic.database)
    assert one in await there(clinic, group_id)


async def test_who_would_be_taken_for_somebody_else_waits_and_nobody_waits_with_them(clinic: Clinic) -> None:
    one, same, other = await patients(clinic, 3)
    for who in (one, same):
        await clinic.call(who, "profile.update", display_name="Robin")
    group_id = await followed(clinic, one)
    await add_batch(clinic, group_id, [same, other])
    await do_jobs(clinic.database)
    assert await there(clinic, group_id) == {clinic.clinician, one, other}
    await clinic.call(same, "profile.update", display_name="Sparrow")
    await clinic.call(clinic.clinician, "group.update", group_id=group_id, description="Anything")
    await do_jobs(clinic.database)
    assert same in await there(clinic, group_id)


async def test_it_follows_no_longer_when_told_so_and_catches_up_when_told_again(clinic: Clinic) -> None:
    one, two = await patients(clinic, 2)
    group_id = await followed(clinic, one)
    await clinic.call(clinic.clinician, "group.channel", group_id=group_id, follow=False)
    await add(clinic, group_id, two)
    await leave_group(clinic, group_id, one)
    assert await there(clinic, group_id) == {clinic.clinician, one}
    assert not (await shown(clinic, group_id))["channel_follows"]
    await clinic.call(clinic.clinician, "group.channel", group_id=group_id)
    await do_jobs(clinic.database)
    assert await there(clinic, group_id) == {clinic.clinician, two}


async def test_asked_twice_and_done_by_many_workers_at_once_it_happens_once(clinic: Clinic) -> None:
    people = await patients(clinic, 12)
    group_id = await group(clinic, facilitator_id=clinic.clinician)
    await clinic.call(clinic.clinician, "group.channel", group_id=group_id)
    args = {"organization_id": clinic.organization_id, "group_id": group_id}
    for _ in range(4):
        async with clinic.database.transaction() as tx:
            await jobs.enqueue(tx, JOB, args)
    await asyncio.gather(
        do_jobs(clinic.database), do_jobs(clinic.database), *(add(clinic, group_id, who) for who in people)
    )
    await do_jobs(clinic.database)
    channel = await channel_of(clinic, group_id)
    assert await there(clinic, group_id) == {clinic.clinician, *people}
    rows = await clinic.sql("select person_id from memberships where channel_id = $1", channel)
    assert len(rows) == 13
    made = await clinic.sql(
        "select id from channels where organization_id = $1 and kind = 'group'", clinic.organization_id
    )
    assert [row["id"] for row in made] == [channel]
    assert await clinic.offsets(channel) == [*range(1, await clinic.top(channel) + 1)]


async def test_it_waits_for_who_changes_the_roster_just_now(clinic: Clinic, owner: asyncpg.Connection) -> None:
    first, second = await patients(clinic, 2)
    group_id = await followed(clinic, first)
    await add(clinic, group_id, second)
    async with owner.transaction():
        await owner.execute("select from groups where id = $1 for no key update", group_id)
        await owner.execute(
            "update group_members set status = 'left', left_at = clock_timestamp() where patient_id = $1", second
        )
        working = asyncio.create_task(do_jobs(clinic.database))
        done, _ = await asyncio.wait([working], timeout=1)
        assert not done
    await working
    assert second not in await there(clinic, group_id)

"""A patient channel has staff, always: whoever leaves, is archived or comes back, by operations or by plain SQL, at once."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from server.errors import Conflict, WarmlineError
from server.ids import MembershipId
from tests.support.cast import Clinic
from tests.support.race import Act, Outcome, race

UNSTAFFED = """
select distinct m.channel_id from memberships m join people p on p.id = m.person_id
 where m.left_at is null and p.kind = 'patient' and p.status = 'active' and not exists (
   select from memberships s join people t on t.id = s.person_id
    where s.channel_id = m.channel_id and s.left_at is null and t.kind = 'team_member' and t.status = 'active')"""


def leave(channel: str, person: str) -> Act:
    return (
        "update memberships set left_at = now(), left_offset = 99 where channel_id = $1 and person_id = $2 and left_at is null",
        channel,
        person,
    )


def join(channel: str, person: str) -> Act:
    return (
        """insert into memberships (organization_id, id, channel_id, channel_kind, person_id, person_kind, source,
             visible_from, read_offset, joined_offset, joined_at)
           select organization_id, $3, c.id, c.kind, p.id, p.kind, 'manual', 1, 1, 1, now()
             from channels c join people p using (organization_id) where c.id = $1 and p.id = $2""",
        channel,
        person,
        MembershipId.new(),
    )


def status(person: str, status: str) -> Act:
    return ("update people set status = $2 where id = $1", person, status)


Scenario = Callable[[Clinic], Awaitable[tuple[list[Act], list[Act]]]]


async def both_leave(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, two = await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), one, two)
    return [leave(channel, one)], [leave(channel, two)]


async def both_are_archived(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, two = await clinic.team_member(), await clinic.team_member()
    await clinic.care_team(await clinic.patient(), one, two)
    return [status(one, "archived")], [status(two, "archived")]


async def one_leaves_one_is_archived(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, two = await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), one, two)
    return [leave(channel, one)], [status(two, "archived")]


async def the_successor_is_archived_while_being_added(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, successor = await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), one)
    return [leave(channel, one), join(channel, successor)], [status(successor, "archived")]


async def the_patient_comes_back_while_the_last_leaves(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, patient = await clinic.team_member(), await clinic.patient()
    channel = await clinic.care_team(patient, one)
    await clinic.archive(patient)
    return [status(patient, "active")], [leave(channel, one)]


async def the_patient_comes_back_while_the_last_is_archived(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, patient = await clinic.team_member(), await clinic.patient()
    await clinic.care_team(patient, one)
    await clinic.archive(patient)
    return [status(patient, "active")], [status(one, "archived")]


async def a_patient_joins_while_the_last_leaves(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, patient = await clinic.team_member(), await clinic.patient()
    channel = await clinic.channel("group", one)
    return [join(channel, patient)], [leave(channel, one)]


async def an_archived_patient_joins_and_comes_back(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    patient = await clinic.patient()
    await clinic.archive(patient)
    channel = await clinic.channel("group")
    return [join(channel, patient)], [status(patient, "active")]


async def two_members_move_elsewhere(clinic: Clinic) -> tuple[list[Act], list[Act]]:
    one, two = await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), one, two)
    away = await clinic.channel("service_team", patient=await clinic.patient())
    move = (
        "update memberships set channel_id = $2, channel_kind = 'service_team' where channel_id = $1 and person_id = $3"
    )
    return [(move, channel, away, one)], [(move, channel, away, two)]


@pytest.mark.parametrize(
    "scenario",
    [
        both_leave,
        both_are_archived,
        one_leaves_one_is_archived,
        the_successor_is_archived_while_being_added,
        the_patient_comes_back_while_the_last_leaves,
        the_patient_comes_back_while_the_last_is_archived,
        a_patient_joins_while_the_last_leaves,
        an_archived_patient_joins_and_comes_back,
        two_members_move_elsewhere,
    ],
)
async def test_of_two_changes_that_together_leave_a_patient_alone_one_is_refused(
    clinic: Clinic, database_url: str, scenario: Scenario
) -> None:
    """Plain SQL, no lock helper: the trigger alone has to hold, whoever checks and whoever commits first."""
    for reverse, overlapping in itertools.product((False, True), repeat=2):
        told = await race(database_url, *await scenario(clinic), reverse=reverse, overlapping=overlapping)
        assert sorted(told) == [Outcome.COMMITTED, Outcome.REFUSED], (reverse, overlapping)
        assert await clinic.sql(UNSTAFFED) == []


async def test_of_two_who_leave_at_once_one_stays(clinic: Clinic) -> None:
    for _ in range(10):
        staff = [await clinic.team_member("ADMIN"), await clinic.team_member("ADMIN")]
        channel = await clinic.care_team(await clinic.patient(), *staff)
        attempts = (clinic.remove(channel, one, by=one) for one in staff)
        told = await asyncio.gather(*attempts, return_exceptions=True)
        [refused] = [answer for answer in told if isinstance(answer, BaseException)]
        assert isinstance(refused, Conflict)
        assert "Add a colleague first" in str(refused)
        assert await clinic.offsets(channel) == [1, 2]
    assert await clinic.sql(UNSTAFFED) == []


async def test_whoever_is_archived_while_being_added_is_out_or_leaves_nobody_alone(clinic: Clinic) -> None:
    for turn in range(10):
        successor = await clinic.team_member()
        channel = await clinic.care_team(await clinic.patient())

        async def replace(channel: str = channel, successor: str = successor) -> None:
            await clinic.add(channel, successor)
            await clinic.remove(channel, clinic.clinician)

        async def archive(turn: int = turn, successor: str = successor) -> None:
            await asyncio.sleep(turn * 0.002)
            await clinic.archive(successor)

        told = await asyncio.gather(replace(), archive(), return_exceptions=True)
        assert [one for one in told if isinstance(one, BaseException) and not isinstance(one, WarmlineError)] == []
        assert await clinic.sql(UNSTAFFED) == []


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_changes_that_could_not_see_each_other_are_refused(
    clinic: Clinic, owner: asyncpg.Connection, level: str
) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, colleague)
    closed = ("update channels set status = 'archived' where id = $1", channel)
    for act in (leave(channel, colleague), status(colleague, "archived"), closed):
        with pytest.raises(asyncpg.FeatureNotSupportedError, match="READ COMMITTED"):
            async with owner.transaction(isolation=level.replace(" ", "_")):
                await owner.execute(*act)


async def test_archived_channels_keep_their_staff_too(clinic: Clinic, owner: asyncpg.Connection) -> None:
    channel = await clinic.care_team(await clinic.patient())
    await clinic.archive(channel)
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(*leave(channel, clinic.clinician))


async def test_leaving_and_replacing_in_one_step_works(clinic: Clinic, owner: asyncpg.Connection) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient())
    async with owner.transaction():
        await owner.execute(*leave(channel, clinic.clinician))
        await owner.execute(*join(channel, colleague))
    assert await clinic.sql(UNSTAFFED) == []

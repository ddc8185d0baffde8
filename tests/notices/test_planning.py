"""Who is told of a message, by what and when: domain.md §4, played through the log, the ledger and a clock."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta

import pytest

from server.notices import ledger, planning
from tests.support.cast import Clinic
from tests.support.cluster import Databases
from tests.support.reaching import Reaching

Ward = tuple[str, str, str]
"""(patient, colleague, their care-team channel with the clinician)."""


@pytest.fixture(scope="module")
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A database of this file's own; each test has an organisation of its own in it."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture
async def ward(clinic: Clinic, reaching: Reaching) -> Ward:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    await reaching.device(patient, colleague, clinic.clinician)
    return patient, colleague, await clinic.care_team(patient, clinic.clinician, colleague)


async def test_a_push_goes_at_once_and_an_email_after_five_minutes(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    sent = (await reaching.send(patient, channel))["message_id"]
    await reaching.expect_push(colleague, sent)
    assert reaching.pushes == sorted([(colleague, sent), (clinic.clinician, sent)])
    await reaching.expect_no_push(colleague)
    reaching.later(minutes=4, seconds=50)
    await reaching.expect_no_email(colleague)
    reaching.later(seconds=20)
    await reaching.expect_email(colleague, sent)
    reaching.later(hours=9)
    await reaching.expect_no_email(colleague)
    for medium in ("push", "email"):
        assert await reaching.decided(colleague, sent, medium) == ("sent", "sent")
        assert await reaching.row(patient, sent, medium) is None


async def test_whoever_has_read_it_is_told_nothing_more(clinic: Clinic, reaching: Reaching, ward: Ward) -> None:
    patient, colleague, channel = ward
    sent = await reaching.send(patient, channel)
    await reaching.read(colleague, channel, sent["offset"])
    await reaching.expect_no_push(colleague)
    more = await reaching.send(patient, channel)
    await reaching.round()
    await reaching.read(colleague, channel, more["offset"])
    reaching.later(minutes=6)
    await reaching.expect_no_email(colleague)
    assert await reaching.decided(colleague, sent["message_id"], "email") == ("suppressed", "read")
    assert await reaching.decided(colleague, more["message_id"], "email") == ("suppressed", "read")


async def test_one_email_answers_for_an_episode_and_the_next_comes_when_the_mark_has_moved(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    first, second = [await reaching.send(patient, channel) for _ in range(2)]
    await reaching.round()
    reaching.later(minutes=6)
    await reaching.expect_email(colleague, first["message_id"])
    third = await reaching.send(patient, channel)
    await reaching.round()
    reaching.later(minutes=6)
    await reaching.expect_no_email(colleague)
    await reaching.read(colleague, channel, second["offset"])
    await reaching.expect_email(colleague, third["message_id"])
    await reaching.read(colleague, channel, third["offset"])
    await reaching.round()
    fourth = await reaching.send(patient, channel)
    await reaching.round()
    reaching.later(minutes=6)
    await reaching.expect_email(colleague, fourth["message_id"])


async def test_the_mark_moves_within_the_five_minutes_and_leaves_something_unread(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    first, second = [await reaching.send(patient, channel) for _ in range(2)]
    await reaching.round()
    await reaching.read(colleague, channel, first["offset"])
    reaching.later(minutes=6)
    await reaching.round()  # the first is found read; the second begins an episode, due already
    await reaching.expect_email(colleague, second["message_id"])
    assert await reaching.decided(colleague, first["message_id"], "email") == ("suppressed", "read")


async def test_what_is_left_of_an_episode_that_is_decided_again_waits_no_longer_than_five_minutes(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    first, second = [await reaching.send(patient, channel) for _ in range(2)]
    await reaching.mute(channel, colleague)
    await reaching.round()
    reaching.later(minutes=6)
    await reaching.expect_no_email(colleague)
    await reaching.mute(channel, colleague, False)
    await reaching.send(patient, channel)
    await reaching.round()
    assert await reaching.decided(colleague, first["message_id"], "email") == ("due", "anew")
    await reaching.expect_no_email(colleague)
    await reaching.read(colleague, channel, first["offset"])
    await reaching.expect_email(colleague, second["message_id"])
    assert await reaching.decided(colleague, first["message_id"], "email") == ("suppressed", "read")


async def test_one_email_covers_all_that_is_due_of_a_person(clinic: Clinic, reaching: Reaching, ward: Ward) -> None:
    patient, colleague, channel = ward
    direct = await clinic.channel("direct", clinic.clinician, colleague)
    first = await reaching.send(patient, channel)
    other = await reaching.send(clinic.clinician, direct)
    await reaching.round()
    reaching.later(minutes=6)
    await reaching.expect_email(colleague, first["message_id"], other["message_id"])


async def test_what_is_deleted_is_told_no_more_and_an_edit_tells_nothing(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    first, second = [await reaching.send(patient, channel) for _ in range(2)]
    named = {"channel_id": channel, "expected_revision": 1}
    await clinic.call(patient, "message.delete", message_id=first["message_id"], **named)
    await reaching.expect_push(colleague, second["message_id"])
    assert await reaching.decided(colleague, first["message_id"], "push") == ("suppressed", "deleted")
    assert await reaching.decided(colleague, first["message_id"], "email") == ("suppressed", "deleted")
    await clinic.call(patient, "message.edit", message_id=second["message_id"], text="Changed", **named)
    await reaching.expect_no_push(colleague)
    await clinic.call(patient, "message.delete", message_id=second["message_id"], **named | {"expected_revision": 2})
    reaching.later(minutes=6)
    await reaching.expect_no_email(colleague)
    assert await reaching.decided(colleague, second["message_id"], "email") == ("suppressed", "deleted")
    third = await reaching.send(patient, channel)
    await reaching.round()
    reaching.later(minutes=6)
    await reaching.expect_email(colleague, third["message_id"])


async def test_an_email_waits_for_the_oldest_message_that_still_stands(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    first = await reaching.send(patient, channel)
    reaching.later(minutes=3)
    await reaching.send(patient, channel)
    await reaching.round()
    named = {"channel_id": channel, "expected_revision": 1}
    await clinic.call(patient, "message.delete", message_id=first["message_id"], **named)
    reaching.later(minutes=4)
    await reaching.expect_no_email(colleague)
    assert await reaching.decided(colleague, first["message_id"], "email") == ("due", "waiting")
    reaching.later(minutes=1)
    await reaching.expect_email(colleague, first["message_id"])


@pytest.mark.parametrize("medium", ["push", "email"])
async def test_whoever_wants_none_or_has_muted_the_channel_gets_none(
    clinic: Clinic, reaching: Reaching, ward: Ward, medium: str
) -> None:
    patient, colleague, channel = ward
    expect_none = reaching.expect_no_push if medium == "push" else reaching.expect_no_email
    column = "push" if medium == "push" else "unread_email"
    sent = []
    for want, muted, why in ((False, False, "off"), (True, True, "muted"), (False, True, "muted")):
        await reaching.prefer(colleague, **{column: want})
        await reaching.mute(channel, colleague, muted)
        sent.append((await reaching.send(patient, channel))["message_id"])
        await reaching.plan()
        reaching.later(minutes=6)
        await expect_none(colleague)
        about = sent[-1] if medium == "push" else sent[0]  # an email's row answers for its episode
        assert await reaching.decided(colleague, about, medium) == ("suppressed", why)
    await reaching.prefer(colleague, **{column: True})
    await reaching.mute(channel, colleague, False)
    await expect_none(colleague)
    last = (await reaching.send(patient, channel))["message_id"]
    if medium == "push":
        await reaching.expect_push(colleague, last)
    else:
        await reaching.plan()
        reaching.later(minutes=6)
        await reaching.expect_email(colleague, sent[0])


async def test_whoever_has_no_device_gets_no_push(clinic: Clinic, reaching: Reaching) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    sent = (await reaching.send(clinic.clinician, channel))["message_id"]
    await reaching.expect_no_push(patient)
    assert await reaching.decided(patient, sent, "push") == ("suppressed", "no_device")
    await reaching.device(patient)
    await clinic.sql("update people set signed_out_at = clock_timestamp() where id = $1", patient)
    sent = (await reaching.send(clinic.clinician, channel))["message_id"]
    await reaching.expect_no_push(patient)
    assert await reaching.decided(patient, sent, "push") == ("suppressed", "no_device")


async def test_a_push_is_withheld_from_whoever_is_reading_and_decided_again(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    reaching.reads(colleague, channel)
    sent = (await reaching.send(patient, channel))["message_id"]
    await reaching.expect_no_push(colleague)
    assert await reaching.decided(colleague, sent, "push") == ("due", "viewing")
    reaching.later(seconds=20)
    reaching.reads(colleague, channel)  # said again
    reaching.later(seconds=20)
    await reaching.expect_no_push(colleague)
    reaching.later(seconds=20)
    await reaching.expect_push(colleague, sent)
    reaching.reads(clinic.clinician, channel)
    other = await reaching.send(patient, channel)
    await reaching.expect_no_push(clinic.clinician)
    await reaching.read(clinic.clinician, channel, other["offset"])
    reaching.later(seconds=31)
    await reaching.expect_no_push(clinic.clinician)
    assert await reaching.decided(clinic.clinician, other["message_id"], "push") == ("suppressed", "read")


@pytest.mark.parametrize(
    ("zone", "now", "ends"),
    [
        ("Europe/Berlin", datetime(2027, 1, 10, 23, tzinfo=UTC), datetime(2027, 1, 11, 6, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 7, 10, 23, tzinfo=UTC), datetime(2027, 7, 11, 5, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 3, 27, 23, tzinfo=UTC), datetime(2027, 3, 28, 5, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 10, 30, 23, tzinfo=UTC), datetime(2027, 10, 31, 6, tzinfo=UTC)),
        ("America/St_Johns", datetime(2027, 1, 11, 2, tzinfo=UTC), datetime(2027, 1, 11, 10, 30, tzinfo=UTC)),
    ],
    ids=["winter", "summer", "clocks go forward", "clocks go back", "half an hour"],
)
async def test_quiet_hours_hold_push_and_email_until_they_end_where_the_person_is(
    clinic: Clinic, reaching: Reaching, ward: Ward, zone: str, now: datetime, ends: datetime
) -> None:
    patient, colleague, channel = ward
    await reaching.prefer(colleague, quiet_from=time(22), quiet_until=time(7), time_zone=zone)
    reaching.at = now
    sent = (await reaching.send(patient, channel))["message_id"]
    await reaching.expect_no_push(colleague)
    assert await reaching.decided(colleague, sent, "push") == ("due", "quiet")
    reaching.later(minutes=6)
    await reaching.expect_no_email(colleague)
    reaching.at = ends - timedelta(seconds=1)
    await reaching.expect_no_push(colleague)
    assert await reaching.decided(colleague, sent, "email") == ("due", "quiet")
    reaching.at = ends
    await reaching.expect_push(colleague, sent)
    assert (colleague, {sent}) in reaching.emails


async def test_archived_channels_ended_memberships_and_archived_people_are_told_nothing(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    await clinic.remove(channel, colleague)
    sent = await reaching.send(patient, channel)
    await reaching.plan()
    assert await reaching.row(colleague, sent["message_id"], "push") is None
    await clinic.add(channel, colleague)
    await reaching.expect_no_push(colleague)
    for change, why in (
        (clinic.remove(channel, colleague), "left"),
        (clinic.archive(colleague), "archived_person"),
        (clinic.archive(channel), "archived_channel"),
    ):
        await clinic.sql("update people set status = 'active' where id = $1", colleague)
        if why == "archived_person":
            await clinic.add(channel, colleague)
        before = await reaching.send(patient, channel)
        await reaching.plan()
        await change
        await reaching.expect_no_push(colleague)
        reaching.later(minutes=6)
        await reaching.expect_no_email(colleague)
        for medium in ("push", "email"):
            if await reaching.row(colleague, before["message_id"], medium):
                assert await reaching.decided(colleague, before["message_id"], medium) == ("suppressed", why)
    assert colleague not in {who for who, _ in reaching.pushes + reaching.emails}


async def test_whoever_takes_a_place_gets_what_was_owed(clinic: Clinic, reaching: Reaching, ward: Ward) -> None:
    patient, colleague, channel = ward
    successor = await clinic.team_member()
    await reaching.device(successor)
    reaching.reads(colleague, channel)
    told = await reaching.send(patient, channel)
    await reaching.round()
    read = await reaching.send(patient, channel)
    await reaching.round()
    await reaching.read(colleague, channel, told["offset"])
    await clinic.call(colleague, "channel.leave", channel_id=channel, replacement_id=successor)
    await reaching.expect_push(successor, read["message_id"])
    reaching.later(minutes=6)
    await reaching.expect_email(successor, read["message_id"])
    assert colleague not in {who for who, _ in reaching.pushes + reaching.emails}
    assert await reaching.decided(colleague, read["message_id"], "push") == ("suppressed", "left")


async def test_whoever_comes_back_is_told_of_what_comes_then(clinic: Clinic, reaching: Reaching, ward: Ward) -> None:
    patient, colleague, channel = ward
    await reaching.send(patient, channel)
    await clinic.remove(channel, colleague)
    await reaching.send(patient, channel)
    await clinic.add(channel, colleague)
    sent = (await reaching.send(patient, channel))["message_id"]
    await reaching.expect_push(colleague, sent)
    reaching.later(minutes=6)
    await reaching.expect_email(colleague, sent)


async def test_planning_again_changes_nothing(clinic: Clinic, reaching: Reaching, ward: Ward) -> None:
    patient, _, channel = ward
    for _ in range(3):
        await reaching.send(patient, channel)
    await reaching.plan()
    before = await clinic.sql("select * from notices where channel_id = $1 order by id", channel)
    await clinic.sql("update notice_marks set planned_offset = 0 where channel_id = $1", channel)  # as if nobody had
    await reaching.plan()
    assert await clinic.sql("select * from notices where channel_id = $1 order by id", channel) == before
    assert len(before) == 2 * (3 + 1)


async def test_what_was_written_lately_is_found_without_looking_at_all_channels(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, _, channel = ward
    await reaching.send(patient, channel)
    async with clinic.database.transaction() as tx:
        planned = await planning.plan(tx, reaching.at)
    assert (planned.channels, planned.messages, planned.due) == (1, 1, True)
    async with clinic.database.transaction() as tx:
        assert await planning.plan(tx, reaching.at) == planning.Planned()
    assert (
        await clinic.sql(
            "select from notice_marks k join channels c on c.id = k.channel_id where planned_offset < top_offset"
        )
        == []
    )


async def test_a_long_log_is_planned_in_pieces(clinic: Clinic, reaching: Reaching, ward: Ward, monkeypatch) -> None:
    monkeypatch.setattr(planning, "MOST_EVENTS", 2)
    patient, colleague, channel = ward
    sent = [(await reaching.send(patient, channel))["message_id"] for _ in range(7)]
    await reaching.expect_push(colleague, *sent)
    reaching.later(minutes=6)
    await reaching.expect_email(colleague, sent[0])


async def test_what_failed_for_now_comes_again_and_what_never_came_back_is_dead(
    clinic: Clinic, reaching: Reaching, ward: Ward
) -> None:
    patient, colleague, channel = ward
    sent = (await reaching.send(patient, channel))["message_id"]
    await reaching.plan()
    async with clinic.database.transaction() as tx:
        claimed = await ledger.claim_pushes(tx, 100, reaching.at)
        assert await ledger.claim_pushes(tx, 100, reaching.at) == []
        await ledger.again(tx, [due.notice_id for due in claimed], timedelta(minutes=1), reaching.at)
    assert await reaching.decided(colleague, sent, "push") == ("due", "again")
    await reaching.expect_no_push(colleague)
    reaching.later(minutes=1)
    for start in range(3):
        async with clinic.database.transaction() as tx:
            mine = [due for due in await ledger.claim_pushes(tx, 100, reaching.at) if due.message_id == sent]
        assert [due.attempts for due in mine] == [start + 2, start + 2]
        reaching.later(seconds=30)
    await reaching.expect_no_push(colleague)
    assert await reaching.decided(colleague, sent, "push") == ("dead", "killed")
    row = await reaching.row(colleague, sent, "push")
    async with clinic.database.transaction() as tx:
        assert row["id"] in {each["id"] for each in await ledger.dead(tx)}
        assert (await ledger.waiting(tx, reaching.at))["push"].dead >= 2
        assert await ledger.requeue(tx, [row["id"], "ntc_nothing"], reaching.at) == [row["id"]]
    await reaching.expect_push(colleague, sent)
    held = await clinic.sql("select id from notices where status = 'dead'")
    assert row["id"] not in {each["id"] for each in held}


async def test_whoever_lost_a_claim_decides_no_more(clinic: Clinic, reaching: Reaching, ward: Ward) -> None:
    patient, colleague, channel = ward
    sent = (await reaching.send(patient, channel))["message_id"]
    await reaching.plan()
    async with clinic.database.transaction() as tx:
        [first] = [due for due in await ledger.claim_pushes(tx, 100, reaching.at) if due.person_id == colleague]
    reaching.later(seconds=31)
    async with clinic.database.transaction() as tx:
        [second] = [due for due in await ledger.claim_pushes(tx, 100, reaching.at) if due.person_id == colleague]
        assert await ledger.recheck_push(tx, first, {}, reaching.at) is None
        decision = await ledger.recheck_push(tx, second, {}, reaching.at)
        assert decision is not None
        assert (decision.sends, second.message_id) == (True, sent)

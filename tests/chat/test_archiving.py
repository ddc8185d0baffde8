"""Archiving a team member: signed out at once, handed over whole or refused, with what they had not read unread."""

import asyncio
import json
from typing import Any

import pytest

from server import jobs
from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import Conflict, Invalid, NotFound, Unauthorized
from server.gateway.ports import Grant
from server.ids import TeamMemberId
from server.people.tokens import KeyedVerifier
from tests.chat.test_staffed import UNSTAFFED
from tests.support.cast import Clinic
from tests.support.issuer import Issuer
from tests.support.working import do_jobs
from workers.handlers import HANDLERS


async def ask(clinic: Clinic, person: str, **more: Any) -> dict[str, Any]:
    """Request it, as the clinician."""
    return dict(await clinic.call(clinic.clinician, "team_member.archive", team_member_id=person, **more))


async def archived(clinic: Clinic, person: str, **more: Any) -> dict[str, Any]:
    """Request it, have it carried out, and see what became of it."""
    asked = await ask(clinic, person, **more)
    await do_jobs(clinic.database)
    return await outcome(clinic, asked["id"])


async def outcome(clinic: Clinic, archiving: str) -> dict[str, Any]:
    """What became of a request."""
    listed = await clinic.call(clinic.clinician, "team_member.archivings")
    return next(one for one in listed["archivings"] if one["id"] == archiving)


async def preview(clinic: Clinic, person: str, **more: Any) -> dict[str, Any]:
    """What it would change."""
    return dict(await clinic.call(clinic.clinician, "team_member.archive_preview", team_member_id=person, **more))


async def team(clinic: Clinic, channel: str) -> dict[str, Any]:
    """The present team members of a channel: their memberships by person."""
    rows = await clinic.sql(
        """select * from memberships where channel_id = $1 and left_at is null and person_kind = 'team_member'""",
        channel,
    )
    return {row["person_id"]: row for row in rows}


async def log(clinic: Clinic, channel: str) -> list[str]:
    rows = await clinic.sql("select kind from events where channel_id = $1 order by log_offset", channel)
    return [row["kind"] for row in rows]


async def nominate(clinic: Clinic, kind: str, *people: str, automatic: bool = True) -> None:
    """Set a rule."""
    await clinic.call(
        clinic.clinician, "activation_rule.set", kind=kind, automatic=automatic, team_member_ids=list(people)
    )


async def test_the_allocation_clinician_takes_over_with_what_was_unread(clinic: Clinic) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    care = await clinic.care_team(patient, leaver)
    service = await clinic.channel("service_team", patient, leaver, patient=patient)
    for channel in (care, service):
        read = await clinic.send(patient, channel, "Read")
        await clinic.call(leaver, "channel.read", channel_id=channel, offset=read["offset"])
        await clinic.send(patient, channel, "Not read")
    before = await preview(clinic, leaver)
    assert {one["channel_id"]: one["team_member_ids"] for one in before["handovers"]} == {
        care: [clinic.clinician],
        service: [clinic.clinician],
    }
    done = await archived(clinic, leaver, preview=before["preview"])
    assert (done["status"], done["why"]) == ("done", None)
    for channel, floor in ((care, 1), (service, 3)):
        found = await team(clinic, channel)
        assert set(found) == {clinic.clinician}
        membership = found[clinic.clinician]
        assert (membership["read_offset"], membership["visible_from"], membership["source"]) == (2, floor, "fallback")
        assert await log(clinic, channel) == ["opened", "message", "message", "joined", "left"]
    mine = (await clinic.call(clinic.clinician, "channel.list"))["channels"]
    assert {channel["id"]: channel["unread"] for channel in mine} == {care: 1, service: 1}
    seen = await clinic.call(patient, "message.history", channel_id=care)
    took_over = next(item for item in seen["items"] if item["type"] == "joined")
    assert took_over["members"] == [(await team(clinic, care))[clinic.clinician]["id"]]
    assert await clinic.sql(UNSTAFFED) == []


async def test_they_are_signed_out_and_added_nowhere_at_once_and_still_count(clinic: Clinic) -> None:
    patient, leaver, colleague = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(patient, colleague, leaver)
    other = await clinic.care_team(await clinic.patient())
    asked = await ask(clinic, leaver)
    assert asked["status"] == "pending"
    with pytest.raises(Unauthorized):
        await clinic.call(leaver, "me")
    for add in (
        clinic.add(other, leaver),
        clinic.call(clinic.clinician, "channel.open", kind="staff", name="S", patient_id=patient, person_ids=[leaver]),
        clinic.call(clinic.clinician, "channel.activate", patient_id=await clinic.patient(), team_member_ids=[leaver]),
    ):
        with pytest.raises(Conflict, match="being archived"):
            await add
    for change in (
        clinic.call(clinic.clinician, "patient.update", patient_id=patient, allocation_clinician_id=leaver),
        ask(clinic, leaver),
        ask(clinic, colleague, successor_id=leaver),
        clinic.call(clinic.clinician, "organization.update", safety_net_id=leaver),
    ):
        with pytest.raises(Conflict, match="is being"):
            await change
    shown = await clinic.call(clinic.clinician, "team_member.get", team_member_id=leaver)
    assert (shown["status"], shown["archiving"]) == ("active", True)
    await clinic.remove(channel, colleague, by=colleague)  # the leaver counts as staff
    await do_jobs(clinic.database)
    [row] = await clinic.sql("select signed_out_at from people where id = $1", leaver)
    assert row["signed_out_at"] is None
    refused = await outcome(clinic, asked["id"])
    assert (refused["status"], "changed since" in refused["why"]) == ("refused", True)
    assert (await clinic.call(leaver, "me"))["person"]["id"] == leaver  # and with the sign-in they had
    await clinic.add(other, leaver)


async def test_a_refusal_leaves_the_sign_out_that_somebody_else_asked_for(clinic: Clinic) -> None:
    leaver, colleague = await clinic.team_member(), await clinic.team_member()
    channel = await clinic.channel("staff", leaver, colleague, patient=await clinic.patient())
    asked = await ask(clinic, leaver)
    await clinic.call(clinic.clinician, "person.sign_out", person_id=leaver)
    await clinic.sql("update memberships set left_at = now(), left_offset = 99 where channel_id = $1", channel)
    await do_jobs(clinic.database)
    assert (await outcome(clinic, asked["id"]))["status"] == "refused"
    [row] = await clinic.sql("select signed_out_at from people where id = $1", leaver)
    assert row["signed_out_at"] is not None


async def test_the_chain_goes_on_past_the_archived_and_the_pending(clinic: Clinic) -> None:
    leaver, one, two, pending, net = [await clinic.team_member() for _ in range(5)]
    patient = await clinic.patient()
    [cohort] = (await clinic.call(clinic.clinician, "patient_group.list"))["patient_groups"]
    channel = await clinic.care_team(patient, leaver)
    await clinic.call(clinic.clinician, "patient.update", patient_id=patient, allocation_clinician_id=pending)
    await clinic.call(clinic.clinician, "organization.update", safety_net_id=net)
    assert (await preview(clinic, leaver))["handovers"][0]["team_member_ids"] == [pending]
    await ask(clinic, pending)
    assert (await preview(clinic, leaver))["handovers"][0]["team_member_ids"] == [net]
    change = {"patient_group_id": cohort["id"], "team_member_ids": [one, two, pending]}
    await clinic.call(clinic.clinician, "patient_group.update", **change)
    assert (await preview(clinic, leaver))["handovers"][0]["team_member_ids"] == sorted([one, two])
    await nominate(clinic, "service_team", net)
    assert (await preview(clinic, leaver))["handovers"][0]["team_member_ids"] == sorted([one, two])
    await nominate(clinic, "care_team", pending, net)
    assert (await preview(clinic, leaver))["handovers"][0]["team_member_ids"] == [net]
    done = await archived(clinic, leaver)
    assert done["status"] == "done", done
    assert set(await team(clinic, channel)) == {net}


async def test_whoever_has_charges_passes_them_on_or_leaves_them_in_need(clinic: Clinic) -> None:
    leaver, successor, net = [await clinic.team_member() for _ in range(3)]
    patient, second = await clinic.patient(), await clinic.patient()
    group = await clinic.channel("group", clinic.clinician, second, leaver)
    await clinic.call(clinic.clinician, "channel.facilitator", channel_id=group, facilitator_id=leaver)
    for whose in (patient, second):
        await clinic.call(clinic.clinician, "patient.update", patient_id=whose, allocation_clinician_id=leaver)
    channel = await clinic.care_team(patient, leaver)
    assert (await preview(clinic, leaver))["unstaffed"] == [channel]
    with pytest.raises(Conflict, match=channel):
        await ask(clinic, leaver)
    told = await preview(clinic, leaver, successor_id=successor)
    assert (sorted(told["patients"]), told["groups"], told["unstaffed"]) == (sorted([patient, second]), [group], [])
    assert (await archived(clinic, leaver, successor_id=successor))["status"] == "done"
    assert set(await team(clinic, channel)) == {successor}
    shown = await clinic.call(clinic.clinician, "patient.get", patient_id=patient)
    assert (shown["allocation_clinician_id"], shown["needs_reassignment"]) == (successor, False)
    rows = await clinic.sql("select facilitator_id from channels where id = $1", group)
    assert rows[0]["facilitator_id"] == successor
    await clinic.call(clinic.clinician, "organization.update", safety_net_id=net)
    assert (await archived(clinic, successor))["status"] == "done"
    listed = await clinic.call(clinic.clinician, "patient.list", needs_reassignment=True)
    assert sorted(one["id"] for one in listed["patients"]) == sorted([patient, second])
    assert set(await team(clinic, channel)) == {net}


async def test_a_group_goes_to_its_facilitator_or_to_the_longest_standing_patients_clinician(clinic: Clinic) -> None:
    leaver, facilitator, first_of, second_of = [await clinic.team_member() for _ in range(4)]
    first, second = await clinic.patient(), await clinic.patient()
    for patient, clinician in ((first, first_of), (second, second_of)):
        await clinic.call(clinic.clinician, "patient.update", patient_id=patient, allocation_clinician_id=clinician)
    group = await clinic.channel("group", clinic.clinician, leaver)
    await clinic.add(group, second)
    await clinic.add(group, first)
    await clinic.remove(group, clinic.clinician)
    assert (await preview(clinic, leaver))["handovers"][0]["team_member_ids"] == [second_of]
    await clinic.sql("update channels set facilitator_id = $2 where id = $1", group, facilitator)
    await clinic.send(first, group, "Not read")
    mark = (await team(clinic, group))[leaver]["read_offset"]
    assert (await archived(clinic, leaver))["status"] == "done"
    found = (await team(clinic, group))[facilitator]
    assert (found["read_offset"], found["visible_from"]) == (mark, mark + 1)


async def test_every_membership_ends_and_archived_channels_are_staffed_too(clinic: Clinic) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    care = await clinic.care_team(patient, leaver)
    staff = await clinic.channel("staff", leaver, clinic.clinician, patient=patient)
    direct = await clinic.channel("direct", leaver, clinic.clinician)
    await clinic.call(leaver, "channel.archive", channel_id=care)
    assert (await archived(clinic, leaver))["status"] == "done"
    left = await clinic.sql("select from memberships where person_id = $1 and left_at is null", leaver)
    assert left == []
    assert set(await team(clinic, care)) == {clinic.clinician}
    assert set(await team(clinic, staff)) == set(await team(clinic, direct)) == {clinic.clinician}
    with pytest.raises(Unauthorized):
        await clinic.call(leaver, "me")
    back = await clinic.call(clinic.clinician, "team_member.unarchive", team_member_id=leaver)
    assert back["status"] == "active"
    assert (await clinic.call(leaver, "channel.list"))["channels"] == []
    with pytest.raises(Conflict, match="active already"):
        await clinic.call(clinic.clinician, "team_member.unarchive", team_member_id=leaver)


async def test_of_several_who_go_the_last_hands_over_their_own_mark(clinic: Clinic) -> None:
    patient, one, two = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(patient, one, two)
    for _ in range(3):
        last = await clinic.send(patient, channel, "Text")
    await clinic.call(two, "channel.read", channel_id=channel, offset=last["offset"] - 1)
    assert (await archived(clinic, one))["status"] == "done"
    assert set(await team(clinic, channel)) == {two}
    assert (await archived(clinic, two))["status"] == "done"
    assert (await team(clinic, channel))[clinic.clinician]["read_offset"] == last["offset"] - 1


async def test_two_at_once_are_done_one_after_the_other_or_refused(clinic: Clinic) -> None:
    patient, one, two = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    await clinic.care_team(patient, one, two)
    asked = [await ask(clinic, one), await ask(clinic, two)]
    await do_jobs(clinic.database)
    ended = sorted([(await outcome(clinic, one["id"]))["status"] for one in asked])
    assert ended == ["done", "refused"]
    assert await clinic.sql(UNSTAFFED) == []


async def test_an_archived_patients_channels_need_nobody(clinic: Clinic) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, leaver)
    await clinic.call(clinic.clinician, "patient.archive", patient_id=patient)
    assert (await archived(clinic, leaver))["status"] == "done"
    assert await team(clinic, channel) == {}


async def test_what_cannot_be_asked_for_is_told(clinic: Clinic, elsewhere: Clinic) -> None:
    person, gone, theirs = await clinic.team_member(), await clinic.team_member(), await elsewhere.team_member()
    await clinic.archive(gone)
    for nobody in (TeamMemberId.new(), theirs):
        with pytest.raises(NotFound, match="no such team member"):
            await ask(clinic, nobody)
        with pytest.raises(Invalid, match="no such team member"):
            await ask(clinic, person, successor_id=nobody)
    with pytest.raises(Invalid, match="somebody else"):
        await ask(clinic, person, successor_id=person)
    with pytest.raises(Conflict, match="archived already"):
        await ask(clinic, gone)
    with pytest.raises(Conflict, match="Name an active one"):
        await ask(clinic, person, successor_id=gone)
    with pytest.raises(Conflict, match="changed since the preview"):
        await ask(clinic, person, preview="something else")


async def test_it_is_recorded_channel_by_channel(clinic: Clinic, owner: Any) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, leaver)
    await archived(clinic, leaver)
    rows = await owner.fetch(
        "select operation, actor_id, patient_id, channel_id from audit_entries where organization_id = $1 order by id",
        clinic.organization_id,
    )
    found = [tuple(row) for row in rows if row["operation"].startswith(("team_member.", "channel.handed"))]
    assert found == [
        ("team_member.archive", clinic.clinician, None, None),
        ("channel.handed_over", clinic.clinician, patient, channel),
        ("team_member.archived", clinic.clinician, None, None),
    ]


async def test_racing_with_leaving_adding_and_reassigning_never_leaves_a_patient_alone(clinic: Clinic) -> None:
    for _ in range(4):
        patient, one, two, other = await clinic.patient(), *[await clinic.team_member() for _ in range(3)]
        channel = await clinic.care_team(patient, one, two)
        asked = await ask(clinic, one)
        member = await clinic.membership(channel, two)
        ended = await asyncio.gather(
            do_jobs(clinic.database),
            clinic.call(two, "member.remove", channel_id=channel, member_id=member),
            clinic.call(two, "member.add", channel_id=channel, person_id=other),
            clinic.call(clinic.clinician, "patient.update", patient_id=patient, allocation_clinician_id=other),
            return_exceptions=True,
        )
        assert ended[0] is None
        assert (await outcome(clinic, asked["id"]))["status"] in ("done", "refused")
        assert await clinic.sql(UNSTAFFED) == []


async def test_when_the_chain_has_run_dry_meanwhile_it_is_refused_with_the_channels(clinic: Clinic) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, leaver)
    asked = await ask(clinic, leaver)
    await clinic.archive(clinic.clinician)
    await do_jobs(clinic.database)
    await clinic.sql("update people set status = 'active' where id = $1", clinic.clinician)
    refused = await outcome(clinic, asked["id"])
    assert (refused["status"], channel in refused["why"]) == ("refused", True)
    assert set(await team(clinic, channel)) == {leaver}


async def test_a_job_that_comes_twice_does_nothing_the_second_time(clinic: Clinic) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, leaver)
    asked = await archived(clinic, leaver)
    async with clinic.database.transaction() as tx:
        args = {"organization_id": clinic.organization_id, "archiving_id": asked["id"]}
        await HANDLERS["team_member.archive"](tx, args)
    assert await log(clinic, channel) == ["opened", "joined", "left"]
    assert await outcome(clinic, asked["id"]) == asked


async def test_all_of_the_link_take_over_with_the_same_mark(clinic: Clinic) -> None:
    patient, leaver, one, two = await clinic.patient(), *[await clinic.team_member() for _ in range(3)]
    await clinic.call(clinic.clinician, "patient.update", patient_id=patient, allocation_clinician_id=leaver)
    await nominate(clinic, "service_team", one, two)
    channel = await clinic.channel("service_team", patient, leaver, patient=patient)
    await clinic.send(patient, channel, "Not read")
    assert (await archived(clinic, leaver))["status"] == "done"
    found = await team(clinic, channel)
    assert {person: (row["read_offset"], row["visible_from"]) for person, row in found.items()} == {
        one: (1, 2),
        two: (1, 2),
    }
    [event] = await clinic.sql("select facts from events where channel_id = $1 and kind = 'joined'", channel)
    facts = json.loads(event["facts"])
    assert sorted(facts["opens"]) == sorted(row["id"] for row in found.values())
    for person in (one, two):
        [mine] = (await clinic.call(person, "channel.list"))["channels"]
        assert mine["unread"] == 1


async def test_the_last_who_manages_the_team_stays(clinic: Clinic) -> None:
    other = await clinic.team_member("MANAGER")
    assert (await ask(clinic, other))["status"] == "pending"
    with pytest.raises(Conflict, match="manage the team"):  # the other one is on the way out
        await ask(clinic, clinic.clinician)
    with pytest.raises(Conflict, match="manage the team"):
        await clinic.call(clinic.clinician, "role.update", name="ADMIN", permissions=["patient.read"])
    await do_jobs(clinic.database)
    with pytest.raises(Conflict, match="manage the team"):
        await ask(clinic, clinic.clinician)
    await clinic.team_member("ADMIN")
    assert (await ask(clinic, clinic.clinician))["status"] == "pending"


async def test_nobody_learns_of_a_colleagues_direct_channels_from_the_preview(clinic: Clinic) -> None:
    patient, leaver, friend = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    care = await clinic.care_team(patient, leaver)
    opened = await clinic.call(leaver, "channel.open", kind="direct", person_ids=[friend])
    told = await preview(clinic, leaver)
    assert told["leaves"] == [care]
    assert opened["channel_id"] not in str(told)
    assert (await archived(clinic, leaver, preview=told["preview"]))["status"] == "done"
    assert await team(clinic, opened["channel_id"]) == {friend: (await team(clinic, opened["channel_id"]))[friend]}


async def test_given_up_it_is_refused_and_nobody_stays_locked_out(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, leaver = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, leaver)
    await do_jobs(clinic.database)
    asked = await ask(clinic, leaver)
    monkeypatch.setattr(jobs, "MOST_STARTS", 0)
    await do_jobs(clinic.database)
    ended = await outcome(clinic, asked["id"])
    assert (ended["status"], "again and again" in ended["why"]) == ("refused", True)
    await clinic.call(leaver, "channel.list")
    assert set(await team(clinic, channel)) == {leaver}
    monkeypatch.setattr(jobs, "MOST_STARTS", 8)
    async with clinic.database.transaction() as tx:
        await jobs.requeue(tx, [int(job.id) for job in await jobs.dead(tx)])
    await do_jobs(clinic.database)
    assert await outcome(clinic, asked["id"]) == ended


async def test_whoever_is_archived_opens_no_channel_even_where_a_membership_is_left(
    clinic: Clinic, issuer: Issuer
) -> None:
    colleague = await clinic.team_member()
    group = await clinic.channel("group", clinic.clinician, colleague)
    verifier = KeyedVerifier.read(issuer.settings("postgresql://nowhere"))
    policy = ChatPolicy(clinic.database, Dispatcher(clinic.database, clinic.batcher), verifier)
    [granted] = await policy.subscribe(clinic.identity(colleague), "connection", [(group, "")])
    assert isinstance(granted, Grant)
    await clinic.archive(colleague)
    [refused] = await policy.subscribe(clinic.identity(colleague), "connection", [(group, "")])
    assert isinstance(refused, NotFound)

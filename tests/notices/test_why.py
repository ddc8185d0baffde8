"""Why was I notified, and why not: for any message and member exactly one explained outcome per medium and cause."""

import base64
from pathlib import Path

import pytest

from server.errors import Forbidden, NotFound
from server.notices.rules import WHY
from server.notices.why import ASKED
from tests.support.cast import Clinic
from tests.support.commands import here
from tests.support.reaching import Reaching


async def told(clinic: Clinic, channel: str, message: str) -> dict[str, dict[tuple[str, str], tuple[str, str]]]:
    """By person, medium and cause: status and word; of the present membership, or the last one."""
    found = await clinic.call(clinic.clinician, "notice.why", channel_id=channel, message_id=message)
    by_person = {}
    for member in found["members"]:
        outcomes = {(each["medium"], each["cause"]): (each["status"], each["why"]) for each in member["outcomes"]}
        assert list(outcomes) == list(ASKED)
        assert [each["explained"] for each in member["outcomes"]] == [WHY[word] for _, word in outcomes.values()]
        by_person[member["person_id"]] = outcomes
    return by_person


async def test_everybody_has_one_outcome_per_medium_and_cause(clinic: Clinic, reaching: Reaching) -> None:
    patient, colleague, gone = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, colleague, gone)
    await reaching.device(colleague)
    await reaching.mute(channel, gone)
    first = await reaching.send(patient, channel)
    unplanned = (await told(clinic, channel, first["message_id"]))[colleague]
    assert unplanned["push", "new"] == unplanned["email", "new"] == ("none", "not_planned")
    await reaching.round()
    second = await reaching.send(patient, channel)
    await reaching.round()
    await clinic.remove(channel, gone)
    third = await reaching.send(patient, channel)
    late = await clinic.team_member()
    await clinic.add(channel, late)
    reaching.later(minutes=6)
    await reaching.round()
    found = await told(clinic, channel, second["message_id"])
    unattended = {
        ("push", "unattended"): ("none", "not_unattended"),
        ("email", "unattended"): ("none", "not_unattended"),
    }
    assert found[colleague] == {("push", "new"): ("sent", "sent"), ("email", "new"): ("sent", "sent"), **unattended}
    assert found[clinic.clinician]["push", "new"] == ("suppressed", "no_device")
    assert found[gone] == {
        ("push", "new"): ("suppressed", "muted"),
        ("email", "new"): ("suppressed", "left"),
        **unattended,
    }
    assert found[late]["push", "new"] == found[late]["email", "new"] == ("none", "joined_later")
    assert set(found[patient].values()) == {("none", "own")}
    last = await told(clinic, channel, third["message_id"])
    assert last[gone]["push", "new"] == ("none", "left_before")
    reply = await reaching.send(clinic.clinician, channel)
    await reaching.plan()
    mine = (await told(clinic, channel, reply["message_id"]))[patient]
    assert mine["push", "unattended"] == ("none", "not_for_patients")
    assert mine["email", "new"] == ("due", "waiting")


async def test_what_was_planned_before_there_was_a_ledger_is_said_so(clinic: Clinic, reaching: Reaching) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    sent = await reaching.send(patient, channel)
    await clinic.sql(
        "insert into notice_marks values ($1, $2, $3)", clinic.organization_id, channel, await clinic.top(channel)
    )
    found = await told(clinic, channel, sent["message_id"])
    assert found[clinic.clinician]["push", "new"] == found[clinic.clinician]["email", "new"] == ("none", "before")


async def test_a_message_deleted_in_between_answers_for_itself_alone(clinic: Clinic, reaching: Reaching) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    first = await reaching.send(patient, channel)
    await reaching.plan()
    between, last = await reaching.send(patient, channel), await reaching.send(patient, channel)
    named = {"channel_id": channel, "message_id": between["message_id"], "expected_revision": 1}
    await clinic.call(patient, "message.delete", **named)
    await reaching.plan()
    reaching.later(minutes=6)
    await reaching.expect_email(clinic.clinician, first["message_id"])
    for message, outcome in ((first, "sent"), (between, "deleted"), (last, "sent")):
        told_of = (await told(clinic, channel, message["message_id"]))[clinic.clinician]
        assert told_of["email", "new"][1] == outcome


async def test_an_email_of_before_is_not_said_to_have_told_of_what_came_later(
    clinic: Clinic, reaching: Reaching
) -> None:
    patient, gone = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, gone)
    await reaching.send(clinic.clinician, channel)
    await reaching.send(patient, channel)
    await reaching.plan()
    reaching.later(minutes=6)
    await reaching.round()
    reaching.later(minutes=1)
    later = (await reaching.send(patient, channel))["message_id"]
    await clinic.remove(channel, gone)
    after = (await reaching.send(patient, channel))["message_id"]
    await reaching.plan()
    found = await told(clinic, channel, later)
    assert found[clinic.clinician]["email", "new"] == ("sent", "mailed")
    assert found[patient]["email", "new"] == ("none", "own"), "they wrote it, whatever came of another one's message"
    assert (await told(clinic, channel, after))[gone]["email", "new"] == ("none", "left_before")


async def test_whoever_asks_sees_nothing_below_their_floor(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    sent = await clinic.send(patient, channel, "Text")
    await clinic.sql("update memberships set visible_from = 3, read_offset = 2 where person_id = $1", clinic.clinician)
    with pytest.raises(NotFound, match="no such message"):
        await clinic.call(clinic.clinician, "notice.why", channel_id=channel, message_id=sent["message_id"])


async def test_only_the_channels_team_members_may_ask(clinic: Clinic) -> None:
    patient, outsider = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient)
    sent = await clinic.send(patient, channel, "Text")
    named = {"channel_id": channel, "message_id": sent["message_id"]}
    with pytest.raises(Forbidden):
        await clinic.call(patient, "notice.why", **named)
    with pytest.raises(NotFound):
        await clinic.call(outsider, "notice.why", **named)
    with pytest.raises(NotFound, match="no such message"):
        await clinic.call(clinic.clinician, "notice.why", **named | {"message_id": "msg_" + "0" * 20})
    assert (await clinic.call(clinic.clinician, "notice.why", **named, skip=9))["members"] == []


async def test_an_operator_asks_and_requeues_at_the_command_line(
    clinic: Clinic, reaching: Reaching, database_url: str, tmp_path: Path
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await reaching.device(clinic.clinician)
    sent = (await reaching.send(patient, channel))["message_id"]
    await reaching.plan()
    await clinic.sql(
        """update notices set status = 'dead', why = 'killed', settled_at = now() where message_id = $1 and medium = 'push'""",
        sent,
    )
    [row] = await clinic.sql("select id from notices where message_id = $1 and medium = 'push'", sent)
    key = tmp_path / "master.key"
    key.write_text(base64.b64encode(bytes(range(32))).decode())

    async def does(*arguments: str):
        return await here(
            *arguments, DATABASE_URL=database_url, REDIS_URL="redis://127.0.0.1:1/0", WARMLINE_PROFILE="dev",
            WARMLINE_MASTER_KEY_FILE=str(key), WARMLINE_TOKEN_ISSUER="none", WARMLINE_TOKEN_KEYS_FILE="/none",
        )  # fmt: skip

    said = (await does("why", clinic.clinician, sent)).stdout
    assert "killed: " + WHY["killed"] in said
    assert len(said.splitlines()) == 5
    for person, message in ((await clinic.patient(), sent), (patient, "msg_" + "0" * 20)):
        assert (await does("why", person, message)).returncode == 1
    assert row["id"] in (await does("notices", "dead")).stdout
    assert (await does("notices", "requeue", row["id"], "--dry-run")).stdout == "Would requeue 1 notices.\n"
    assert row["id"] in (await does("notices", "dead")).stdout
    assert (await does("notices", "requeue", "ntc_nothing", row["id"])).returncode == 1
    assert (await does("notices", "requeue", row["id"])).stdout == "Requeued 1 notices.\n"
    assert (await does("notices", "dead")).stdout == ""
    reaching.later(minutes=1)
    await reaching.expect_push(clinic.clinician, sent)

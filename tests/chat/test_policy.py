"""Who may write, once as a pure rule and once in SQL: one table of cases, made of all that can be, runs through both."""

from dataclasses import replace
from typing import get_args

import asyncpg
import pytest

from server.chat.append import CALL
from server.chat.policy import Outcome, Standing, Verb, can_post, may_revise, refusal
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.ids import ChannelId, KeyId, MessageId
from tests.support.cast import Clinic
from tests.support.posting import KINDS, Case, Situation, Stage, stand, table


async def judged(stage: Stage, key_id: KeyId, sends: list[tuple[str, str, str | None]]) -> list[str]:
    """What append_batch() says to all these sends at once: (channel, person, reply_to)."""
    size = len(sends)
    columns: tuple[list[object], ...] = (
        [stage.organization_id] * size, [channel for channel, _, _ in sends], ["message"] * size,
        [person for _, person, _ in sends], [MessageId.new() for _ in sends], [f"send {n}" for n in range(size)],
        [reply for _, _, reply in sends], [key_id] * size, [b"sealed"] * size, ["all"] * size, [None] * size, [None] * size,
    )  # fmt: skip
    rows = await stage.owner.fetch(CALL, *columns)
    return [row["outcome"] for row in sorted(rows, key=lambda row: row["item"])]


async def test_sql_and_the_pure_rule_decide_alike_in_every_case_that_can_be(
    clinic: Clinic, owner: asyncpg.Connection
) -> None:
    stage, sends, cases, cannot_be = Stage(owner, clinic), [], [], []
    key = await clinic.database.keys.current(clinic.organization_id)
    stranger = await clinic.send(clinic.clinician, await clinic.care_team(await clinic.patient()), "Elsewhere")
    built: dict[Case, Situation | None] = {}
    for case in table():
        scene = replace(case, reply="none")
        if case.kind is None:
            built[scene] = ChannelId.new(), clinic.clinician, {}
        if scene not in built:
            built[scene] = await stand(stage, scene)
        if (situation := built[scene]) is None:
            cannot_be.append(case)
            continue
        channel, person, roots = situation
        missing = stranger["message_id"] if case.reply == "in another channel" else MessageId.new()
        sends.append((channel, person, None if case.reply == "none" else roots.get(case.reply, missing)))
        cases.append(case)
    told = await judged(stage, KeyId(key.id), sends)
    ruled = [can_post(case.posting()) for case in cases]
    assert [(case, sql, rule) for case, sql, rule in zip(cases, told, ruled, strict=True) if sql != rule] == []
    assert {case for case in table() if not case.can_be()} == set(cannot_be)
    assert set(told) == set(get_args(Outcome))
    assert len(cases) > 500


ANCHORS: tuple[tuple[Case, Outcome], ...] = (
    (Case("care_team"), "ok"),
    (Case("care_team", person="patient"), "ok"),
    (Case("care_team", person="patient", status="archived"), "person_archived"),
    (Case("care_team", channel="archived"), "channel_archived"),
    (Case("care_team", channel="archived", person="patient", status="archived"), "person_archived"),
    (Case("care_team", member="none", channel="archived"), "not_found"),
    (Case("group", member="ended", person="patient"), "not_found"),
    (Case(None), "not_found"),
    (Case("direct"), "ok"),
    (Case("direct", other="archived"), "nobody_left"),
    (Case("direct", other="gone"), "nobody_left"),
    (Case("staff", other="gone"), "ok"),
    (Case("group", reply="fine"), "ok"),
    (Case("group", reply="missing"), "root_not_found"),
    (Case("group", reply="a reply"), "root_not_found"),
    (Case("group", reply="below the floor"), "root_not_found"),
    (Case("group", channel="archived", reply="missing"), "channel_archived"),
)


@pytest.mark.parametrize(("case", "outcome"), ANCHORS)
def test_who_may_write(case: Case, outcome: Outcome) -> None:
    assert can_post(case.posting()) == outcome


ANSWERS = {".": type(None), "f": Forbidden, "n": NotFound, "c": Conflict, "i": Invalid}
WHO = (
    Standing(member=True, team=True),
    Standing(member=True, team=True, manages=True),
    Standing(member=False, team=True),
    Standing(member=False, team=True, manages=True),
    Standing(member=True, team=False),
    Standing(member=False, team=False),
    Standing(member=True, team=False, active=False),
)
"""A team member, with Messaging Management; one who is not in the channel, with it; a patient, not in it, archived."""
NEVER = "ffnnfnf"
RULED: dict[Verb, tuple[str, str, str, str, str]] = {
    "open": ("....fff", "....fff", "....fff", "f.f.fff", "....fff"),
    "see": ("..nn.n.",) * 5,
    "ask_to_join": ("cc..fff", "cc..fff", NEVER, NEVER, NEVER),
    "add": ("..nnfnf", "..nnfnf", "..nnfnf", "f.nnfnf", NEVER),
    "add_patient": (NEVER, NEVER, NEVER, "f.nnfnf", NEVER),
    "remove": ("f.nnfnf", "f.nnfnf", "f.nnfnf", "f.nnfnf", NEVER),
    "remove_patient": (NEVER, NEVER, NEVER, "f.nnfnf", NEVER),
    "leave": ("..nnfnf", "..nnfnf", "..nnfnf", "..nn.nf", NEVER),
    "rename": (NEVER, NEVER, "..nnfnf", "f.nnfnf", NEVER),
    "archive": ("..nnfnf", "..nnfnf", "..nnfnf", "..nnfnf", NEVER),
    "unarchive": ("..n.fnf", "..n.fnf", "..n.fnf", "..n.fnf", NEVER),
    "hide": (NEVER, NEVER, NEVER, NEVER, "..nn.nf"),
}
"""Per verb and kind, in the order of the table in domain.md §2: what each of WHO is told."""


@pytest.mark.parametrize("verb", get_args(Verb))
def test_who_may_do_what_to_a_channel(verb: Verb) -> None:
    for kind, row in zip(KINDS, RULED[verb], strict=True):
        told = [refusal(verb, kind, who) for who in WHO]
        assert [type(answer) for answer in told] == [ANSWERS[letter] for letter in row], kind
        assert all(answer.message.strip().endswith(".") for answer in told if answer), kind


def test_refusals_say_what_would_help() -> None:
    doctor, patient = WHO[0], WHO[4]
    words = {
        ("add", "group", doctor): "takes Messaging Management",
        ("add", "direct", doctor): "Open another one",
        ("add_patient", "care_team", doctor): "Only group channels",
        ("remove", "care_team", doctor): "takes Messaging Management",
        ("remove_patient", "care_team", WHO[1]): "Archive the channel instead",
        ("leave", "direct", doctor): "can be hidden",
        ("leave", "service_team", patient): "Patients stay",
        ("archive", "care_team", patient): "for team members",
        ("hide", "group", doctor): "archived, or left",
        ("see", "staff", WHO[2]): "There is no such channel",
        ("leave", "group", WHO[6]): "change nothing",
    }
    for (verb, kind, who), part in words.items():
        assert part in str(refusal(verb, kind, who)), (verb, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "reason", "row"), [(True, False, "......f"), (False, False, "fififff"), (False, True, "f.f.fff")]
)
def test_who_may_change_a_message(own: bool, reason: bool, row: str) -> None:
    told = [may_revise(who, own, reason) for who in WHO]
    assert [type(answer) for answer in told] == [ANSWERS[letter] for letter in row]

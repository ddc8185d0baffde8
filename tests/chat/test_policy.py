"""Who may write, once as a pure rule and once in SQL: one table of cases, made of all that can be, runs through both."""

import itertools
from dataclasses import replace
from typing import get_args

import asyncpg
import pytest

from server.chat.append import CALL
from server.chat.policy import Kind, Outcome, can_post, may_add, may_remove
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


ADDING = {
    "care_team": (None, None, "further patients", "further patients"),
    "service_team": (None, None, "further patients", "further patients"),
    "staff": (None, None, "further patients", "further patients"),
    "group": ("Messaging Management", None, "Messaging Management", None),
    "direct": ("keeps the people", "keeps the people", "keeps the people", "keeps the people"),
}
"""Per kind: a team member added without and with messaging.manage, a patient without and with it."""


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_add_whom(kind: Kind) -> None:
    cases = itertools.product(("team_member", "patient"), (False, True))
    told = [may_add(kind, manages, newcomer) for newcomer, manages in cases]  # type: ignore[arg-type]
    assert [
        says in (answer or "") if says else answer is None for says, answer in zip(ADDING[kind], told, strict=True)
    ] == [True] * 4


REMOVING = {
    "care_team": (None, "Messaging Management", None, "Patients stay"),
    "service_team": (None, "Messaging Management", None, "Patients stay"),
    "staff": (None, "Messaging Management", None, "Patients stay"),
    "group": (None, "Messaging Management", None, None),
    "direct": ("cannot be left", "cannot be left", "cannot be left", "cannot be left"),
}
"""Per kind: a team member leaving, removed without and with messaging.manage, and a patient leaving."""


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_remove_whom(kind: Kind) -> None:
    told = [
        may_remove(kind, False, True, "team_member"),
        may_remove(kind, False, False, "team_member"),
        may_remove(kind, True, False, "team_member"),
        may_remove(kind, False, True, "patient"),
    ]
    assert [
        says in (answer or "") if says else answer is None for says, answer in zip(REMOVING[kind], told, strict=True)
    ] == [True] * 4
    if kind == "group":
        assert may_remove(kind, True, False, "patient") is None
        assert may_remove(kind, False, False, "patient") is not None

"""What makes a group's channel follow its roster, as a table of situations."""

from dataclasses import replace
from typing import Any

import pytest

from server.chat.participation import Join, Team
from server.roster.channel_sync import Plan, Row, Situation, plan

TEAM = Team(frozenset({"leader", "clinician", "net"}), safety_net="net")
A, B = Row("row-a", "a", True), Row("row-b", "b", True)
IN = replace(A, membership="in-a")
NONE = Situation("group", "active", True, (), frozenset("ab"), "leader", "clinician")
THERE = replace(
    NONE, channel="channel", carried="active", channel_facilitator="leader", there={"leader": "in-leader"}, staffed=True
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"follows": False, "rows": (A,)}, Plan()),
        ({}, Plan(True, ("leader",), facilitator="leader")),
        ({"rows": (A, B)}, Plan(True, ("leader",), (("row-a", "a"), ("row-b", "b")), facilitator="leader")),
        ({"rows": (A, B), "usable": frozenset("b")}, Plan(True, ("leader",), (("row-b", "b"),), facilitator="leader")),
        ({"rows": (A,), "facilitator": None}, Plan(True, ("clinician",), (("row-a", "a"),))),
        (
            {"rows": (A,), "facilitator": "gone", "clinician": "gone"},
            Plan(True, ("net",), (("row-a", "a"),), facilitator="gone"),
        ),
        ({"status": "archived", "rows": (A,)}, Plan()),
    ],
)
def test_without_a_channel(change: dict[str, Any], expected: Plan) -> None:
    assert plan(replace(NONE, **change), TEAM) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Plan()),
        ({"follows": False, "rows": (A,)}, Plan()),
        ({"rows": (A,)}, Plan(brings=(("row-a", "a"),))),
        ({"rows": (A,), "there": {"a": "by-hand"}}, Plan(adopts=(("row-a", "by-hand"),))),
        ({"rows": (IN,), "there": {"a": "in-a"}}, Plan()),
        ({"rows": (IN,)}, Plan()),  # they left by hand
        ({"rows": (replace(IN, active=False), A), "usable": frozenset("a")}, Plan(brings=(("row-a", "a"),))),
        ({"rows": (replace(IN, active=False),), "there": {"a": "in-a"}}, Plan(ends=("in-a",))),
        ({"rows": (replace(IN, active=False),)}, Plan()),  # left by hand, and then the group as well
        ({"rows": (replace(A, active=False),), "there": {"a": "by-hand"}}, Plan()),  # no row's doing
        ({"rows": (replace(IN, active=False), Row("new", "a", True)), "there": {"a": "in-a"}}, Plan(adopts=(("new", "in-a"),))),
        ({"rows": (replace(IN, active=False), replace(IN, id="again")), "there": {"a": "in-a"}}, Plan()),
        ({"rows": (A,), "usable": frozenset()}, Plan()),
        ({"status": "archived", "rows": (A,)}, Plan(status="archived")),
        ({"status": "archived", "carried": "archived", "rows": (A,)}, Plan()),
        ({"carried": "archived"}, Plan(status="active")),
        ({"facilitator": "clinician"}, Plan(staff=("clinician",), facilitator="clinician")),
        ({"facilitator": "clinician", "there": {"clinician": "in-c"}}, Plan(facilitator="clinician")),
        ({"facilitator": "gone"}, Plan()),
        ({"facilitator": None}, Plan()),
        ({"rows": (A,), "staffed": False}, Plan(staff=("leader",), brings=(("row-a", "a"),))),
        ({"rows": (A,), "staffed": False, "facilitator": "clinician"},
         Plan(staff=("clinician",), brings=(("row-a", "a"),), facilitator="clinician")),
        ({"staffed": False}, Plan()),
    ],
)  # fmt: skip
def test_with_a_channel(change: dict[str, Any], expected: Plan) -> None:
    assert plan(replace(THERE, **change), TEAM) == expected


def test_where_nobody_could_staff_it_nobody_is_brought_in() -> None:
    nobody = Team(frozenset())
    assert plan(replace(NONE, rows=(A,)), nobody) == Plan()
    assert plan(replace(THERE, rows=(A,), staffed=False), nobody) == Plan()


@pytest.mark.parametrize("start", [NONE, THERE])
def test_a_plan_that_was_applied_leaves_nothing_to_do(start: Situation) -> None:
    wanted = plan(replace(start, rows=(A, B)), TEAM)
    assert wanted.people == {"a", "b", *wanted.staff}
    rows = tuple(replace(row, membership=f"in-{row.person}") for row in (A, B))
    there = {person: f"in-{person}" for person in ("a", "b", "leader")}
    done = replace(
        start, rows=rows, there=there, channel="channel", carried="active", staffed=True, channel_facilitator="leader"
    )
    assert plan(done, TEAM) == Plan()


def test_patients_see_what_comes_and_team_members_all() -> None:
    staffed = Plan(staff=("leader",), brings=(("row-a", "a"),))
    assert staffed.joins("channel") == [
        Join("channel", "group", "leader", None, 1, None, "roster"),
        Join("channel", "group", "a", None, None, None, "roster"),
    ]
    assert replace(staffed, make=True).joins("channel") == staffed.joins("channel")[1:]

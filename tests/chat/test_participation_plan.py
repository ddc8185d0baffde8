"""The chain and the plans, case by case: plain values in, plain values out."""

from dataclasses import replace

import pytest

from server.chat.activation_plan import Activation, Rule, plan_activation
from server.chat.participation import Join, Place, Plan, Team, beyond, fallback, plan_archiving, staff

EVERYBODY = frozenset(
    {"clinician", "facilitator", "nominee1", "nominee2", "group1", "group2", "net", "other", "successor"}
)
TEAM = Team(
    EVERYBODY,
    {"care_team": ["nominee2", "nominee1"], "service_team": ["other"]},
    {"cohort": ["group2", "group1"]},
    "net",
)
CARE = Place("ch", "care_team", "mb", 7, True, "clinician", "cohort")
GROUP = Place("ch", "group", "mb", 7, True, "clinician", "cohort", "facilitator")


def gone(*people: str) -> Team:
    """The team without these."""
    return replace(TEAM, available=EVERYBODY - {*people})


@pytest.mark.parametrize(
    ("place", "team", "added"),
    [
        (CARE, TEAM, ["clinician"]),
        (CARE, gone("clinician"), ["nominee1", "nominee2"]),
        (CARE, gone("clinician", "nominee1"), ["nominee2"]),
        (replace(CARE, kind="service_team"), gone("clinician"), ["other"]),
        (CARE, gone("clinician", "nominee1", "nominee2"), ["group1", "group2"]),
        (replace(CARE, patient_group="another"), gone("clinician", "nominee1", "nominee2"), ["net"]),
        (replace(CARE, patient_group=None), gone("clinician", "nominee1", "nominee2"), ["net"]),
        (CARE, gone("clinician", "nominee1", "nominee2", "group1", "group2"), ["net"]),
        (CARE, gone(*EVERYBODY), []),
        (CARE, replace(gone("clinician"), nominees={}, patient_groups={}, safety_net=None), []),
        (GROUP, TEAM, ["facilitator"]),
        (GROUP, gone("facilitator"), ["clinician"]),
        (replace(GROUP, facilitator=None), TEAM, ["clinician"]),
        (GROUP, gone("facilitator", "clinician"), ["net"]),
        (GROUP, gone("facilitator", "clinician", "net"), []),
    ],
)
def test_the_first_link_with_anybody_available_is_used_whole(place: Place, team: Team, added: list[str]) -> None:
    assert fallback(place, team) == added


def test_each_of_the_link_inherits_the_mark_and_sees_what_the_kind_lets_them() -> None:
    team = gone("clinician")
    assert staff([CARE], team) == (
        [Join("ch", "care_team", person, 7, 1, "mb") for person in ("nominee1", "nominee2")],
        [],
    )
    assert staff([replace(CARE, kind="service_team")], team)[0] == [Join("ch", "service_team", "other", 7, 8, "mb")]
    assert staff([GROUP], team)[0] == [Join("ch", "group", "facilitator", 7, 8, "mb")]


def test_channels_that_need_nobody_get_nobody_and_those_without_anybody_are_listed() -> None:
    places = [replace(CARE, needs=False), replace(CARE, channel="empty"), replace(GROUP, channel="bare")]
    assert staff(places, gone(*EVERYBODY)) == ([], ["empty", "bare"])


def test_archiving_ends_every_membership_and_goes_past_the_leaver() -> None:
    places = [
        CARE,
        replace(GROUP, channel="g", membership="mg", facilitator="net"),
        Place("d", "direct", "md", 3, False),
    ]
    plan = plan_archiving("clinician", None, places, TEAM, ["p2", "p1"], ["g"])
    assert [(join.channel, join.person) for join in plan.joins] == [
        ("ch", "nominee1"),
        ("ch", "nominee2"),
        ("g", "net"),
    ]
    assert plan.ends == (("ch", "mb"), ("g", "mg"), ("d", "md"))
    assert (plan.patients, plan.facilitated, plan.successor) == (("p1", "p2"), ("g",), None)
    assert plan.channels == {"ch", "g", "d"}
    assert plan.people == {"nominee1", "nominee2", "net", "p1", "p2"}


def test_the_successor_stands_in_the_chain_where_the_leaver_stood() -> None:
    group = replace(GROUP, channel="g", facilitator="clinician", clinician="other")
    plan = plan_archiving("clinician", "successor", [CARE, group], TEAM, ["p"])
    assert [(join.channel, join.person) for join in plan.joins] == [("ch", "successor"), ("g", "successor")]
    assert "successor" in plan.people
    elsewhere = plan_archiving("other", "successor", [CARE], TEAM)
    assert [join.person for join in elsewhere.joins] == ["clinician"]


def test_the_chain_may_end_empty() -> None:
    plan = plan_archiving("net", None, [CARE], replace(gone(*EVERYBODY - {"net"})))
    assert (plan.joins, plan.unstaffed) == ((), ("ch",))
    assert plan_archiving("net", None, [replace(CARE, membership=None)], TEAM).ends == ()


def test_the_digest_changes_with_what_changes_and_not_with_read_marks() -> None:
    plan = plan_archiving("x", None, [CARE, replace(CARE, channel="b", membership="m2")], TEAM, ["p"], ["g"])
    again = plan_archiving("x", None, [replace(CARE, channel="b", membership="m2", mark=9), CARE], TEAM, ["p"], ["g"])
    assert plan.digest() == again.digest()
    others = [
        plan_archiving("x", None, [CARE], TEAM, ["p"], ["g"]),
        plan_archiving("x", None, [CARE, replace(CARE, channel="b", membership="m3")], TEAM, ["p"], ["g"]),
        replace(plan, patients=()),
        replace(plan, facilitated=()),
        replace(plan, successor="y"),
        replace(plan, unstaffed=("ch",)),
        replace(plan, joins=plan.joins[:1]),
        Plan(),
    ]
    assert len({plan.digest(), *(other.digest() for other in others)}) == len(others) + 1


RULE = Rule("care_team", True, False)


@pytest.mark.parametrize(
    ("rule", "team", "members", "source"),
    [
        (RULE, TEAM, ("nominee1", "nominee2"), "rule"),
        (RULE, gone("nominee1"), ("nominee2",), "rule"),
        (replace(RULE, include_allocation_clinician=True), TEAM, ("clinician", "nominee1", "nominee2"), "rule"),
        (replace(RULE, include_allocation_clinician=True), gone("nominee1", "nominee2"), ("clinician",), "rule"),
        (RULE, gone("nominee1", "nominee2"), ("clinician",), "fallback"),
        (RULE, gone("nominee1", "nominee2", "clinician"), ("group1", "group2"), "fallback"),
        (replace(RULE, include_allocation_clinician=True), gone(*EVERYBODY - {"net"}), ("net",), "fallback"),
        (RULE, gone(*EVERYBODY), (), "fallback"),
    ],
)
def test_a_new_channel_gets_its_nominees_or_else_the_chain(
    rule: Rule, team: Team, members: tuple[str, ...], source: str
) -> None:
    assert plan_activation(rule, "clinician", "cohort", team) == Activation(members, source)


@pytest.mark.parametrize(
    ("place", "present", "added"),
    [
        (CARE, (), ["clinician"]),
        (CARE, ("clinician",), ["nominee1", "nominee2"]),
        (CARE, ("clinician", "nominee1"), ["nominee2"]),
        (CARE, ("clinician", "nominee1", "nominee2", "group1", "group2"), ["net"]),
        (CARE, EVERYBODY, []),
        (GROUP, ("facilitator", "clinician"), ["net"]),
    ],
)
def test_beyond_those_present_the_chain_goes_on(place: Place, present: tuple[str, ...], added: list[str]) -> None:
    joins = beyond(place, TEAM, present)
    assert [join.person for join in joins] == added
    floor = 1 if place.kind == "care_team" else 8
    assert {(join.mark, join.visible_from, join.source) for join in joins} <= {(7, floor, "fallback")}

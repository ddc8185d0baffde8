"""The oracle can say no: outcomes that the rules do not allow are explained by no order."""

from dataclasses import replace

import pytest

from tests.property.serial import Search
from tests.property.situation import ACTIVE, ARCHIVED, CARE, GROUP, SERVICE, Channel, Clinic, Patient, Rule, Seat
from tests.property.verdicts import OK, Step

CHANNEL = "p/care_team"


def clinic(kind: str = CARE) -> Clinic:
    """One patient, allocated to `next`, and one channel that `last` is alone in; `far` is the safety net."""
    seats = {"p": Seat(1, 1, 1), "last": Seat(2, 5, 1)}
    channel = Channel(kind, patient=None if kind == GROUP else "p", seats=seats)
    staff = dict.fromkeys(("last", "next", "far"), ACTIVE)
    patients = {"p": Patient(ACTIVE, "next", "c")}
    rules = {CARE: Rule(), SERVICE: Rule()}
    return Clinic(staff, frozenset(), patients, {CHANNEL: channel}, rules, {"c": frozenset()}, "far")


def archived(start: Clinic, heir: str, mark: int, floor: int) -> Clinic:
    """The clinic with `last` archived and somebody in the channel instead."""
    seats = {"p": Seat(1, 1, 1), heir: Seat(9, mark, floor, "fallback")}
    changed = replace(start.channels[CHANNEL], seats=seats)
    return replace(start.channel(CHANNEL, changed), staff=start.staff | {"last": ARCHIVED})


ARCHIVING = [
    Step("request", "next", {"person": "last", "successor": None, "plan": None}, OK),
    Step("work", "", {"person": "last"}, OK),
]


@pytest.mark.parametrize(
    ("kind", "heir", "mark", "floor", "right"),
    [
        (CARE, "next", 5, 1, True),
        (CARE, "far", 5, 1, False),
        (CARE, "next", 9, 1, False),
        (CARE, "next", 5, 6, False),
        (SERVICE, "next", 5, 6, True),
        (SERVICE, "next", 5, 1, False),
        (GROUP, "next", 5, 6, True),
        (GROUP, "far", 5, 6, False),
    ],
)
def test_a_handover_is_to_the_first_link_with_its_mark_and_floor(
    kind: str, heir: str, mark: int, floor: int, right: bool
) -> None:
    start = clinic(kind)
    assert (Search([ARCHIVING], archived(start, heir, mark, floor)).order(start) is not None) == right


def test_the_last_one_cannot_leave() -> None:
    start = clinic()
    left = start.channel(CHANNEL, start.channels[CHANNEL].without("last"))
    leave = Step("leave", "last", {"channel": CHANNEL, "instead": None}, OK)
    assert Search([[leave]], left).order(start) is None
    assert Search([[replace(leave, result="last")]], start).order(start) is not None


def test_a_refusal_needs_its_reason() -> None:
    start = clinic()
    refused = [ARCHIVING[0], Step("refuse", "", {"person": "last"}, "nobody"), Step("lift", "", {"person": "last"}, OK)]
    assert Search([refused], start).order(start) is None
    nobody = replace(start, net=None, patients={"p": Patient(ACTIVE, "last", "c")})
    assert Search([refused], nobody).order(nobody) is not None


def test_an_order_is_found_among_more_than_can_be_tried() -> None:
    """Whoever is archived changes nothing after; what else happens can be in any order, and there are millions of them."""
    start = clinic()
    before = Step("set_net", "last", {"person": None}, OK)
    others = [[Step("preview", "next", {"person": "far", "successor": None}, OK)] * 3] * 4
    end = replace(archived(start, "next", 5, 1), net=None)
    assert Search([ARCHIVING, *others, [before]], end).order(start) is not None
    assert Search([ARCHIVING, *others, [before]], replace(end, net="far")).order(start) is None

"""The rules of domain.md §4, case by case: what stands in the way, in which order, and what makes a notice wait."""

import itertools
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from server.notices import rules
from server.notices.rules import AGAINST, WHY, Decision, Facts, decide_email, decide_push

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER, SINCE = AT + timedelta(hours=3), AT - timedelta(minutes=5)
NEW = Facts(AT, unread_since=SINCE)
UNATTENDED = replace(NEW, cause="unattended", unread_since=None)
PUSH, EMAIL = decide_push, decide_email


@pytest.mark.parametrize("facts", [NEW, UNATTENDED])
@pytest.mark.parametrize(("decide", "unreachable"), [(PUSH, "no_device"), (EMAIL, "no_address")])
def test_the_first_reason_against_it_is_the_one_that_is_told(decide, unreachable, facts) -> None:
    """Whatever else holds as well, waiting included."""
    waits = replace(facts, quiet_until=LATER, viewing_until=LATER, unread_since=AT)
    for first, second in itertools.combinations_with_replacement(AGAINST, 2):
        against = replace(waits, **{first: True, second: True})
        assert decide(against) == Decision("suppressed", unreachable if first == "unreachable" else first)
    assert not decide(replace(waits, own=True)).sends


CASES = [
    # medium, facts beside nothing that stands in the way, status, why, until when
    (PUSH, NEW, {}, "due", "new", None),
    (PUSH, NEW, {"unread_since": AT}, "due", "new", None),
    (PUSH, NEW, {"viewing_until": LATER}, "due", "viewing", LATER),
    (PUSH, NEW, {"quiet_until": LATER}, "due", "quiet", LATER),
    (PUSH, NEW, {"quiet_until": LATER, "viewing_until": AT}, "due", "quiet", LATER),
    (PUSH, UNATTENDED, {}, "due", "unattended", None),
    (PUSH, UNATTENDED, {"quiet_until": LATER}, "due", "unattended", None),
    (PUSH, UNATTENDED, {"quiet_until": LATER, "viewing_until": LATER}, "due", "viewing", LATER),
    (EMAIL, NEW, {}, "due", "new", None),
    (EMAIL, NEW, {"viewing_until": LATER}, "due", "new", None),
    (EMAIL, NEW, {"unread_since": None}, "due", "new", None),
    (EMAIL, NEW, {"unread_since": SINCE + timedelta(seconds=1)}, "due", "waiting", AT + timedelta(seconds=1)),
    (EMAIL, NEW, {"wait": timedelta(hours=1)}, "due", "waiting", SINCE + timedelta(hours=1)),
    (EMAIL, NEW, {"quiet_until": LATER}, "due", "quiet", LATER),
    (EMAIL, NEW, {"quiet_until": LATER, "wait": timedelta(hours=1)}, "due", "waiting", SINCE + timedelta(hours=1)),
    (EMAIL, UNATTENDED, {"quiet_until": LATER}, "due", "unattended", None),
    (EMAIL, UNATTENDED, {"unread_since": AT}, "due", "unattended", None),
]


@pytest.mark.parametrize(("decide", "facts", "given", "status", "why", "until"), CASES)
def test_what_nothing_stands_in_the_way_of_goes_out_or_waits(decide, facts, given, status, why, until) -> None:
    decided = decide(replace(facts, **given))
    assert decided == Decision(status, why, until)
    assert decided.sends == (until is None)


def test_every_reason_is_a_fact_and_every_word_is_explained() -> None:
    named = {field.name for field in fields(Facts)}
    assert set(AGAINST) <= named
    assert {*AGAINST} - {"unreachable"} <= set(WHY)
    assert {case[4] for case in CASES} | {"no_device", "no_address"} <= set(WHY)
    for word, said in rules.WHY.items():
        assert word.replace("_", "").isalpha(), word
        assert said[0].isupper(), word
        assert said.endswith("."), word

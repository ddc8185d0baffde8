"""The pure rules of the roster, as tables of cases."""

import pytest

from server.roster.policy import ADDENDUM, Batch, Key, full, may_write, plan_batch, reference

A, B, C, G = ("patient", "a"), ("patient", "b"), ("patient", "c"), ("guest", "a")


@pytest.mark.parametrize(
    ("kind", "patient", "guest", "found"),
    [
        ("patient", "a", None, A),
        ("guest", None, "a", G),
        ("patient", None, None, "patient_id: a patient is named by it. Give one."),
        ("patient", None, "a", "patient_id: a patient is named by it. Give one."),
        ("guest", "a", None, "guest_id: a guest is named by it. Give one."),
        ("patient", "a", "a", "guest_id: this is a patient; leave it out."),
        ("guest", "a", "a", "patient_id: this is a guest; leave it out."),
    ],
)
def test_a_reference_names_one(kind: str, patient: str | None, guest: str | None, found: Key | str) -> None:
    assert reference(kind, patient, guest) == found


@pytest.mark.parametrize(
    ("most", "active", "more", "said"),
    [
        (None, 10_000, 500, None), (12, 11, 1, None), (12, 0, 12, None), (12, 12, 1, "12 of 12 places are taken"),
        (12, 10, 3, "These are 3 new members, and 2 of 12 places are free"), (2, 5, 2, "0 of 2 places are free"),
    ],
)  # fmt: skip
def test_what_is_full_says_how_full(most: int | None, active: int, more: int, said: str | None) -> None:
    found = full(most, active, more)
    assert (found is None) == (said is None)
    assert said is None or (found is not None and said in found)


@pytest.mark.parametrize(
    ("wanted", "active", "most", "expected"),
    [
        ([], {A}, 0, Batch()),
        ([A, B, G], set(), 3, Batch((0, 1, 2))),
        ([A, A, A], set(), 1, Batch((0,), 2)),
        ([A, B], {A}, 2, Batch((1,), 1)),
        ([A, B], {A, B}, 1, Batch((), 2)),  # full, and nothing new
        ([C, "wrong", A], set(), 1, Batch((2,), 0, ((0, "gone"), (1, "wrong")))),
        ([A, B], {G}, 2, Batch(refused="x")),
    ],
)
def test_a_batch_is_planned(wanted: list[Key | str], active: set[Key], most: int, expected: Batch) -> None:
    found = plan_batch(wanted, active, {C: "gone"}, most)
    assert (found.refused is None) == (expected.refused is None)
    assert (found.add, found.skipped, found.errors) == (expected.add, expected.skipped, expected.errors)


def test_after_the_end_there_are_addenda_alone() -> None:
    assert may_write(False, "session_note") is None
    assert may_write(True, ADDENDUM) is None
    assert "finalised" in (may_write(True, "session_note") or "")

"""Positions: every kind of wish, every view of a row, and streams put together from pieces in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.ports import Grant, LogRow
from server.gateway.protocol import History, Publication, Subscribe
from server.gateway.recovery import Portion, Start, View, follow, lost, rows_to_ask, start, view, window


def grant(floor: int = 1, top: int = 10, audience: str = "staff") -> Grant:
    return Grant("k", "me", audience, floor, top)


def wish(offset: int, epoch: str = "e", recover: bool = True, flag: int = 1) -> Subscribe:
    return Subscribe(1, "c", recover, epoch, offset, flag)


def row(offset: int, audience: str | None = None, target: int | None = None, ends: tuple[str, ...] = ()) -> LogRow:
    return LogRow("k", offset, audience, target, (), ends, None)


UNRECOVERED = Start(10, was_recovering=True)


@pytest.mark.parametrize(
    ("asked", "granted", "expected"),
    [
        (wish(3, recover=False), grant(), Start(10)),
        (wish(3), grant(), Start(3, True, True)),
        (wish(10), grant(), Start(10, True, True)),
        (wish(0), grant(), Start(0, True, True)),
        (wish(3, epoch=""), grant(), Start(3, True, True)),
        # the beginning is the floor
        (wish(0, epoch=""), grant(), Start(0, True, True)),
        (wish(0, epoch=""), grant(floor=0), Start(0, True, True)),
        (wish(0, epoch=""), grant(floor=4), Start(3, True, True)),
        (wish(0, epoch=""), grant(floor=11), Start(10, True, True)),
        (wish(0, epoch=""), grant(floor=12), Start(10, True, True)),
        (wish(0, epoch=""), grant(top=0), Start(0, True, True)),
        (wish(0, epoch="e"), grant(top=0), Start(0, True, True)),
        # floors
        (wish(3), grant(floor=4), Start(3, True, True)),
        (wish(2), grant(floor=4), UNRECOVERED),
        (wish(0), grant(floor=4), UNRECOVERED),
        (wish(2, epoch=""), grant(floor=4), UNRECOVERED),
        # from the future, of another log, too far behind
        (wish(11), grant(), UNRECOVERED),
        (wish(2**64 - 1), grant(), UNRECOVERED),
        (wish(3, epoch="f"), grant(), UNRECOVERED),
        (wish(0, epoch="_"), grant(), UNRECOVERED),
        (wish(10, epoch="_"), grant(), UNRECOVERED),
        (wish(4), grant(top=11), Start(4, True, True)),
        (wish(3), grant(top=11), Start(11, True, False)),
        (wish(0, epoch=""), grant(top=11), Start(11, True, False)),
        # the client wants an error instead
        (wish(11, flag=3), grant(), None),
        (wish(3, epoch="f", flag=2), grant(), None),
        (wish(2, flag=2), grant(floor=4), None),
        (wish(3, flag=3), grant(), Start(3, True, True)),
    ],
)
def test_where_a_subscription_begins(asked: Subscribe, granted: Grant, expected: Start | None):
    assert start(asked, granted, "e", most=7 if granted.top == 11 else 100) == expected


def test_lost():
    assert lost(wish(3), 10) == UNRECOVERED
    assert lost(wish(3, flag=2), 10) is None


@pytest.mark.parametrize(
    ("given", "floor", "audience", "expected"),
    [
        (row(5), 1, "staff", View.SEE),
        (row(5, audience="staff"), 1, "staff", View.SEE),
        (row(5, audience="staff"), 1, "patient", View.VOID),
        (row(5), 5, "staff", View.SEE),
        (row(5), 6, "staff", View.VOID),
        (row(5, target=3), 3, "staff", View.SEE),
        (row(5, target=3), 4, "staff", View.VOID),
        (row(5, ends=("another",)), 1, "staff", View.SEE),
        (row(5, ends=("another", "me")), 1, "staff", View.CUT),
        (row(5, audience="patient", ends=("me",)), 9, "staff", View.CUT),
        (row(0), 9, "staff", View.SEE),
        (row(0, target=3), 9, "staff", View.VOID),
        (row(0, audience="patient"), 1, "staff", View.VOID),
    ],
)
def test_views(given: LogRow, floor: int, audience: str, expected: View):
    assert view(given, grant(floor=floor, audience=audience)) is expected


@given(
    top=st.integers(0, 40),
    position=st.integers(0, 45),
    pages=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 15)), max_size=6),
    live=st.lists(st.integers(1, 40), max_size=30),
)
def test_what_follows_is_unbroken_whatever_came_in_whatever_order(top, position, pages, live):
    """Pages and live rows, with repeats, reordered: one step of putting them together never makes a hole or a repeat."""
    log = [row(offset) for offset in range(1, top + 1)]
    sources = [log[after : after + limit] for after, limit in pages] + [[log[o - 1] for o in live if o <= top]]
    run = follow(position, *sources)
    assert [one.offset for one in run] == list(range(position + 1, position + 1 + len(run)))
    known = {one.offset for source in sources for one in source}
    assert position + len(run) + 1 not in known


@given(st.data())
def test_reading_on_arrives_at_the_top_with_the_right_views(data: st.DataObject):
    """A client that catches up while rows are written, live rows are lost and pages are small gets its whole stream."""
    me = grant(floor=data.draw(st.integers(1, 8)), audience=data.draw(st.sampled_from(("staff", "patient"))))
    draw_row = st.tuples(
        st.sampled_from((None, "staff", "patient")), st.none() | st.integers(1, 10), st.sampled_from(((), (), ("x",)))
    )
    log = [row(o, *data.draw(draw_row)) for o in range(1, data.draw(st.integers(1, 25)) + 1)]
    position = data.draw(st.integers(0, len(log)))
    got: list[tuple[int, View]] = []
    while position < len(log):
        page = log[position : position + data.draw(st.integers(1, 4))]
        ring = data.draw(st.lists(st.sampled_from(log), max_size=5))
        portion = Portion(data.draw(st.integers(1, 3)), 10_000)
        for one in follow(position, page, ring):
            if not portion.add(Publication(b"{}", one.offset)):
                break
            got.append((one.offset, view(one, me)))
        position += len(portion.publications)
    assert [offset for offset, _ in got] == list(range(len(log) - len(got) + 1, len(log) + 1))
    for offset, seen in got:
        one = log[offset - 1]
        hidden = one.audience not in (None, me.audience) or min(offset, one.target or offset) < me.floor
        assert (seen is View.VOID) == hidden


def test_a_portion_is_bounded_but_never_empty():
    portion = Portion(max_rows=3, max_bytes=1_000)
    assert portion.add(Publication(b"x" * 5_000, 1))
    assert not portion.add(Publication(b"x", 2))
    portion = Portion(max_rows=3, max_bytes=1_000)
    assert [portion.add(Publication(b"x" * 100, offset)) for offset in range(1, 6)] == [True, True, True, False, False]
    assert portion.size < 1_000


def test_how_much_is_to_come_is_judged_by_what_was_seen():
    portion = Portion(max_rows=3, max_bytes=10_000)
    assert not portion.too_much_to_come(1_000_000, 1)
    portion.add(Publication(b"x" * 936, 1))
    assert not portion.too_much_to_come(3, 4_000)
    assert portion.too_much_to_come(4, 4_000)


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        ([], []),
        ([0, 1, 5], [1, 1, 5]),
        ([900], [100]),
        ([100, 100, 100], [66, 66, 66]),
        ([1] * 300, [1] * 300),
    ],
)
def test_rows_to_ask(needed: list[int], expected: list[int]):
    assert rows_to_ask(needed, budget=200, most=100) == expected


def page(limit: int, since: int | None = None, reverse: bool = False, epoch: str = "e") -> History:
    return History(1, "c", limit, None if since is None else (since, epoch), reverse)


@pytest.mark.parametrize(
    ("asked", "granted", "offsets"),
    [
        (page(0), grant(), []),
        (page(0, reverse=True), grant(), []),
        (page(3), grant(), [1, 2, 3]),
        (page(3, 0), grant(), [1, 2, 3]),
        (page(3, 4), grant(), [5, 6, 7]),
        (page(3, 4, epoch=""), grant(), [5, 6, 7]),
        (page(-1), grant(), list(range(1, 9))),
        (page(2**31 - 1, 8), grant(), [9, 10]),
        (page(3, 10), grant(), []),
        (page(3, 11), grant(), []),
        (page(3, 2**64 - 1), grant(), []),
        (page(3, reverse=True), grant(), [10, 9, 8]),
        (page(3, 8, reverse=True), grant(), [7, 6, 5]),
        (page(3, 2, reverse=True), grant(), [1]),
        (page(3, 1, reverse=True), grant(), []),
        (page(3, 0, reverse=True), grant(), []),
        (page(3, 99, reverse=True), grant(), [10, 9, 8]),
        (page(-1, reverse=True), grant(), list(range(10, 2, -1))),
        # nothing below the floor
        (page(3), grant(floor=4), [4, 5, 6]),
        (page(3, 1), grant(floor=4), [4, 5, 6]),
        (page(3), grant(floor=0), [1, 2, 3]),
        (page(9, 6, reverse=True), grant(floor=4), [5, 4]),
        (page(9, 4, reverse=True), grant(floor=4), []),
        (page(9), grant(floor=11), []),
        (page(9, reverse=True), grant(floor=12), []),
        (page(9), grant(top=0), []),
        (page(9, reverse=True), grant(top=0), []),
    ],
)
def test_pages_of_the_history(asked: History, granted: Grant, offsets: list[int]):
    place = window(asked, granted, "e", 8)
    assert place is not None
    after, count = place
    rows = list(range(after + 1, after + count + 1))
    assert (rows[::-1] if asked.reverse else rows) == offsets


def test_a_page_of_another_epoch_cannot_be_had():
    assert window(page(3, 4, epoch="f"), grant(), "e", 8) is None
    assert window(page(0, 0, True, epoch="f"), grant(), "e", 8) is None

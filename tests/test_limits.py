"""Rates and counts, by a clock of the test's own: what passes, what waits, what is refused, and what is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import TooMany
from server.limits import _FORGET_FROM, Counts, Rate, Rates, origin, seconds


def spent(rate: Rate, moments: list[float]) -> tuple[list[float], int]:
    """When what is taken at these moments is let through, and how often it was refused."""
    whole, through, refused = 0.0, [], 0
    for now in moments:
        whole, wait = rate.take(whole, now)
        if wait > rate.patience:
            refused += 1
        else:
            through.append(now + wait)
    return through, refused


def test_a_burst_passes_then_some_wait_then_it_is_refused() -> None:
    through, refused = spent(Rate(10, 5, patience=0.3), [100.0] * 12)
    assert through == pytest.approx([100] * 5 + [100.1, 100.2, 100.3])
    assert refused == 4


def test_a_refusal_costs_nothing_and_a_pause_gives_the_burst_back() -> None:
    rate = Rate(10, 5)
    assert spent(rate, [100.0] * 1_000 + [100.1]) == ([100.0] * 5 + [100.1], 995)
    assert spent(rate, [100.0] * 5 + [100.5] * 6) == ([100.0] * 5 + [100.5] * 5, 1)


def test_one_at_a_time() -> None:
    assert spent(Rate(1, 1), [0.0, 0.5, 1.0, 1.5, 2.0]) == ([0.0, 1.0, 2.0], 2)


@given(
    rate=st.builds(Rate, st.floats(0.1, 1_000), st.integers(1, 100).map(float), st.sampled_from([0.0, 0.5, 5.0])),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_stretch_of_time_lets_more_through_than_burst_and_rate_and_the_order_stays(
    rate: Rate, pauses: list[float]
) -> None:
    now, moments = 1_000.0, []
    for pause in pauses:
        now += pause
        moments.append(now)
    through, _ = spent(rate, moments)
    assert through == sorted(through)
    for first in range(len(through)):
        for last in range(first, len(through)):
            most = rate.burst + (through[last] - through[first]) * rate.per_second
            assert last - first + 1 <= most + 0.01 + 1e-6 * rate.per_second


def test_each_key_has_its_own() -> None:
    rates = Rates(Rate(1, 2), "Try again in {seconds} s.")
    assert [rates.take("a", 10.0), rates.take("a", 10.0)] == [0, 0]
    with pytest.raises(TooMany, match=r"^Try again in 1 s\.$") as told:
        rates.take("a", 10.0)
    assert told.value.after == pytest.approx(1)
    assert rates.take("b", 10.0) == 0
    with pytest.raises(TooMany) as told:
        rates.take("a", 10.75)
    assert told.value.after == pytest.approx(0.25)
    assert rates.take("a", 11.0) == 0


def test_who_may_wait_is_told_how_long_and_who_may_not_when_to_come_again() -> None:
    rates = Rates(Rate(10, 1, patience=0.2), "{seconds}")
    assert [rates.take("a", 5.0) for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    with pytest.raises(TooMany) as told:
        rates.take("a", 5.0)
    assert rates.take("a", 5.0 + told.value.after) == pytest.approx(0.2)


def test_idle_keys_are_forgotten_and_busy_ones_are_not() -> None:
    rates = Rates(Rate(1, 150), "{seconds}")
    for _ in range(150):
        rates.take("busy", 1_000.0)
    for number in range(100_000):
        rates.take(number, 1_000.0 + number / 1_000)
        assert len(rates) <= 2 * _FORGET_FROM + 2_000
    with pytest.raises(TooMany):
        [rates.take("busy", 1_100.0) for _ in range(101)]


def test_counts_hold_each_and_all_together() -> None:
    counts = Counts(each=2, together=3)
    assert [counts.take("a"), counts.take("a"), counts.take("a")] == [True, True, False]
    assert [counts.take("b"), counts.take("b"), counts.total] == [True, False, 3]
    counts.give_back("a")
    assert [counts.take("c"), counts.take("a"), counts.total] == [True, False, 3]
    for key in ("a", "b", "c"):
        counts.give_back(key)
    assert (counts.total, len(counts)) == (0, 0)
    assert all(Counts(each=1).take(number) for number in range(100))


def test_times_to_wait_are_told_in_whole_seconds() -> None:
    assert [seconds(wait) for wait in (0, 0.001, 1, 1.2, 59.9)] == [1, 1, 1, 2, 60]


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("a socket", "a socket"), ("", ""),
    ],
)  # fmt: skip
def test_what_is_counted_as_one_address(host: str, counted: str) -> None:
    assert origin(host) == counted

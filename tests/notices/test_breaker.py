"""The circuit breaker of one host: left alone after five failures in a row, asked once after each rest."""

import pytest

from server.notices.breaker import FAILURES, FIRST_SECONDS, LONGEST_SECONDS, PROBE_SECONDS, Breaker

pytestmark = pytest.mark.catalogue("R32")


def broken(now: float) -> Breaker:
    """One that has just failed often enough."""
    breaker = Breaker()
    assert [breaker.failed(now) for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]
    return breaker


def test_a_few_failures_leave_it_as_it_is_and_a_success_forgets_them() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed(0)
        assert breaker.wait(0) == 0
        breaker.worked()
    assert not breaker.resting


def test_after_too_many_it_is_left_alone_and_late_failures_of_the_same_outage_count_once() -> None:
    breaker = broken(100)
    assert breaker.resting
    assert breaker.wait(101) == FIRST_SECONDS - 1
    assert [breaker.failed(102) for _ in range(50)] == [False] * 50
    assert breaker.wait(100 + FIRST_SECONDS) == 0


def test_after_the_rest_one_goes_ahead_and_the_others_wait_for_it() -> None:
    breaker = broken(0)
    now = FIRST_SECONDS
    assert breaker.wait(now) == 0
    assert breaker.wait(now) == breaker.wait(now + 1) == FIRST_SECONDS
    assert breaker.wait(now + PROBE_SECONDS) == 0, "the probe never came back"
    breaker.worked()
    assert breaker.wait(now + PROBE_SECONDS) == breaker.wait(now + PROBE_SECONDS) == 0


def test_a_probe_that_fails_doubles_the_rest_up_to_the_longest() -> None:
    breaker, now = broken(0), 0.0
    rests = []
    for _ in range(10):
        rests.append(breaker.wait(now))
        now += rests[-1]
        assert breaker.wait(now) == 0
        assert breaker.failed(now)
    assert rests[:4] == [FIRST_SECONDS * 2**n for n in range(4)]
    assert rests[-1] == LONGEST_SECONDS

"""What providers answer: every status has one meaning, and Retry-After is read in both of its forms and in no other."""

from datetime import UTC, datetime

import pytest

from server.notices.answering import LONGEST_WAIT, backoff, judged, waiting

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *((None, 0), ("", 0), (" 7 ", 7), ("0", 0), ("3601", LONGEST_WAIT), ("9" * 400, LONGEST_WAIT), ("-5", 0), ("1.5", 0)),
        *(("Sat, 21 Nov 2026 08:01:40 GMT", 100), ("Sat, 21 Nov 2026 07:00:00 GMT", 0)),
        *(("Sun, 22 Nov 2026 08:00:00 GMT", LONGEST_WAIT), ("Sat, 21 Nov 2026 08:01:40", 0)),
        *(("Sat, 21 Nov 2026 08:01:40 -0000", 0), ("Sat, 99 Nov 2026 08:01:40 GMT", 0)),
        *(("٣", 0), ("soon", 0), ("\x00", 0), (";", 0)),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float) -> None:
    assert waiting(text, AT) == seconds


def test_every_status_has_one_meaning() -> None:
    for status in range(100, 600):
        answer = judged(status, "5", AT)
        if status in (404, 410):
            assert answer.outcome == "gone"
        elif 200 <= status < 300:
            assert answer.outcome == "sent"
        elif status == 429 or status >= 500:
            assert (answer.outcome, answer.wait, answer.ailing) == ("later", 5, True)
        else:
            assert answer.outcome == "refused"


def test_each_attempt_waits_longer_than_the_one_before_up_to_a_quarter_of_an_hour() -> None:
    waits = [backoff(attempts) for attempts in range(2000)]
    assert waits[:5] == [2, 2, 4, 8, 16]
    assert waits == sorted(waits)
    assert waits[-1] == 900

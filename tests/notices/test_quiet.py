"""Quiet hours, by the clocks of somebody's time zone: over midnight and over the change of clocks."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.notices.quiet import Quiet, known_zones, over_at


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(text: str, zone: str = "UTC") -> Quiet:
    begins, until = (time.fromisoformat(part) for part in text.split("-"))
    return Quiet(begins, until, zone)


@pytest.mark.parametrize(
    ("quiet", "moment", "over"),
    [
        (hours("22:00-07:00"), "2026-03-01T21:59:59", None),
        (hours("22:00-07:00"), "2026-03-01T22:00:00", "2026-03-02T07:00:00"),
        (hours("22:00-07:00"), "2026-03-02T06:59:59", "2026-03-02T07:00:00"),
        (hours("22:00-07:00"), "2026-03-02T07:00:00", None),
        (hours("12:00-13:00"), "2026-03-02T12:30:00", "2026-03-02T13:00:00"),
        (hours("12:00-13:00"), "2026-03-02T13:00:00", None),
        (hours("22:00-00:00"), "2026-03-01T23:59:00", "2026-03-02T00:00:00"),
        (hours("22:00-00:00"), "2026-03-02T00:00:00", None),
        (hours("00:00-23:59"), "2026-03-02T23:58:00", "2026-03-02T23:59:00"),
        # Sydney is eleven hours ahead in its summer, and already in the next day
        (hours("22:00-07:00", "Australia/Sydney"), "2026-01-10T11:00:00", "2026-01-10T20:00:00"),
        (hours("22:00-07:00", "Australia/Sydney"), "2026-01-10T20:00:00", None),
        # Berlin's clocks skip from 2 to 3 on 29 March: the night is an hour shorter
        (hours("22:00-07:00", "Europe/Berlin"), "2026-03-28T21:00:00", "2026-03-29T05:00:00"),
        (hours("22:00-02:30", "Europe/Berlin"), "2026-03-29T00:59:00", "2026-03-29T01:30:00"),
        (hours("02:30-07:00", "Europe/Berlin"), "2026-03-29T01:29:00", None),
        (hours("02:30-07:00", "Europe/Berlin"), "2026-03-29T01:30:00", "2026-03-29T05:00:00"),
        # and show the hour from 2 to 3 twice on 25 October: the first one counts
        (hours("22:00-07:00", "Europe/Berlin"), "2026-10-24T20:00:00", "2026-10-25T06:00:00"),
        (hours("22:00-02:30", "Europe/Berlin"), "2026-10-25T00:29:00", "2026-10-25T00:30:00"),
        (hours("22:00-02:30", "Europe/Berlin"), "2026-10-25T00:30:00", None),
        (hours("22:00-02:30", "Europe/Berlin"), "2026-10-25T01:15:00", None),
        (hours("22:00-07:00", "Atlantis/Capital"), "2026-03-01T23:00:00", None),
        (hours("22:00-07:00", "../etc"), "2026-03-01T23:00:00", None),
        (None, "2026-03-01T23:00:00", None),
    ],
)
def test_when_they_are_over(quiet: Quiet | None, moment: str, over: str | None) -> None:
    assert over_at(quiet, at(moment)) == (at(over) if over else None)


@settings(max_examples=300, deadline=None)
@given(
    st.times(),
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]),
    st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
@example(time(2), time(2, fold=1), "Australia/Lord_Howe", datetime(2017, 9, 30, tzinfo=UTC))
def test_they_end_within_a_day_and_hold_until_then(begins: time, until: time, zone: str, moment: datetime) -> None:
    quiet = Quiet(begins, until, zone)
    over = over_at(quiet, moment)
    if over is None:
        return
    assert moment < over <= moment + timedelta(hours=49)  # a zone may skip a whole day
    assert over.utcoffset() == timedelta(0)
    assert over_at(quiet, over - timedelta(microseconds=1)) is not None
    shown = over.astimezone(ZoneInfo(zone))
    gap = shown.replace(tzinfo=None) - datetime.combine(shown.date(), until)
    assert gap in (timedelta(0), timedelta(minutes=30), timedelta(hours=1), timedelta(hours=24))


def test_the_zones_are_known() -> None:
    assert {"UTC", "Europe/Berlin", "Australia/Sydney", "America/New_York"} <= known_zones()
    assert not {"", "Factory", "localtime", "posixrules"} & known_zones()

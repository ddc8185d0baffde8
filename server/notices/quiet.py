"""What somebody wants to be told by, and the hours in which they want to be left alone (domain.md §4). Pure."""

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `begins` to `until` each day, on the clocks of a time zone; over midnight where `until` is the earlier."""

    begins: time
    until: time
    zone: str


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one person wants. Both are on for everybody; a push takes a device besides, and registering one enables it."""

    push: bool = True
    unread_email: bool = True
    quiet: Quiet | None = None


@cache
def known_zones() -> frozenset[str]:
    """The names of all time zones that this machine knows (IANA's), such as Europe/Berlin; not the machine's own."""
    return frozenset(zoneinfo.available_timezones()) - {"Factory", "localtime"}


def over_at(quiet: Quiet | None, at: datetime) -> datetime | None:
    """When the quiet hours end in which this moment lies, in UTC; None where it lies in none.

    A beginning or an end that clocks skip is taken an hour later, one that they show twice is the first. A zone that is
    known no more holds nothing back: a notice at night is better than none.
    """
    if quiet is None:
        return None
    try:
        zone = zoneinfo.ZoneInfo(quiet.zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
    today = at.astimezone(zone).date()
    overnight = timedelta(days=1 if quiet.until <= quiet.begins else 0)
    for day in (today - timedelta(days=1), today):
        ends = _moment(day + overnight, quiet.until, zone)
        if _moment(day, quiet.begins, zone) <= at < ends:
            return ends
    return None


def _moment(day: date, clock: time, zone: tzinfo) -> datetime:
    """When the clocks of a zone show this; in UTC, because two moments of one zone are compared by their faces."""
    return datetime.combine(day, clock.replace(fold=0), zone).astimezone(UTC)

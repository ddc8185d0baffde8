"""The oracle's fallback chain, and what archiving somebody changes (domain.md §2, participation rules)."""

from dataclasses import replace

from tests.property.situation import ANY, ARCHIVED, CARE, GROUP, Channel, Clinic, Plan, Seat

Link = tuple[str, frozenset[str]]


def links(clinic: Clinic, channel: Channel, first: str | None = None) -> list[Link]:
    """The links of a channel's chain in order, whoever is in them; `first` stands for the longest-standing patient."""
    if channel.kind == GROUP:
        facilitator = frozenset({channel.facilitator} if channel.facilitator else ())
        clinician = frozenset({clinic.patients[first].clinician} if first else ())
        chain = [("facilitator", facilitator), ("longest-standing", clinician)]
    else:
        assert channel.patient is not None
        patient = clinic.patients[channel.patient]
        chain = [
            ("clinician", frozenset({patient.clinician})),
            ("nominees", clinic.rules[channel.kind].nominees),
            ("patient group", clinic.cohorts[patient.cohort]),
        ]
    return [*chain, ("safety net", frozenset({clinic.net} if clinic.net else ()))]


def fallbacks(clinic: Clinic, channel: Channel) -> list[Link]:
    """Who staffs this channel: the first link with anyone active and not pending. None of them: ("empty", nobody).

    More than one answer where the rules leave it open: patients who joined a group at the same offset stand equally long.
    """
    standing = {who: seat.since for who, seat in channel.seats.items() if who in clinic.patients}
    known = [since for since in standing.values() if since != ANY]
    longest = [who for who, since in standing.items() if since == (min(known) if known else ANY)]
    found: list[Link] = []
    for first in longest if channel.kind == GROUP and longest else [None]:
        able = [(name, clinic.may_join(people)) for name, people in links(clinic, channel, first)]
        answer = next(((name, people) for name, people in able if people), ("empty", frozenset[str]()))
        if answer not in found:
            found.append(answer)
    return found


def seat_of_fallback(kind: str, left: Seat | None) -> Seat:
    """The place of whoever the chain adds: the mark inherited; the floor 1 in a care channel, elsewhere after the mark.

    Where they replace nobody, the rules leave it open where they begin to read.
    """
    mark = ANY if left is None or left.read is None or left.read == ANY else left.read
    floor = 1 if kind == CARE else (ANY if mark == ANY else mark + 1)
    return Seat(ANY, mark, floor, "fallback")


def succeeded(clinic: Clinic, leaver: str, successor: str | None) -> Clinic:
    """With the successor as allocation clinician and facilitator where the leaver was."""
    if successor is None:
        return clinic
    patients = {
        who: replace(one, clinician=successor) if one.clinician == leaver else one
        for who, one in clinic.patients.items()
    }
    channels = {
        key: replace(one, facilitator=successor) if one.facilitator == leaver else one
        for key, one in clinic.channels.items()
    }
    return replace(clinic, patients=patients, channels=channels)


def archivings(clinic: Clinic, leaver: str, successor: str | None) -> list[tuple[Plan, Clinic, list[str]]]:
    """What archiving somebody may come to: what it changes, the clinic afterwards, and the links that were used."""
    after = succeeded(clinic, leaver, successor)
    after = replace(after, staff=after.staff | {leaver: ARCHIVED})
    leaves = frozenset(key for key, one in clinic.channels.items() if leaver in one.seats)
    allocated = frozenset(who for who, one in clinic.patients.items() if one.clinician == leaver)
    groups = frozenset(key for key, one in clinic.channels.items() if one.facilitator == leaver)
    ways: list[tuple[dict[str, frozenset[str]], Clinic, list[str]]] = [({}, after, [])]
    for key in sorted(leaves):
        ways = [more for way in ways for more in _handed_over(way, clinic, key, leaver)]
    return [
        (
            Plan(
                leaves,
                tuple(sorted((key, people) for key, people in handed.items() if people)),
                frozenset(key for key, people in handed.items() if not people),
                allocated,
                groups,
            ),
            situation,
            used,
        )
        for handed, situation, used in ways
    ]


Way = tuple[dict[str, frozenset[str]], Clinic, list[str]]


def _handed_over(way: Way, before: Clinic, key: str, leaver: str) -> list[Way]:
    handed, clinic, used = way
    channel = clinic.channels[key].without(leaver)
    if not clinic.lacks_staff(channel):
        return [(handed, clinic.channel(key, channel), used)]
    found = []
    for name, people in fallbacks(clinic, channel):
        left = before.channels[key].seats[leaver]
        joined = channel.seated({who: seat_of_fallback(channel.kind, left) for who in people})
        family = "group" if channel.kind == GROUP else "patient"
        found.append((handed | {key: people}, clinic.channel(key, joined), [*used, f"chain {family}: {name}"]))
    return found

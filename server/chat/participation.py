"""Who keeps a channel staffed: the chain, and what an archiving changes (domain.md §2, participation rules).

Pure: plain values in, a plan out; server/chat/staffing.py applies it. Every branch is tested.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Team:
    """Whom the chain may use. `available`: the team members who are active and have no pending archiving."""

    available: frozenset[str]
    nominees: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the activation rules, by kind of channel."""
    patient_groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The patient groups' team members, by patient group."""
    safety_net: str | None = None

    def without(self, person: str) -> "Team":
        """The same, for when this person is no more."""
        return Team(self.available - {person}, self.nominees, self.patient_groups, self.safety_net)


@dataclass(frozen=True, slots=True)
class Place:
    """A channel that loses a team member, or has lost its last one.

    Attributes:
        membership: the one that ends, or that was the last to end; None where nobody of the team ever was in the channel.
        mark: its read mark.
        clinician: the allocation clinician of the channel's patient; in a group, of its longest-standing patient member.
        needs: an active patient is in it, and no active team member would be.
    """

    channel: str
    kind: str
    membership: str | None
    mark: int
    needs: bool
    clinician: str | None = None
    patient_group: str | None = None
    facilitator: str | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody who is added, and why; a fallback in the place of whose membership, and from where on they have to read.

    Without a `mark` they have read up to where they join; without a `visible_from` they see what comes from there on.
    """

    channel: str
    kind: str
    person: str
    mark: int | None
    visible_from: int | None
    replaces: str | None
    source: str = "fallback"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to change. `unstaffed`: channels for which the chain ends empty, because of which nothing may change."""

    joins: tuple[Join, ...] = ()
    ends: tuple[tuple[str, str], ...] = ()
    """(channel, membership)."""
    unstaffed: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    """Whose allocation clinician leaves: the successor's from then on, or in need of reassignment."""
    facilitated: tuple[str, ...] = ()
    """The group channels whose facilitator leaves, likewise."""
    successor: str | None = None

    @property
    def channels(self) -> set[str]:
        """All channels that it touches."""
        return {join.channel for join in self.joins} | {channel for channel, _ in self.ends} | set(self.facilitated)

    @property
    def people(self) -> set[str]:
        """All people whom it changes or adds, but for who leaves."""
        return (
            {join.person for join in self.joins} | set(self.patients) | ({self.successor} if self.successor else set())
        )

    def digest(self) -> str:
        """A short word for what is to change, the same for the same changes; read marks may move on meanwhile."""
        said = [
            *sorted(f"join {join.channel} {join.person}" for join in self.joins),
            *sorted(f"end {channel} {membership}" for channel, membership in self.ends),
            *sorted(f"unstaffed {channel}" for channel in self.unstaffed),
            *sorted(f"patient {patient}" for patient in self.patients),
            *sorted(f"facilitated {channel}" for channel in self.facilitated),
            f"successor {self.successor}",
        ]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:20]


def chain(place: Place, team: Team) -> list[list[str | None]]:
    """The links that may staff a channel, the first one first; each names whoever it names, available or not."""
    if place.kind == "group":
        return [[place.facilitator], [place.clinician], [team.safety_net]]
    return [
        [place.clinician],
        [*team.nominees.get(place.kind, ())],
        [*team.patient_groups.get(place.patient_group or "", ())],
        [team.safety_net],
    ]


def fallback(place: Place, team: Team) -> list[str]:
    """All available people of the first link that has any; empty if the chain ends empty."""
    for link in chain(place, team):
        if found := sorted({person for person in link if person is not None and person in team.available}):
            return found
    return []


def beyond(place: Place, team: Team, present: Collection[str]) -> list[Join]:
    """Who is added where those present do not attend: the first link that has anybody else, with what nobody has read (§4)."""
    for link in chain(place, team):
        if found := sorted({person for person in link if person is not None and person in team.available} - {*present}):
            return _fallbacks(place, found)
    return []


def staff(places: Iterable[Place], team: Team) -> tuple[list[Join], list[str]]:
    """Who is added to the channels that need it, each inheriting the read mark; and those for whom there is nobody."""
    joins, unstaffed = [], []
    for place in places:
        if not place.needs:
            continue
        found = fallback(place, team)
        if not found:
            unstaffed.append(place.channel)
        joins += _fallbacks(place, found)
    return joins, unstaffed


def _fallbacks(place: Place, people: Iterable[str]) -> list[Join]:
    # A care team shows its whole history; elsewhere a fallback sees what they take over, and no more.
    floor = 1 if place.kind == "care_team" else place.mark + 1
    return [Join(place.channel, place.kind, person, place.mark, floor, place.membership) for person in people]


def plan_archiving(
    leaver: str,
    successor: str | None,
    places: Sequence[Place],
    team: Team,
    patients: Iterable[str] = (),
    facilitated: Iterable[str] = (),
) -> Plan:
    """What archiving a team member changes.

    Args:
        leaver: who is archived. Nobody counts on them: the chain goes on past them.
        successor: who takes over their patients and their groups, in the same step and so in the chain as well.
        places: every channel that the leaver is in.
        team: as it is now.
        patients: whose allocation clinician the leaver is.
        facilitated: the channels whose facilitator the leaver is.
    """

    def after(person: str | None) -> str | None:
        return successor if person == leaver else person

    moved = [
        Place(
            place.channel, place.kind, place.membership, place.mark, place.needs,
            after(place.clinician), place.patient_group, after(place.facilitator),
        )
        for place in places
    ]  # fmt: skip
    joins, unstaffed = staff(moved, team.without(leaver))
    ends = [(place.channel, place.membership) for place in moved if place.membership is not None]
    return Plan(
        tuple(joins), tuple(ends), tuple(unstaffed), tuple(sorted(patients)), tuple(sorted(facilitated)), successor
    )

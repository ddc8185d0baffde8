"""What the oracle knows of one clinic: plain values, read from committed rows or made by the oracle's own rules.

Written from domain.md §1 and §2; imports nothing of the product.
"""

from dataclasses import dataclass, field, replace

CARE, SERVICE, GROUP = "care_team", "service_team", "group"
ACTIVE, PENDING, ARCHIVED = "active", "pending", "archived"

AT_JOIN = None
"""A read mark or floor that lies where the membership begins."""
ANY = -1
"""A read mark or floor that the rules leave open."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A membership: since which offset (ANY within the round in which it began), read up to where, seen from where, and its
    source ("" where the rules leave it open)."""

    since: int
    read: int | None
    floor: int | None
    source: str = "manual"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel and who is in it."""

    kind: str
    status: str = ACTIVE
    patient: str | None = None
    facilitator: str | None = None
    seats: dict[str, Seat] = field(default_factory=dict)

    def without(self, *people: str) -> "Channel":
        """With these memberships ended."""
        return replace(self, seats={who: seat for who, seat in self.seats.items() if who not in people})

    def seated(self, more: dict[str, Seat]) -> "Channel":
        """With these people in it, in these places."""
        return replace(self, seats=self.seats | more)


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient."""

    status: str
    clinician: str
    cohort: str


@dataclass(frozen=True, slots=True)
class Rule:
    """An activation rule."""

    automatic: bool = False
    includes_clinician: bool = False
    nominees: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What archiving somebody changes: channels left, who takes over which, which nobody can, and what a successor gets."""

    leaves: frozenset[str]
    handovers: tuple[tuple[str, frozenset[str]], ...]
    unstaffed: frozenset[str]
    patients: frozenset[str]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Request:
    """A request to archive somebody: the successor, and what its preview said, where somebody looked at one."""

    successor: str | None
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Clinic:
    """The whole situation. Care and service channels go by (patient, kind), so that they have a name before they exist."""

    staff: dict[str, str]
    managers: frozenset[str]
    patients: dict[str, Patient]
    channels: dict[str, Channel]
    rules: dict[str, Rule]
    cohorts: dict[str, frozenset[str]]
    net: str | None = None
    requests: dict[str, Request] = field(default_factory=dict)
    owed: frozenset[tuple[str, str]] = frozenset()

    def channel(self, key: str, made: Channel) -> "Clinic":
        """With one channel as given."""
        return replace(self, channels=self.channels | {key: made})

    def may_join(self, people: frozenset[str]) -> frozenset[str]:
        """Who of them is an active team member and not pending: pending people are added nowhere."""
        return frozenset(who for who in people if self.staff.get(who) == ACTIVE)

    def staffs(self, who: str) -> bool:
        """Whether they count as staff: a pending one still does."""
        return self.staff.get(who) in (ACTIVE, PENDING)

    def lacks_staff(self, channel: Channel) -> bool:
        """Whether an active patient is in it and no active team member."""
        treated = any(who in self.patients and self.patients[who].status == ACTIVE for who in channel.seats)
        return treated and not any(self.staffs(who) for who in channel.seats)


def own(patient: str, kind: str) -> str:
    """The name of a patient's care or service channel."""
    return f"{patient}/{kind}"

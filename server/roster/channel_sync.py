"""What makes a group's channel follow its roster (domain.md §5). Pure: plain values in, a plan out; server/roster/following.py
has it applied. Every branch is tested."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.chat.participation import Join, Place, Team, fallback


@dataclass(frozen=True, slots=True)
class Row:
    """A patient's row of the roster. `membership`: the one that the row has given them in the channel, if it has."""

    id: str
    person: str
    active: bool
    membership: str | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """How a group and its channel stand.

    Attributes:
        channel: None until there is one.
        carried: the group's status that was last carried over to the channel.
        facilitator: the group's; `channel_facilitator` the channel's.
        clinician: the allocation clinician of the longest-standing patient on the roster.
        there: who is in the channel now, each with their membership.
        staffed: an active team member is among them.
        usable: the patients of the rows who are not archived.
    """

    group: str
    status: str
    follows: bool
    rows: tuple[Row, ...] = ()
    usable: frozenset[str] = frozenset()
    facilitator: str | None = None
    clinician: str | None = None
    channel: str | None = None
    carried: str | None = None
    channel_facilitator: str | None = None
    there: Mapping[str, str] = field(default_factory=dict)
    staffed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to change.

    Attributes:
        make: the channel is made, with the staff who join; everything else comes after.
        staff: the team members who join.
        brings: (row, patient) for who joins because of a row of theirs.
        adopts: (row, membership) for who is in the channel already: from now on because of that row.
        ends: the memberships that end with their rows.
        facilitator: who facilitates the channel from now on, if another.
        status: what the channel becomes, if anything else.
    """

    make: bool = False
    staff: tuple[str, ...] = ()
    brings: tuple[tuple[str, str], ...] = ()
    adopts: tuple[tuple[str, str], ...] = ()
    ends: tuple[str, ...] = ()
    facilitator: str | None = None
    status: str | None = None

    @property
    def people(self) -> set[str]:
        """Whom it adds."""
        return {*self.staff, *(person for _, person in self.brings)}

    def joins(self, channel: str) -> list[Join]:
        """Those who join a channel that is there: team members see its whole history, patients what comes from now on."""
        staff = [Join(channel, "group", person, None, 1, None, "roster") for person in self.staff if not self.make]
        return staff + [Join(channel, "group", person, None, None, None, "roster") for _, person in self.brings]


def plan(now: Situation, team: Team) -> Plan:
    """What makes the channel follow the roster; nothing where it does.

    A row brings its patient in once: who has left the channel since then stays out until they have another row. A group that is
    archived brings nobody in. Where nobody could staff the channel, no patient is brought into it.
    """
    if not now.follows:
        return Plan()
    open_ = now.status == "active"
    missing = [row for row in now.rows if open_ and row.active and row.membership is None]
    brings = tuple((row.id, row.person) for row in missing if row.person not in now.there and row.person in now.usable)
    if now.channel is None:
        staff = _fallback(now, team)
        return Plan(True, tuple(staff), brings, facilitator=now.facilitator) if open_ and staff else Plan()
    adopts = tuple((row.id, now.there[row.person]) for row in missing if row.person in now.there)
    kept = {membership for _, membership in adopts} | {row.membership for row in now.rows if row.active}
    ends = {row.membership for row in now.rows if not row.active} & set(now.there.values()) - kept
    facilitator = None
    if now.facilitator != now.channel_facilitator and now.facilitator in team.available:
        facilitator = now.facilitator
    staff = [facilitator] if facilitator and facilitator not in now.there else []
    if brings and not now.staffed and not staff:
        staff = _fallback(now, team)
        brings = brings if staff else ()
    return Plan(
        staff=tuple(staff),
        brings=brings,
        adopts=adopts,
        ends=tuple(sorted(membership for membership in ends if membership)),
        facilitator=facilitator,
        status=now.status if now.status != now.carried else None,
    )


def _fallback(now: Situation, team: Team) -> list[str]:
    place = Place(now.channel or "", "group", None, 0, True, now.clinician, None, now.facilitator)
    return fallback(place, team)

"""The oracle's rules for who is in a channel: leaving, replacing, removing, adding (domain.md §2)."""

from tests.property.situation import (
    ACTIVE,
    ANY,
    ARCHIVED,
    AT_JOIN,
    CARE,
    GROUP,
    PENDING,
    SERVICE,
    Channel,
    Clinic,
    Seat,
)
from tests.property.verdicts import Outcome, Step, judged


def leave(clinic: Clinic, step: Step) -> list[Outcome]:
    """Team members can leave, the last one cannot; patients can leave group channels. A replacement inherits the mark."""
    channel = clinic.channels.get(step["channel"])
    if channel is None or step.actor not in channel.seats:
        return judged(clinic, step, clinic, must=["not found"])
    instead: str | None = step["instead"]
    must = [] if step.actor in clinic.staff or channel.kind == GROUP else ["patient stays"]
    may = _closed(channel)
    after = channel.without(step.actor)
    if instead is not None:
        must += ["not allowed"] if step.actor in clinic.patients else []
        must += _joins(clinic, instead)
        may += ["already"] if instead in channel.seats else []
        read = channel.seats[step.actor].read
        mark = ANY if read is None else read
        # Which floor a chosen replacement has is read as the rule for team members: the whole history.
        after = after if instead in after.seats else after.seated({instead: Seat(ANY, mark, 1)})
    must += ["last"] if clinic.lacks_staff(after) else []
    return judged(clinic, step, clinic.channel(step["channel"], after), must, may)


def remove(clinic: Clinic, step: Step) -> list[Outcome]:
    """Removing someone else takes messaging.manage, oneself is leaving; and never the last team member."""
    channel, whom = clinic.channels.get(step["channel"]), step["person"]
    if channel is None or step.actor not in channel.seats:
        return judged(clinic, step, clinic, must=["not found"])
    must = [] if step.actor in clinic.managers or whom == step.actor else ["not allowed"]
    if whom not in channel.seats:
        return judged(clinic, step, clinic, must=[*must, "not found"])
    # A membership that began in this round is not the one that was asked to end.
    may = _closed(channel) + (["not found"] if channel.seats[whom].since == ANY else [])
    must += ["patient stays"] if whom in clinic.patients and channel.kind in (CARE, SERVICE) else []
    after = channel.without(whom)
    must += ["last"] if clinic.lacks_staff(after) else []
    return judged(clinic, step, clinic.channel(step["channel"], after), must, may)


def add(clinic: Clinic, step: Step) -> list[Outcome]:
    """Any team member of a care or service channel adds team members; who is in a group takes messaging.manage."""
    channel, whom = clinic.channels.get(step["channel"]), step["person"]
    if channel is None or step.actor not in channel.seats:
        return judged(clinic, step, clinic, must=["not found"])
    managed = channel.kind == GROUP or whom in clinic.patients
    must = ["not allowed"] if step.actor in clinic.patients or (managed and step.actor not in clinic.managers) else []
    must += _joins(clinic, whom)
    if whom in channel.seats:
        return judged(clinic, step, clinic, must, may=["already"])
    patient = whom in clinic.patients
    after = channel.seated({whom: Seat(ANY, AT_JOIN, AT_JOIN if patient else 1)})
    must += ["last"] if clinic.lacks_staff(after) else []
    return judged(clinic, step, clinic.channel(step["channel"], after), must, may=_closed(channel))


def read(clinic: Clinic, step: Step) -> list[Outcome]:
    """Read marks only move forward."""
    channel = clinic.channels.get(step["channel"])
    if channel is None or step.actor not in channel.seats:
        return judged(clinic, step, clinic, must=["not found"])
    seat = channel.seats[step.actor]
    mark = ANY if seat.read is None or seat.read == ANY else max(seat.read, step["upto"])
    moved = Seat(seat.since, mark, seat.floor, seat.source)
    after = channel.seated({step.actor: moved})
    return judged(clinic, step, clinic.channel(step["channel"], after), may=["beyond"])


def _joins(clinic: Clinic, whom: str) -> list[str]:
    state = clinic.staff.get(whom) or clinic.patients[whom].status
    return {ACTIVE: [], PENDING: ["pending person"], ARCHIVED: ["archived person"]}[state]


def _closed(channel: Channel) -> list[str]:
    return ["closed"] if channel.status == ARCHIVED else []

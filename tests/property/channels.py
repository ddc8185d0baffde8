"""The oracle's rules for channels themselves: activating, archiving, unarchiving, who facilitates (domain.md §2)."""

from dataclasses import replace

from tests.property.chain import fallbacks, seat_of_fallback
from tests.property.situation import (
    ACTIVE,
    ANY,
    ARCHIVED,
    AT_JOIN,
    GROUP,
    PENDING,
    Channel,
    Clinic,
    Seat,
    own,
)
from tests.property.verdicts import OK, Outcome, Step, judged


def archive(clinic: Clinic, step: Step) -> list[Outcome]:
    """By a team member of the channel, for everybody."""
    channel = clinic.channels.get(step["channel"])
    if channel is None or step.actor not in channel.seats:
        return judged(clinic, step, clinic, must=["not found"])
    must = [] if step.actor in clinic.staff else ["not allowed"]
    after = clinic.channel(step["channel"], replace(channel, status=ARCHIVED))
    return judged(clinic, step, after, must, may=["already"] if channel.status == ARCHIVED else [])


def unarchive(clinic: Clinic, step: Step) -> list[Outcome]:
    """At any time, by a member or with messaging.manage."""
    channel = clinic.channels.get(step["channel"])
    if channel is None or not (step.actor in channel.seats or step.actor in clinic.managers):
        return judged(clinic, step, clinic, must=["not found"])
    must = [] if step.actor in clinic.staff else ["not allowed"]
    may = ["already"] if channel.status == ACTIVE else []
    may += [] if step.actor in channel.seats else ["not found"]
    if channel.patient and clinic.patients[channel.patient].status == ARCHIVED:
        may += ["archived patient"]
    return judged(clinic, step, clinic.channel(step["channel"], replace(channel, status=ACTIVE)), must, may)


def facilitate(clinic: Clinic, step: Step) -> list[Outcome]:
    """A group channel's facilitator, set by hand."""
    channel = clinic.channels[step["channel"]]
    if step.actor not in channel.seats and step.actor not in clinic.managers:
        return judged(clinic, step, clinic, must=["not found"])
    state = clinic.staff[step["person"]] if step["person"] else ACTIVE
    must = [] if step.actor in clinic.managers else ["not allowed"]
    must += ["archived person"] if state == ARCHIVED else []
    may = ["pending person"] if state == PENDING else []
    may += [] if step.actor in channel.seats else ["not found"]
    may += ["closed"] if channel.status == ARCHIVED else []
    after = clinic.channel(step["channel"], replace(channel, facilitator=step["person"]))
    return judged(clinic, step, after, must, may)


def activate(clinic: Clinic, step: Step) -> list[Outcome]:
    """Any team member makes a patient's channel, with these colleagues; one that exists joins nobody."""
    key = own(step["patient"], step["kind"])
    states = {clinic.staff[who] for who in step["team"]}
    stopped = ["archived person"] * (ARCHIVED in states) + ["pending person"] * (PENDING in states)
    archived = clinic.patients[step["patient"]].status == ARCHIVED
    if key in clinic.channels:
        return judged(clinic, step, clinic, may=stopped + ["archived person"] * archived)
    made = _made(step["patient"], step["kind"], {who: Seat(ANY, AT_JOIN, 1) for who in step["team"]})
    return judged(clinic, step, clinic.channel(key, made), must=stopped, may=["archived person"] * archived)


def activation(clinic: Clinic, step: Step) -> list[Outcome]:
    """What an automatic rule owes a new patient: the channel, with whom the rule nominates, or whom the chain finds."""
    patient, kind = step["patient"], step["kind"]
    key, rule = own(patient, kind), clinic.rules[kind]
    promised = (patient, kind) in clinic.owed
    settled = replace(clinic, owed=clinic.owed - {(patient, kind)})
    # Where the rule was switched between the patient and the worker, the rules leave it open which of them counts.
    nothing = [Outcome(OK, settled)]
    if not (promised or rule.automatic) or key in clinic.channels or clinic.patients[patient].status == ARCHIVED:
        return nothing
    wanted = rule.nominees | ({clinic.patients[patient].clinician} if rule.includes_clinician else frozenset())
    seats = {who: Seat(ANY, AT_JOIN, 1, "rule") for who in clinic.may_join(wanted)}
    used = "activation: rule"
    if not seats:
        [(name, helpers)] = fallbacks(clinic, _made(patient, kind, {}))
        if not helpers:
            return [Outcome(OK, settled, ("activation: empty",))]
        seats = {who: seat_of_fallback(kind, None) for who in helpers}
        used = f"activation: {name}"
    made = Outcome(OK, settled.channel(key, _made(patient, kind, seats)), (used,))
    return [made] if promised and rule.automatic else [made, *nothing]


def _made(patient: str, kind: str, team: dict[str, Seat]) -> Channel:
    assert kind != GROUP
    return Channel(kind, ACTIVE, patient, None, {patient: Seat(ANY, ANY, ANY, "")} | team)

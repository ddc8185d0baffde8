"""The oracle's rules for people: archiving by request and worker, patients, and what is set for the clinic."""

from dataclasses import replace

from tests.property.chain import archivings, fallbacks, seat_of_fallback
from tests.property.situation import ACTIVE, ARCHIVED, GROUP, PENDING, Clinic, Patient, Request, Rule
from tests.property.verdicts import OK, Outcome, Step, judged


def preview(clinic: Clinic, step: Step) -> list[Outcome]:
    """A preview changes nothing. What it tells is held against the request and the outcome."""
    return judged(clinic, step, clinic, may=_cannot_request(clinic, step["person"], step["successor"]))


def request(clinic: Clinic, step: Step) -> list[Outcome]:
    """A request puts somebody on their way out; the worker decides whether they go."""
    leaver, successor, told = step["person"], step["successor"], step["plan"]
    must = _cannot_request(clinic, leaver, successor)
    if must:
        return judged(clinic, step, clinic, must, may=["moved"])
    promised = replace(
        clinic,
        staff=clinic.staff | {leaver: PENDING},
        requests=clinic.requests | {leaver: Request(successor, told)},
    )
    # It is the worker that must refuse what has moved. The request may, if it sees it: two that cross need not see each other.
    plans = [plan for plan, _, _ in archivings(clinic, leaver, successor)]
    may = ["moved"] if told is not None and told not in plans else []
    may += ["nobody"] if any(plan.unstaffed for plan in plans) else []
    return judged(clinic, step, promised, may=may)


def _cannot_request(clinic: Clinic, leaver: str, successor: str | None) -> list[str]:
    state = clinic.staff[leaver]
    must = ["already"] if state == PENDING else ["not active"] if state == ARCHIVED else []
    if successor is not None and (successor == leaver or clinic.staff[successor] != ACTIVE):
        must.append("successor")
    return must


def work(clinic: Clinic, step: Step) -> list[Outcome]:
    """The worker does exactly what the preview said, in one step."""
    leaver, asked = step["person"], clinic.requests[step["person"]]
    left = {who: one for who, one in clinic.requests.items() if who != leaver}
    return [
        Outcome(OK, replace(after, requests=left), ("work: done", *used))
        for plan, after, used in archivings(clinic, leaver, asked.successor)
        if not plan.unstaffed and asked.plan in (None, plan) and _follows(clinic, asked.successor)
    ]


def refuse(clinic: Clinic, step: Step) -> list[Outcome]:
    """Or it refuses, because the situation moved, or nobody is left for a channel; who asked is still on the way out.

    That is lifted in a step of its own: of two who are archived at once, each may be refused because of the other.
    """
    leaver, asked = step["person"], clinic.requests[step["person"]]
    reasons: set[str] = set()
    for plan, _, _ in archivings(clinic, leaver, asked.successor):
        reasons |= {"nobody"} if plan.unstaffed else set()
        reasons |= {"moved"} if plan != asked.plan else set()
    reasons |= set() if _follows(clinic, asked.successor) else {"moved", "successor"}
    return [Outcome(why, clinic, (f"work: {why}",)) for why in sorted(reasons)]


def lift(clinic: Clinic, step: Step) -> list[Outcome]:
    """A refusal lifts sign-out and add-block."""
    left = {who: one for who, one in clinic.requests.items() if who != step["person"]}
    return [Outcome(OK, replace(clinic, staff=clinic.staff | {step["person"]: ACTIVE}, requests=left))]


def _follows(clinic: Clinic, successor: str | None) -> bool:
    return successor is None or clinic.staff[successor] == ACTIVE


def return_staff(clinic: Clinic, step: Step) -> list[Outcome]:
    """An archived colleague comes back, into no channel."""
    who = step["person"]
    may = ["already"] if clinic.staff[who] != ARCHIVED else []
    after = clinic if may else replace(clinic, staff=clinic.staff | {who: ACTIVE})
    return judged(clinic, step, after, may=may)


def reassign(clinic: Clinic, step: Step) -> list[Outcome]:
    """An allocation clinician is active when set."""
    must, may = _active_when_set(clinic, step["clinician"])
    patient = replace(clinic.patients[step["patient"]], clinician=step["clinician"])
    after = replace(clinic, patients=clinic.patients | {step["patient"]: patient})
    return judged(clinic, step, after, must, may)


def archive_patient(clinic: Clinic, step: Step) -> list[Outcome]:
    """Care and service channels archived, group memberships ended."""
    who = step["patient"]
    if clinic.patients[who].status == ARCHIVED:
        return judged(clinic, step, clinic, may=["already"])
    channels = {
        key: replace(one, status=ARCHIVED) if one.patient == who else one.without(who) if one.kind == GROUP else one
        for key, one in clinic.channels.items()
    }
    patients = clinic.patients | {who: replace(clinic.patients[who], status=ARCHIVED)}
    return judged(clinic, step, replace(clinic, patients=patients, channels=channels))


def unarchive_patient(clinic: Clinic, step: Step) -> list[Outcome]:
    """Their channels are staffed by the chain first; care and service channels are restored, nothing else."""
    who = step["patient"]
    if clinic.patients[who].status == ACTIVE:
        return judged(clinic, step, clinic, may=["already"])
    back = clinic.patients | {who: replace(clinic.patients[who], status=ACTIVE)}
    after, used, must = replace(clinic, patients=back), ["unarchive_patient: done"], []
    for key, one in clinic.channels.items():
        if one.patient != who:
            continue
        channel = replace(one, status=ACTIVE)
        if after.lacks_staff(channel):
            [(name, people)] = fallbacks(after, channel)
            channel = channel.seated({helper: seat_of_fallback(one.kind, None) for helper in people})
            used.append(f"chain unarchived: {name}")
            must += [] if people else ["nobody"]
        after = after.channel(key, channel)
    return judged(clinic, step, [Outcome(OK, after, tuple(used))], must)


def set_rule(clinic: Clinic, step: Step) -> list[Outcome]:
    """Switching a rule on needs an active team member nominated."""
    rule = Rule(step["automatic"], step["includes"], frozenset(step["nominees"]))
    states = {clinic.staff[who] for who in rule.nominees}
    must = ["no nominee"] if rule.automatic and not states & {ACTIVE, PENDING} else []
    may = ["no nominee"] if rule.automatic and ACTIVE not in states else []
    may += ["archived person", "pending person"] if states - {ACTIVE} else []
    must += ["archived person"] if must and states else []
    return judged(clinic, step, replace(clinic, rules=clinic.rules | {step["kind"]: rule}), must, may)


def set_net(clinic: Clinic, step: Step) -> list[Outcome]:
    """The organisation's safety net."""
    states = {clinic.staff[step["person"]]} if step["person"] else set()
    may = ["archived person", "pending person"] if states - {ACTIVE} else []
    return judged(clinic, step, replace(clinic, net=step["person"]), may=may)


def set_cohort(clinic: Clinic, step: Step) -> list[Outcome]:
    """A patient group's team members."""
    team = frozenset(step["team"])
    may = ["archived person", "pending person"] if {clinic.staff[who] for who in team} - {ACTIVE} else []
    return judged(clinic, step, replace(clinic, cohorts=clinic.cohorts | {step["cohort"]: team}), may=may)


def create_patient(clinic: Clinic, step: Step) -> list[Outcome]:
    """A new patient; automatic rules then owe them their channels."""
    must, may = _active_when_set(clinic, step["clinician"])
    who = step["made"]
    if who is None:
        return judged(clinic, step, clinic, must, may)
    owed = {(who, kind) for kind, rule in clinic.rules.items() if rule.automatic}
    patients = clinic.patients | {who: Patient(ACTIVE, step["clinician"], step["cohort"])}
    return judged(clinic, step, replace(clinic, patients=patients, owed=clinic.owed | owed), must, may)


def _active_when_set(clinic: Clinic, clinician: str) -> tuple[list[str], list[str]]:
    state = clinic.staff[clinician]
    return (["archived person"] if state == ARCHIVED else []), (["pending person"] if state == PENDING else [])

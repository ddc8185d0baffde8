"""Who is in a patient's new channel when a rule makes it (domain.md §2, activation rules). Pure; every branch is tested."""

from dataclasses import dataclass

from server.chat.participation import Place, Team, fallback


@dataclass(frozen=True, slots=True)
class Rule:
    """An organisation's rule for one kind of channel; its nominees stand in the Team."""

    kind: str
    automatic: bool
    include_allocation_clinician: bool


@dataclass(frozen=True, slots=True)
class Activation:
    """Who is added, and whether as the rule says or because of the chain. Nobody: the channel cannot be made."""

    members: tuple[str, ...]
    source: str


def plan_activation(rule: Rule, clinician: str, patient_group: str, team: Team) -> Activation:
    """The team of a new channel: the available nominees, and the allocation clinician if the rule says so; where that leaves
    nobody, the first link of the chain that has anybody available.
    """
    named = {*team.nominees.get(rule.kind, ()), *([clinician] if rule.include_allocation_clinician else [])}
    if members := sorted(named & team.available):
        return Activation(tuple(members), "rule")
    place = Place("", rule.kind, None, 0, True, clinician, patient_group)
    return Activation(tuple(fallback(place, team)), "fallback")

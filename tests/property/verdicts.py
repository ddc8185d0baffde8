"""How the oracle answers: what a step may come to from a situation, and what it is counted as."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.property.situation import ACTIVE, ARCHIVED, PENDING, Clinic

OK = "ok"


@dataclass(frozen=True, slots=True)
class Step:
    """One moment at which something happens, and what was observed of it.

    `result` is OK, a refusal's reason, or None where nothing tells (then the final state must). `facts` are the names it
    is about, and what it answered.
    """

    verb: str
    actor: str
    facts: dict[str, Any] = field(default_factory=dict)
    result: str | None = None

    def __getitem__(self, fact: str) -> Any:
        return self.facts[fact]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that a step may come to; `counts` are the rules that it shows at work."""

    result: str
    after: Clinic
    counts: tuple[str, ...] = ()


def judged(
    before: Clinic,
    step: Step,
    after: Clinic | list[Outcome],
    must: Iterable[str] = (),
    may: Iterable[str] = (),
) -> list[Outcome]:
    """The outcomes: refused for any reason of `must` (all that apply; which is told first is open), else done.

    Where the rules leave it open whether something is refused, `may` has the reason.
    """
    state = before.staff.get(step.actor, ACTIVE)
    if state == ARCHIVED:
        must, may = ["signed out", "not found"], ()
    if state == PENDING:
        # Signed out at once; but what they had begun a moment before may still be done.
        may = [*may, "signed out"]
    refusals = [*must]
    if step.actor in before.patients and before.patients[step.actor].status == ARCHIVED and step.verb != "read":
        refusals.append("read only")
    outcomes = [Outcome(why, before, (f"{step.verb}: {why}",)) for why in [*refusals, *may]]
    if not refusals:
        outcomes += after if isinstance(after, list) else [Outcome(OK, after, (f"{step.verb}: done",))]
    return outcomes

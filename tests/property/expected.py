"""What a run must have shown: every refusal of the rules and every step of the chain (domain.md §2), by the labels that the
oracle counts."""

from collections import Counter
from fnmatch import fnmatch

CHAIN = (
    "chain patient: clinician", "chain patient: nominees", "chain patient: patient group", "chain patient: safety net",
    "chain group: facilitator", "chain group: longest-standing", "chain group: safety net", "chain unarchived: *",
    "request: nobody", "work: nobody", "unarchive_patient: nobody",
)  # fmt: skip
"""The steps, and what an empty chain leads to."""
REFUSALS = (
    "leave: last", "remove: last", "work: moved", "request: moved", "add: pending person", "leave: pending person",
    "*: pending person", "add: archived person", "leave: archived person", "reassign: archived person", "*: not found",
    "remove: not allowed", "add: not allowed", "leave: patient stays", "remove: patient stays", "*: signed out",
    "*: read only", "request: already", "request: not active", "request: successor", "set_rule: no nominee",
    "unarchive_channel: archived patient", "add: already",
)  # fmt: skip
DONE = ("work: done", "leave: done", "remove: done", "add: done", "unarchive_patient: done", "activation: *")


def missing(seen: Counter[str], least: int) -> list[str]:
    """What was seen less often than so."""
    return [f"{pattern}: {found}" for pattern in (*CHAIN, *REFUSALS, *DONE) if (found := _sum(seen, pattern)) < least]


def wanted(label: str) -> bool:
    """Whether it counts for anything that a run must have shown."""
    return any(fnmatch(label, pattern) for pattern in (*CHAIN, *REFUSALS))


def _sum(seen: Counter[str], pattern: str) -> int:
    return sum(count for label, count in seen.items() if fnmatch(label, pattern))

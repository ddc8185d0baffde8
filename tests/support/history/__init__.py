"""The history checker of reliability.md §3: thirteen checks over a record of what happened, none of which knows the product.

Written from the guarantees alone; imports nothing of `server`. Pure: a history in, findings out.
"""

from collections.abc import Callable, Iterator

from tests.support.history import listening, log, whole
from tests.support.history.record import Event, Finding, History, Plan

Check = Callable[[History], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "K1": log.k1_lost,
    "K2": log.k2_phantom,
    "K3": log.k3_duplicate,
    "K4": log.k4_holes,
    "K5": log.k5_order,
    "K6": log.k6_real_time,
    "K7": listening.k7_stream,
    "K8": listening.k8_false_recovery,
    "K9": listening.k9_convergence,
    "K10": listening.k10_authorization,
    "K11": log.k11_indeterminate,
    "K12": whole.k12_not_vacuous,
    "K13": whole.k13_availability,
}


def check(history: History) -> dict[str, list[Finding]]:
    """Every check by name, with what it found: nothing, where all is well."""
    return {name: list(one(history)) for name, one in CHECKS.items()}


def findings(history: History) -> list[Finding]:
    """Everything that any check found."""
    return [finding for found in check(history).values() for finding in found]


__all__ = ["CHECKS", "Check", "Event", "Finding", "History", "Plan", "check", "findings"]

"""One operation under way: counted, timed, and told in the log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

from prometheus_client import Counter

from server import faults, metrics
from server.tallies import Tally

log = logging.getLogger(__name__)

SLOW_SECONDS = 1.0
"""What takes longer is told at INFO, what failed at ERROR; all else at DEBUG, because a line costs more than an operation."""

_LEVELS = {"failed": logging.ERROR, "unavailable": logging.WARNING}


@contextmanager
def watched(operation: str) -> Iterator[None]:
    """Watch one operation; `operation` is a name of the registry, never what somebody called it."""
    began, failure = perf_counter(), None
    try:
        yield
    except BaseException as error:
        failure = error
        raise
    finally:
        over(operation, failure, perf_counter() - began)


def over(operation: str, failure: BaseException | None, seconds: float) -> None:
    """The same for whoever has watched it without a block: it is over now, and took so long."""
    outcome = metrics.outcome(failure)
    count, time = _metrics(operation, outcome)
    count.inc()
    time.observe(seconds)
    level = _LEVELS.get(outcome, logging.INFO if seconds > SLOW_SECONDS else logging.DEBUG)
    if log.isEnabledFor(level):
        facts = {"operation": operation, "outcome": outcome, "ms": round(seconds * 1000, 1)}
        cause = {"cause": faults.brief(failure)} if outcome in _LEVELS and failure is not None else {}
        log.log(level, "operation done", extra=facts | cause)


@cache
def _metrics(operation: str, outcome: str) -> tuple[Counter, Tally]:
    """Looking them up takes longer than counting."""
    return metrics.OPERATIONS.labels(operation, outcome), metrics.OPERATION_SECONDS.labels(operation)

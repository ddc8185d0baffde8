"""One operation under way: counted, timed, and told in the log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from server import metrics

log = logging.getLogger(__name__)

SLOW_SECONDS = 1.0
"""What takes longer is told at INFO, what failed at ERROR; all else at DEBUG, because a line costs more than an operation."""


@contextmanager
def watched(operation: str) -> Iterator[None]:
    """Watch one operation; `operation` is a name of the registry, never what somebody called it."""
    began, outcome = perf_counter(), "ok"
    try:
        yield
    except BaseException as error:
        outcome = metrics.outcome(error)
        raise
    finally:
        seconds = perf_counter() - began
        metrics.OPERATIONS.labels(operation, outcome).inc()
        metrics.OPERATION_SECONDS.labels(operation).observe(seconds)
        level = logging.ERROR if outcome == "failed" else logging.INFO if seconds > SLOW_SECONDS else logging.DEBUG
        if log.isEnabledFor(level):
            facts = {"operation": operation, "outcome": outcome, "ms": round(seconds * 1000, 1)}
            log.log(level, "operation done", extra=facts)

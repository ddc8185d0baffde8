"""Logs: one line per record, JSON in production and readable in development, through one pipe for everything that logs.

Modules use logging.getLogger(__name__) as ever. What our own code says is written as it is said, and must hold nothing private
(domain.md §8; the canary test looks). What other libraries say is taken at its word only: the text that stands in their source,
without any value put into it; and only warnings and worse. Exceptions are written without their words: see server/faults.py.
"""

import asyncio
import json
import linecache
import logging
import sys
from types import TracebackType
from typing import Any, Final

from structlog.contextvars import bind_contextvars, merge_contextvars
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict

from server.faults import described
from server.ids import now

OURS: Final = ("server", "workers", "tests")
FIELDS: Final = ("operation", "outcome", "ms", "cause", "method", "route", "status", "code", "seconds", "sweep")
"""What a record of ours may carry beside its text, as `extra`."""
_LONGEST = 2_000

log = logging.getLogger(__name__)


def about(**reference: str) -> None:
    """Name what all further lines of this task are about: request=, connection=: random ids only."""
    bind_contextvars(**reference)


def configure(*, readable: bool = False, level: str = "INFO") -> None:
    """Send everything that this process logs through the one pipe, to standard error.

    Args:
        readable: lines for people rather than JSON.
        level: of our own records; what other libraries say below WARNING is never written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(readable=readable))
    handler.addFilter(wanted)
    # Others' records below WARNING are not even made: uvicorn has one for each connection.
    logging.basicConfig(
        handlers=[handler], level=max(logging.WARNING, logging.getLevelNamesMapping()[level]), force=True
    )
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    # A record whose values do not fit its text would be printed raw, values and all.
    logging.raiseExceptions = False
    sys.excepthook = uncaught
    sys.unraisablehook = _unraisable


def formatter(*, readable: bool = False) -> logging.Formatter:
    """Makes one line of a record."""
    return ProcessorFormatter(
        foreign_pre_chain=[_take, merge_contextvars],
        processors=[_order, _readable if readable else _json],
        use_get_message=False,
        pass_foreign_args=True,
    )


def wanted(record: logging.LogRecord) -> bool:
    """Whether a record is written: all of ours, and the warnings of others."""
    return _ours(record) or record.levelno >= logging.WARNING


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log what a task or callback of this loop raised and nobody caught: asyncio itself would print the task, values and all."""
    loop.set_exception_handler(_in_loop)


def _in_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("something failed in the background and nobody caught it", exc_info=error if error is not None else None)


def uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What ends the process, for sys.excepthook: Python itself would print its words."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("the process ends: nobody caught this", exc_info=(kind, error, traceback))


def _unraisable(what: Any) -> None:
    log.error("an error in a place that cannot raise one", exc_info=what.exc_value)


def _ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in OURS


def _take(_logger: Any, _level: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    args = event.pop("positional_args", None)
    if _ours(record):
        event["event"] = _said(record.msg, args)
        event.update({name: getattr(record, name) for name in FIELDS if hasattr(record, name)})
    else:
        event["event"] = str(record.msg) if _in_source(record) else "(left out: its text may hold anything)"
        event["where"] = f"{record.module}:{record.lineno} {record.funcName}"
    event.update(time=now().isoformat(timespec="milliseconds"), level=record.levelname.lower(), logger=record.name)
    return event


def _said(text: Any, args: Any) -> str:
    """Our own text with its values; of an exception among them only its type."""
    values = (
        tuple(type(a).__name__ if isinstance(a, BaseException) else a for a in args)
        if isinstance(args, tuple)
        else args
    )
    try:
        return str(text) % values if values else str(text)
    except (TypeError, ValueError, KeyError):
        return str(text)


def _in_source(record: logging.LogRecord) -> bool:
    """Whether a library's text stands in its source as it is, so that nothing was put into it."""
    return isinstance(record.msg, str) and record.msg in "".join(linecache.getlines(record.pathname))


def _order(_logger: Any, _level: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    error = error[1] if isinstance(error, tuple) else error
    first = {name: event.pop(name) for name in ("time", "level", "logger", "event") if name in event}
    rest = {name: value for name, value in event.items() if not name.startswith("_") and name != "stack_info"}
    line = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in (first | rest).items()}
    return line | ({"error": described(error)} if isinstance(error, BaseException) else {})


def _json(_logger: Any, _level: str, event: EventDict) -> str:
    return json.dumps(event, default=lambda value: type(value).__name__)  # ASCII only: no control character survives


def _readable(_logger: Any, _level: str, event: EventDict) -> str:
    head = f"{event.pop('time')} {event.pop('level').upper()} {event.pop('logger')}: {event.pop('event')}"
    errors = event.pop("error", [])
    facts = "".join(f" {name}={printable(str(value))}" for name, value in event.items())
    lines = [printable(head) + facts]
    for error in errors:
        places = error.pop("at")
        lines.append("  " + printable(" ".join(f"{name}={value}" for name, value in error.items())))
        lines += [f"    {printable(place)}" for place in places]
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text with everything escaped that a terminal, or a reader of lines, would take for more than a letter."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)

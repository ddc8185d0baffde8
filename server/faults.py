"""An exception as it may be written down: what kind it was and where it came from, never in its own words.

Nobody can know what stands in an exception's words: a database's name the row that failed, a parser's the text that it could
not parse. So a log gets types, places in the code and numbers, along the whole chain of causes, and no value of any variable.
"""

import errno
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from typing import Any

from server.errors import Misconfigured

_ROOT = Path(__file__).resolve().parent.parent
_MOST_FRAMES = 30
_MOST_ERRORS = 10


def described(error: BaseException) -> list[dict[str, Any]]:
    """The exception, then what it came from, each as {type, at, …}: `at` lists "file:line function", the innermost last."""
    return [_one(each) for each, _ in zip(_chain(error, set()), range(_MOST_ERRORS), strict=False)]


def brief(error: BaseException) -> str:
    """The innermost cause on one line: its type and what is numbered about it."""
    *_, last = _chain(error, set())
    return " ".join((_name(last), *(f"{name}={value}" for name, value in _facts(last).items())))


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _chain(part, seen)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _one(error: BaseException) -> dict[str, Any]:
    frames = [f"{_short(f.f_code.co_filename)}:{line} {f.f_code.co_name}" for f, line in walk_tb(error.__traceback__)]
    told: dict[str, Any] = {"type": _name(error)}
    told |= _facts(error)
    return told | {"at": frames[-_MOST_FRAMES:]}


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _facts(error: BaseException) -> dict[str, str]:
    """What is known to hold nothing private: a setting's name and fix, and what the database and the system number."""
    if isinstance(error, Misconfigured):
        return {"says": str(error)}
    if isinstance(error, OSError) and error.errno is not None:
        return {"errno": errno.errorcode.get(error.errno, str(error.errno))}
    found = {name: getattr(error, name, None) for name in ("sqlstate", "constraint_name", "table_name")}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _short(path: str) -> str:
    """A file's name from the checkout or from the library on, so that logs do not tell where things are installed."""
    library = path.rpartition("site-packages/")[2]
    if library != path:
        return library
    try:
        return str(Path(path).relative_to(_ROOT))
    except ValueError:
        return Path(path).name

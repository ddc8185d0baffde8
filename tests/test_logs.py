"""Logs: one line each, whatever stands in it; other libraries by their own text only; exceptions without their words."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from server import faults, logs
from server.errors import Misconfigured

EVIL = 'a\nb\r\x1b[31mred\x1b[0m\x00\x85\u2028"}\n{"level": "critical", "event": "forged'


class Lines(logging.Handler):
    """What the pipe would write."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.addFilter(logs.wanted)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def last(self) -> dict[str, Any]:
        return dict(json.loads(self.lines[-1]))


@pytest.fixture(params=[False, True], ids=["json", "readable"])
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    yield from _piped(request.param)


@pytest.fixture
def as_json() -> Iterator[Lines]:
    yield from _piped(False)


def _piped(readable: bool) -> Iterator[Lines]:
    handler = Lines()
    handler.setFormatter(logs.formatter(readable=readable))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(1)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


ours = logging.getLogger("server.somewhere")
theirs = logging.getLogger("library.somewhere")


async def test_a_record_of_ours_says_what_it_is_about(as_json: Lines) -> None:
    async def task() -> None:
        logs.about(request="r1", connection="c1")
        ours.info("%d sends", 3, extra={"operation": "me", "ms": 1.5, "name_of_somebody": "no field of ours"})

    await asyncio.create_task(task())
    told = as_json.last
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "info", "logger": "server.somewhere", "event": "3 sends", "request": "r1", "connection": "c1",
        "operation": "me", "ms": 1.5,
    }  # fmt: skip


@pytest.mark.catalogue("S35")
def test_nothing_that_comes_from_outside_makes_a_second_line_or_moves_a_terminal(lines: Lines) -> None:
    ours.warning("text %s", EVIL)
    ours.warning(EVIL)
    ours.warning("text", extra={"operation": EVIL, "route": EVIL, "method": EVIL, "code": EVIL})
    theirs.warning("theirs %s", EVIL)
    logging.getLogger(f"server.{EVIL}").error("named so")
    assert len(lines.lines) == 5
    for line in lines.lines:
        assert all(letter.isprintable() for letter in line), line


@pytest.mark.catalogue("S35")
def test_a_line_of_json_holds_one_object_that_nobody_forged(as_json: Lines) -> None:
    ours.warning("text %s", EVIL, extra={"operation": EVIL})
    assert as_json.last["level"] == "warning"
    assert as_json.last["event"] == f"text {EVIL}"
    assert as_json.last["operation"] == EVIL


def test_a_very_long_text_is_cut(as_json: Lines) -> None:
    ours.warning("x" * 100_000, extra={"operation": "y" * 100_000})
    assert len(as_json.lines[-1]) < 10_000


def test_a_library_is_heard_only_when_it_warns_and_then_by_its_own_text_alone(as_json: Lines) -> None:
    theirs.info("nothing of this")
    assert as_json.lines == []
    theirs.warning("sent %s to %s", "canary", "somebody")
    assert as_json.last["event"] == "sent %s to %s"
    theirs.warning(f"sent {'can' + 'ary'}")
    assert as_json.last["event"] == "(left out: its text may hold anything)"
    assert "canary" not in "".join(as_json.lines)
    assert as_json.last["where"].startswith("test_logs:")


def test_values_that_do_not_fit_their_text_lose_only_themselves(as_json: Lines) -> None:
    for text in ("one %d", "two %s %s"):  # past pytest's own handler, which would raise
        as_json.handle(ours.makeRecord(ours.name, logging.WARNING, "file", 1, text, ("canary",), None))
    assert [json.loads(line)["event"] for line in as_json.lines] == ["one %d", "two %s %s"]


def test_an_exception_is_written_without_its_words_and_without_any_value(lines: Lines) -> None:
    secret = "canary"
    try:
        try:
            raise KeyError(secret)
        except KeyError as first:
            raise ExceptionGroup(secret, [ValueError(secret), OSError(2, secret)]) from first
    except ExceptionGroup as error:
        ours.exception("it failed: %s", error)
    [line] = [line for line in lines.lines if "it failed" in line]
    assert secret not in line
    for word in (
        "it failed: ExceptionGroup",
        "ValueError",
        "KeyError",
        "FileNotFoundError",
        "ENOENT",
        "tests/test_logs.py:",
    ):
        assert word in line


async def test_a_database_error_is_told_by_its_numbers(owner: asyncpg.Connection) -> None:
    await owner.execute("create table t (word text constraint only_short check (length(word) < 3))")
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await owner.execute("insert into t values ($1)", "canary")
    [told] = faults.described(caught.value)
    assert (told["sqlstate"], told["constraint_name"], told["table_name"]) == ("23514", "only_short", "t")
    assert "canary" not in str(told)
    assert "canary" in str(caught.value.detail)


def test_a_setting_that_is_wrong_is_told_in_words() -> None:
    assert faults.described(Misconfigured("PORT: is taken"))[0]["says"] == "PORT: is taken"


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert [told["type"] for told in faults.described(one)] == ["ValueError", "KeyError"]


async def test_what_a_forgotten_task_raised_is_told_without_its_words(as_json: Lines) -> None:
    loop = asyncio.get_running_loop()
    logs.watch_loop(loop)
    try:
        loop.call_exception_handler({"message": "canary", "exception": ValueError("canary"), "future": "canary"})
        loop.call_exception_handler({"message": "canary"})
    finally:
        loop.set_exception_handler(None)
    assert len(as_json.lines) == 2
    assert "ValueError" in as_json.lines[0]
    assert "canary" not in "".join(as_json.lines)


def test_a_command_that_fails_in_a_way_nobody_foresaw_says_so_without_its_words() -> None:
    """Like `python -m server`, with a command that raises."""
    program = "import runpy, server.cli as c; c.main = lambda _: int('canary'); runpy.run_module('server', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "nobody caught this" in ended.stderr
    assert "type=ValueError" in ended.stderr
    assert "canary" not in ended.stderr

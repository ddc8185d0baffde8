"""`warmline dev` as a user meets it: ready, one at a time, keeping its parts up, and gone without a trace."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import Dev, command_line, is_running, until


@pytest.fixture
def start(roomy_path: Path) -> Iterator[Callable[..., Dev]]:
    """Starts `warmline dev`; whatever a test leaves running is ended."""
    running: list[Dev] = []

    def begin(**settings: str) -> Dev:
        running.append(Dev(roomy_path / "data", **settings))
        return running[-1]

    yield begin
    for each in running:
        if each.process.poll() is None:
            each.stop(signal.SIGTERM)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_starts_says_where_to_click_and_stops_without_a_trace(
    start: Callable[..., Dev], how: signal.Signals
) -> None:
    dev = start().ready()
    links = re.findall(r"http://127\.0\.0\.1:\d+/\S*", dev.said)
    assert any("/?as=" in link for link in links)
    assert any("/portal?as=" in link for link in links)
    family = dev.family()
    assert len(family) >= 5  # itself, Postgres, Redis, the worker, the gateway
    assert dev.stop(how) == 0
    assert not [pid for pid in family if is_running(pid)]


def test_a_second_one_says_so_and_stops(start: Callable[..., Dev]) -> None:
    first, second = start().ready(), start()
    assert second.process.wait(30) != 0
    assert "already runs" in second.said
    assert f"http://127.0.0.1:{first.port}" in second.said
    assert first.healthy()


def test_kill_9_leaves_no_orphan_and_the_next_run_works(start: Callable[..., Dev]) -> None:
    dev = start().ready()
    family = dev.family()
    dev.stop(signal.SIGKILL)
    until(lambda: not any(is_running(pid) for pid in family), within=15)
    start().ready()


def test_a_part_that_dies_is_started_again(start: Callable[..., Dev]) -> None:
    dev = start().ready()
    [gateway] = (pid for pid in dev.family() if command_line(pid).endswith(b"-m\0server\0"))
    os.kill(gateway, signal.SIGKILL)
    until(lambda: "The gateway ended (SIGKILL); starting it again" in dev.said and dev.healthy())


def test_a_taken_port_is_said_before_anything_starts(start: Callable[..., Dev], roomy_path: Path) -> None:
    first = start().ready()
    second = Dev(roomy_path / "other", PORT=str(first.port))
    assert second.process.wait(30) == 2
    assert "another program listens" in second.said
    assert "Traceback" not in second.said

"""A port that was given away is given to nobody else, though its server does not listen yet."""

import random
import subprocess
import sys

import pytest

from server.dev.embedded import free_port

BEYOND = range(32_000, 32_100)
ANOTHER = """
import random
from server.dev.embedded import free_port
ports = [{}, *range(32_000, 32_100)]
random.randrange = lambda *_: ports.pop(0)
print(free_port())"""


def test_two_never_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given, other = free_port(), free_port()
    program = [sys.executable, "-c", ANOTHER.format(given)]
    assert int(subprocess.run(program, capture_output=True, check=True).stdout) in BEYOND, "not that of another process"
    ports = [given, other, *BEYOND]
    monkeypatch.setattr(random, "randrange", lambda *_: ports.pop(0))
    assert free_port() in BEYOND, "nor one of its own"

"""How the benchmarks count processor time."""

import subprocess
import sys

from benchmarks.machine import counting

PARENT = """
import subprocess, sys
busy = subprocess.Popen([sys.executable, "-c", "sum(range(10**7)); print(flush=True); input()"], stdin=subprocess.PIPE, stdout=1)
input()
busy.communicate(b"\\n")
print("ended", flush=True)
input()
"""


def test_what_ends_meanwhile_never_makes_it_less_than_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdout.readline()  # the child below it has been busy
        taken = counting(parent.pid)
        parent.stdin.write(b"\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == b"ended\n"
        assert 0 <= taken() < 0.1
        parent.stdin.write(b"\n")


def test_what_it_does_meanwhile_is_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", "input(); sum(range(10**7)); print(); input()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as busy:  # fmt: skip
        assert busy.stdin
        assert busy.stdout
        taken = counting(busy.pid)
        busy.stdin.write(b"\n")
        busy.stdin.flush()
        busy.stdout.readline()
        assert taken() > 0.01
        busy.stdin.write(b"\n")

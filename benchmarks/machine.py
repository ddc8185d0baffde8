"""The machine: which cores there are, who is pinned to which, and how much processor time a process has taken."""

import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Cores = frozenset[int]
NS = 1e9
NOBODY: Cores = frozenset()


@dataclass(frozen=True)
class Plan:
    """Which cores belong to whom. `server` is the gateway, and the references in its place, one at a time."""

    server: Cores
    second: Cores
    """A second gateway, where there is one."""
    postgres: Cores
    client: Cores
    rest: Cores
    pinned: bool

    @property
    def threads(self) -> int:
        """How many threads the load client gets."""
        return min(2, len(self.client))

    def __str__(self) -> str:
        if not self.pinned:
            return "nothing is pinned: one core for all, which makes every figure doubtful"
        named = (
            ("server", self.server),
            *([("second gateway", self.second)] if self.second else []),
            ("Postgres", self.postgres),
            ("load client", self.client),
            ("rest", self.rest),
        )
        return ", ".join(f"{name} on {','.join(map(str, sorted(cores)))}" for name, cores in named)


def plan(for_postgres: int, gateways: int = 1) -> Plan:
    """Who gets which cores. The server always has one to itself, if there are two; the others share what is left.

    With four or more, Postgres gets `for_postgres` cores of its own, and the load client shares the last one with Redis and the
    harness; or, with none for Postgres alone, Postgres shares that one and the load client has those between. A second gateway
    takes one of the cores between.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        only = frozenset(cores)
        return Plan(only, only if gateways > 1 else NOBODY, only, only, only, pinned=False)
    server, others, last = frozenset(cores[:1]), frozenset(cores[1:]), frozenset(cores[-1:])
    if len(cores) < 4:
        return Plan(server, others if gateways > 1 else NOBODY, others, others, others, pinned=True)
    if for_postgres:
        return Plan(server, NOBODY, frozenset(cores[1:-1][:for_postgres]), last, last, pinned=True)
    second = frozenset(cores[1:2]) if gateways > 1 else NOBODY
    return Plan(server, second, last, others - last - second, last, pinned=True)


def family(pid: int) -> list[int]:
    """A process and those below it; fewer when some end meanwhile."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        below = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(each for child in below for each in family(child))]


def pin(pid: int, cores: Cores) -> None:
    """Keep a process, all its threads and all below it on these cores; what it starts later stays there too."""
    for each in family(pid):
        for task in Path(f"/proc/{each}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)


def counting(pid: int) -> Callable[[], float]:
    """Begin to count the processor time of a process and those below it; the answer tells how much it is so far, in seconds.

    What one took that has ended meanwhile (Postgres's background workers come and go) is left out.
    """
    before = _taken(pid)
    return lambda: sum(seconds - before.get(task, 0.0) for task, seconds in _taken(pid).items())


def _taken(pid: int) -> dict[str, float]:
    """By task of this family: the processor time since it began, in seconds."""
    taken = {}
    for each in family(pid):
        for task in Path(f"/proc/{each}/task").glob("*/schedstat"):
            try:
                taken[task.parent.name] = int(task.read_text().split()[0]) / NS
            except (FileNotFoundError, ProcessLookupError):
                continue
    return taken


def resident(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def load_average() -> str:
    """The three numbers of `uptime`."""
    return " ".join(f"{number:.2f}" for number in os.getloadavg())


def description() -> str:
    """Processor, cores, kernel and Python, in one line."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({model}), kernel {platform.release()}, Python {platform.python_version()}"


def compiler_version(compiler: str) -> str:
    """What the compiler calls itself."""
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    return said.splitlines()[0] if said else compiler

"""Real processes in tests: a whole `warmline dev`, and what the system says about any process."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from server.dev.embedded import free_port


class Dev:
    """One `warmline dev` with a data folder of its own."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.port = free_port()
        self.log = data.with_suffix(".log")
        env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        env |= {"WARMLINE_DATA": str(data), "PORT": str(self.port)} | settings
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "server", "dev"], env=env, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self.log.read_text()

    def healthy(self) -> bool:
        """Whether /health answers 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def family(self) -> set[int]:
        """The process and everything below it."""
        return {self.process.pid, *descendants(self.process.pid)}

    def ready(self) -> "Dev":
        """Wait until it has said where to click."""
        until(lambda: "Ctrl-C stops everything" in self.said or self.process.poll() is not None)
        assert self.healthy(), self.said
        return self

    def stop(self, how: signal.Signals) -> int:
        """Signal it and wait for its end."""
        self.process.send_signal(how)
        return self.process.wait(60)


def until(true: Callable[[], bool], within: float = 60) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def descendants(pid: int) -> set[int]:
    """The processes below one."""
    below = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return below.union(*(descendants(child) for child in below))


def command_line(pid: int) -> bytes:
    """A process's command, its words ended by NUL."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def is_running(pid: int) -> bool:
    """Whether a process runs; one that only waits for its status to be read does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

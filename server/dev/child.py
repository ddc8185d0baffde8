"""A child process that cannot outlive its parent, started and stopped in order."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Child:
    """One program as a process of its own session, so that a terminal's Ctrl-C reaches only the parent.

    Start it from the main thread: Linux ties "the parent died" to the thread that started the child. Where there is
    no such signal (not Linux), a parent killed with -9 does leave its children behind.
    """

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    output: Path | None = None
    user: int | None = None
    on_orphaned: signal.Signals = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def running(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        if self.process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.process.pid

    def start(self) -> None:
        """Start it; returns at once."""
        parent = os.getpid()

        def tie_to_parent() -> None:
            if LIBC is not None:
                LIBC.prctl(PR_SET_PDEATHSIG, self.on_orphaned)
                if os.getppid() != parent:  # the parent died before the tie was made
                    os._exit(1)

        with contextlib.ExitStack() as stack:
            output: IO[bytes] | None = stack.enter_context(self.output.open("wb")) if self.output else None
            self.process = subprocess.Popen(
                [str(word) for word in self.command],
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                preexec_fn=tie_to_parent,
            )

    async def wait(self, poll: float = 0.01) -> int:
        """Wait for its end, looking every `poll` seconds; the exit status, negative for a signal."""
        process = self.process
        if process is None:
            return 0
        while process.poll() is None:
            await asyncio.sleep(poll)
        return int(process.returncode)

    async def stop(self, how: signal.Signals = signal.SIGTERM, within: float = 10) -> int:
        """Ask it to end and wait; after `within` seconds end it by force."""
        if self.process is None:
            return 0
        self.signal(how)
        try:
            async with asyncio.timeout(within):
                return await self.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.process is not None:
            self.process.send_signal(number)  # polls first, so a reused pid is never hit

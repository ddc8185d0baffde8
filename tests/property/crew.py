"""Workers as processes: started, stopped for a moment, killed in mid-job, and replaced."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import asyncpg

_PICKED = "select count(*) from jobs.pgqueuer where status = 'picked'"


class Crew:
    """Some workers over one database."""

    def __init__(self, environment: dict[str, str], folder: Path, count: int) -> None:
        self._environment, self._log = os.environ | environment, folder / "workers.log"
        self.killed = self.halted = 0
        self._workers = [self._spawn() for _ in range(count)]

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "workers"]
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    async def trouble(self, connection: asyncpg.Connection, rng: Random, kills: int) -> None:
        """Until cancelled: halt all of them for a moment, so that work waits; and kill one while a job is held, so often."""
        while True:
            await asyncio.sleep(0.5 + rng.random())
            if self.killed < kills and rng.random() < 0.5:
                await self._kill(connection, rng)
            else:
                await self._halt(rng.random() * 0.4)

    async def _kill(self, connection: asyncpg.Connection, rng: Random) -> None:
        while not await connection.fetchval(_PICKED):
            await asyncio.sleep(0.001)
        victim = rng.randrange(len(self._workers))
        self._workers[victim].kill()
        await asyncio.to_thread(self._workers[victim].wait)
        self._workers[victim] = self._spawn()
        self.killed += 1

    async def _halt(self, seconds: float) -> None:
        for worker in self._workers:
            worker.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            for worker in self._workers:
                worker.send_signal(signal.SIGCONT)
        self.halted += 1

    async def close(self) -> None:
        """End them; each must end well. (One that has hardly begun is simply gone.)"""
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        statuses = [await asyncio.to_thread(worker.wait, 30) for worker in self._workers]
        assert set(statuses) <= {0, -signal.SIGTERM}, self._log.read_text()[-3000:]

"""`python -m benchmarks.probed FILE`: a gateway as `python -m server serve` starts it; told SIGUSR1, it makes its tops check ten
times in a row and writes to the file how much processor time one took, in seconds.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

from server.app import Application, serve
from server.config import Settings

CHECKS = 10


class Probed(Application):
    """Can be asked by a signal."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._asked: asyncio.Task[None] | None = None
        signal.signal(signal.SIGUSR1, self._ask)

    def _ask(self, *_: Any) -> None:
        self._asked = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        began = time.process_time()
        for _ in range(CHECKS):
            await self.gateway._tops.check()  # nobody else has a use for it
        whole = Path(f"{sys.argv[1]}.new")
        whole.write_text(str((time.process_time() - began) / CHECKS))
        whole.rename(sys.argv[1])


if __name__ == "__main__":
    serve.Application = Probed  # type: ignore[misc]
    serve.serve(Settings())

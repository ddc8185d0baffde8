"""`python -m benchmarks.sink PORT`: a mail relay (aiosmtpd) that takes everything, keeps nothing, and knows when it came.

Says "ready"; then for each line on its standard input one line of JSON about what came since the one before: how many emails,
to how many people, and when the first and the last came (seconds, by a clock of its own). It ends when its standard input does.
"""

import asyncio
import json
import sys
import time
from typing import Any

from aiosmtpd.smtp import SMTP


class Counting:
    """What came."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.to: set[str] = set()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """One email."""
        self.times.append(time.monotonic())
        self.to.update(envelope.rcpt_tos)
        return "250 OK"

    def told(self) -> dict[str, Any]:
        """What came since the last time, which is then forgotten."""
        times, people = self.times, len(self.to)
        self.times, self.to = [], set()
        return {"count": len(times), "people": people, "first": min(times, default=0), "last": max(times, default=0)}


async def serve(port: int) -> None:
    """Until standard input ends."""
    loop, counting = asyncio.get_running_loop(), Counting()
    server = await loop.create_server(lambda: SMTP(counting), "127.0.0.1", port)
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    print("ready", flush=True)
    while await asked.readline():
        print(json.dumps(counting.told()), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

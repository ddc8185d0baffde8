"""A push service that takes everything: HTTPS on loopback, 201 to every POST, and when each arrived. A program of its own.

`python -m benchmarks.push_service PORT CERTIFICATE KEY`: prints "ready"; then for each line "wait COUNT SECONDS" one line of
JSON as soon as so many have arrived since the last one, or the time is over: path to moment (of the monotonic clock, which all
processes share). Nothing is decrypted: it must not be what limits. It ends when its standard input does.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvicorn
import uvloop


class Service:
    """What has arrived, as an ASGI application."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.came = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take one push."""
        while (await receive()).get("more_body"):
            pass
        self.arrived[scope["path"]] = time.monotonic()
        self.came.set()
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def told(self, count: int, seconds: float) -> dict[str, float]:
        """What has arrived since the last time, once it is so many."""
        until = time.monotonic() + seconds
        while len(self.arrived) < count and time.monotonic() < until:
            self.came.clear()
            try:
                await asyncio.wait_for(self.came.wait(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                break
        arrived, self.arrived = self.arrived, {}
        return arrived


async def main(port: int, certificate: str, key: str) -> None:
    """Serve until standard input ends."""
    service = Service()
    config = uvicorn.Config(
        service,
        port=port,
        lifespan="off",
        log_config=None,
        timeout_keep_alive=600,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        access_log=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        _, count, seconds = line.split()
        print(json.dumps(await service.told(int(count), float(seconds))), flush=True)
    server.should_exit = server.force_exit = True
    await serving


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), *sys.argv[2:]))

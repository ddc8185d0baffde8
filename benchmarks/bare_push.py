"""The reference for pushes: pywebpush in a bare loop over one shared session. A program of its own.

`python -m benchmarks.bare_push DEVICES KEY AT_ONCE`: a file with one registration per line, the VAPID key, and how many are on
their way at a time. Prints "ready", then for each line one line of JSON: how many went out, and in how many seconds.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from py_vapid import Vapid02
from pywebpush import webpush_async

PAYLOAD = json.dumps({"type": "message", "channel": "ch_" + "0" * 20, "badge": 1})


async def loop(key: Vapid02, session: aiohttp.ClientSession, todo: Any) -> None:
    """One of those that push what is left."""
    for device in todo:
        claims = {"sub": "mailto:bench@bench.invalid"}
        await webpush_async(device, PAYLOAD, key, claims, aiohttp_session=session, ttl=86400, timeout=10)


async def main(path: str, key_file: str, at_once: int) -> None:
    """Push to all of them once for each line of standard input."""
    devices = [json.loads(line) for line in Path(path).read_text().splitlines()]
    key = Vapid02.from_file(key_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        print("ready", flush=True)
        while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            began, todo = time.monotonic(), iter(devices)
            await asyncio.gather(*(loop(key, session, todo) for _ in range(at_once)))
            print(json.dumps({"done": len(devices), "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

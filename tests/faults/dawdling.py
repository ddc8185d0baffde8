"""R24: two thousand sockets that never come to the point, beside people who write and listen."""

import asyncio
import os
import time

from tests.faults.run import Run
from tests.gateway.raw import KEY

SOCKETS = 2000
FAULT = "2,000 sockets that dawdle"
GONE_WITHIN = 20.0
"""Seconds: ten to say what one wants, and five to end what was closed; and a busy machine."""
ROOM = {"WARMLINE_UNAUTHENTICATED": "4000", "WARMLINE_UNAUTHENTICATED_PER_ADDRESS": "4000"}
"""So that it is the time that ends them, not their number."""

_UPGRADE = (
    f"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
WAYS = {
    "said nothing": b"",
    "half a head": b"GET /connection/websocket HTTP/1.1\r\nHos",
    "no connect": _UPGRADE,
    "half a frame": _UPGRADE + b"\x81\xfe\x01\x00mask{",
}


async def dawdling(going: Run, seconds: float) -> None:
    """As many of each kind, on one gateway; they wait to be let go."""
    node = going.ward.nodes[0].gateway
    folder = f"/proc/{node.process.pid}/fd"
    before = len(os.listdir(folder))
    async with going.nemesis.broken(FAULT):
        said = list(WAYS.values())
        began = time.monotonic()
        crowd = [asyncio.create_task(_dawdle(node.port, said[n % len(said)])) for n in range(SOCKETS)]
        await asyncio.sleep(4)
        most = len(os.listdir(folder))
        lived = sorted(await asyncio.gather(*crowd))
        took = time.monotonic() - began
    going.hold(most > before + SOCKETS * 0.9, f"{most - before} of them were open together")
    going.hold(
        took < GONE_WITHIN + 5 and lived[-1] < GONE_WITHIN,
        f"the gateway let the last of them go after {lived[-1]:.1f} s",
    )
    await asyncio.sleep(2)
    after = len(os.listdir(folder))
    going.hold(after < before + 20, f"{before} files open before, {after} after")
    await asyncio.sleep(max(0.0, seconds - took))


async def _dawdle(port: int, said: bytes) -> float:
    """How long one was let wait; 999: for ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(said)
    try:
        async with asyncio.timeout(GONE_WITHIN + 10):
            while await reader.read(4096):
                pass
    except TimeoutError:
        return 999.0
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return time.monotonic() - began

"""R23: two hundred who have stopped reading, in a channel where much is said: they are let go, and nobody else notices."""

import asyncio
import json
import os
import socket
import time
from pathlib import Path

from tests.faults.run import Run
from tests.gateway.raw import KEY, Raw
from tests.support.wire import Wire

STALLED, WATCHING = 200, 10
FAULT = "readers that stopped reading"
WORDS = "It is a long story, and nobody reads it. " * 190
"""About 7,800 characters: a message may have 8,000."""
MESSAGES = 260
"""Two megabytes: twice what may lie in front of one reader, and more than the kernel hides."""
MIB = 1024 * 1024


async def stalled(going: Run, seconds: float) -> None:
    """They connect to one gateway, subscribe, and read no more; others listen beside them, and write. Twice, because what
    Python has had of the system it keeps for itself: the second time there must be room in what the first time took."""
    node = going.ward.nodes[0].gateway
    before, files = resident(node.process.pid), len(os.listdir(f"/proc/{node.process.pid}/fd"))
    tops = [await _once(going) for _ in range(2)]
    await asyncio.sleep(max(3.0, seconds / 3))
    after, open_now = resident(node.process.pid), len(os.listdir(f"/proc/{node.process.pid}/fd"))
    shown = ", ".join(f"{top / MIB:.0f}" for top in (before, *tops, after))
    bounded = tops[0] - before < (STALLED + WATCHING) * 1.5 * MIB and max(tops[1], after) - tops[0] < 24 * MIB
    going.hold(bounded, f"memory in MiB: before, most of the first time, of the second, after: {shown}")
    going.hold(open_now < files + 20, f"{files} files open before, {open_now} after")


async def _once(going: Run) -> int:
    ward = going.ward
    node, people = ward.nodes[0].gateway, [ward.resident(await ward.clinic.team_member()) for _ in range(20)]
    hot = await ward.channel(*people)
    watching = [await Wire.open(node.socket_url, ward.token(people[n % 20])) for n in range(WATCHING)]
    streams = [await wire.subscribe(hot) for wire in watching]
    async with going.nemesis.broken(FAULT):
        crowd = [await _stalled(node.port, ward.token(people[n % 20]), hot) for n in range(STALLED)]
        most = await _told(going, watching, hot, node.process.pid)
        ends = await asyncio.gather(*(_ended(one) for one in crowd))
    for stream, wire in zip(streams, watching, strict=True):
        await wire.until(lambda _, stream=stream: stream.position == MESSAGES + 1, 60)
    whole = sum(not stream.faults and wire.over is None for stream, wire in zip(streams, watching, strict=True))
    going.hold(whole == WATCHING, f"{whole} of {WATCHING} who read beside them got all {MESSAGES} messages in order")
    let_go = sum(code in (3008, 1006) for code in ends)
    told = ends.count(3008)
    going.hold(
        let_go == STALLED, f"{let_go} of {STALLED} who had stopped were let go, {told} with 3008, the others cut"
    )
    for wire in watching:
        await wire.close()
    return most


async def _told(going: Run, watching: list[Wire], hot: str, pid: int) -> int:
    """Say it all, in a few at a time; the most memory that the gateway took meanwhile."""
    most = 0
    for first in range(0, MESSAGES, WATCHING):
        await asyncio.gather(
            *(wire.send(hot, WORDS, f"long-{first + n}") for n, wire in enumerate(watching) if first + n < MESSAGES)
        )
        most = max(most, resident(pid))
    until = time.monotonic() + 3
    while time.monotonic() < until:  # those who do not reach the close frame in time are cut
        most = max(most, resident(pid))
        await asyncio.sleep(0.1)
    return most


async def _stalled(port: int, token: str, channel: str) -> Raw:
    """Connected and subscribed, with a small window, and reading no more."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    writer.write(
        f"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    made = Raw(reader, writer)
    made.send(1, json.dumps({"id": 1, "connect": {"token": token}}).encode())
    await made.frame()
    made.send(1, json.dumps({"id": 2, "subscribe": {"channel": channel}}).encode())
    while b'"id":2' not in (await made.frame())[1]:
        pass
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return made


async def _ended(one: Raw) -> int:
    """Read on: how it ended. 1006: without a close frame; 0: not at all."""
    one.writer.transport.resume_reading()  # type: ignore[attr-defined]
    try:
        async with asyncio.timeout(20):
            while True:
                kind, payload = await one.frame()
                if kind == 0x88:
                    return int.from_bytes(payload[:2], "big")
    except TimeoutError:
        return 0
    except (ConnectionError, asyncio.IncompleteReadError):
        return 1006
    finally:
        one.writer.transport.abort()


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

"""The load client where there is no C compiler: native/load.c in Python, one thread, with the same words in and out.

It takes several microseconds for each frame, so it may well be what limits; the table says so. A program of its own:
`python -m benchmarks.load PORT SCRIPT THREADS WINDOW`.
"""

import asyncio
import base64
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import uvloop

PUBLICATION = b'{"push":{"channel":"ch_'
AFTER_ID = len(PUBLICATION) + 20 + 3
MOST_UNANSWERED = 32
CONNECT_SECONDS, DRAIN_SECONDS = 150.0, 10.0


class Room:
    """Connections that get the same broadcasts: when each of these left and when the first had it, and how many have it."""

    def __init__(self) -> None:
        self.members: list[Connection] = []
        self.began: dict[int, float] = {}
        self.first: dict[int, float] = {}
        self.got_it: dict[int, int] = {}
        self.asked = self.base = 0

    @property
    def sender(self) -> "Connection":
        """Who sends the broadcasts."""
        return next(each for each in self.members if each.patterns)


class Load:
    """All connections, and what they count in a round."""

    def __init__(self, window: int) -> None:
        self.window, self.burst, self.pause = window, 1, 0
        self.all: list[Connection] = []
        self.rooms: dict[int, Room] = {}
        self.counts: dict[str, int] = {}
        self.times: list[float] = []
        self.between: list[float] = []
        self.flying = self.turn = 0
        self.until = self.last = 0.0
        self.said = ""

    def count(self, since: float) -> float:
        """A command has had its effect: note how long that took. Returns the time."""
        self.last = time.monotonic()
        self.times.append(self.last - since)
        return self.last

    def broadcast(self) -> None:
        """Have the next room send a burst of broadcasts, all in one frame."""
        room = self.rooms[self.turn % len(self.rooms)]
        self.turn += 1
        began = time.monotonic()
        room.began.update((room.asked + number, began) for number in range(self.burst))
        room.asked += self.burst
        room.sender.say("\n".join(room.sender.next() for _ in range(self.burst)))

    def heard(self, room: Room, number: int) -> None:
        """One more connection has this broadcast; when all have it, and all of its burst, the next burst leaves."""
        have_it = room.got_it[number] = room.got_it.get(number, 0) + 1
        if have_it == 1:
            room.first[number] = time.monotonic()
        if have_it < len(room.members):
            return
        del room.got_it[number]
        self.between.append(self.count(room.began.pop(number)) - room.first.pop(number))
        if (number + 1 - room.base) % self.burst:
            return
        asyncio.get_running_loop().call_later(self.pause / 1000, self.go_on)

    def go_on(self) -> None:
        """Send the next burst, if the round goes on."""
        if time.monotonic() < self.until:
            self.broadcast()
        else:
            self.flying -= 1

    async def round(self, seconds: float) -> dict[str, object]:
        """One round; its figures."""
        self.counts = dict.fromkeys(("deliveries", "bytes", "replies", "errors", "others", "lost"), 0)
        self.times, self.between = [], []
        began, used = time.monotonic(), time.process_time()
        self.last, self.until = began, began + seconds
        for room in self.rooms.values():
            room.base = room.asked
        asking = [each for each in self.all if each.patterns]
        self.flying = self.window or len(asking)
        for number in range(self.flying):
            if self.window:
                self.broadcast()
            else:
                asking[number].ask()
        while self.flying > 0 and time.monotonic() < self.until + DRAIN_SECONDS:
            await asyncio.sleep(0.001)
        spent, times = max(self.last - began, 1e-9), sorted(self.times) or [0.0]
        told: dict[str, object] = {"seconds": spent, "done": len(self.times), **self.counts, "unfinished": self.flying}
        told |= {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "worst": times[-1]}
        told["between"] = statistics.median(self.between or [0.0])
        return told | {"busiest": (time.process_time() - used) / spent, "said": self.said}


class Connection(asyncio.Protocol):
    """One connection: its lines of the script, and what has come in."""

    def __init__(self, load: Load, lines: list[str]) -> None:
        self.load = load
        place = [*map(int, lines[0].split()), 0, 0]
        self.room, self.port = load.rooms.setdefault(place[0], Room()), place[1]
        self.room.members.append(self)
        self.starts = [line[2:] for line in lines if line.startswith(">")]
        self.patterns = [line[2:] for line in lines if line.startswith("@")]
        self.data = b""
        self.upgraded = False
        self.answered = self.number = self.heard = 0
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self.transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key}
        lines = [f"{name}: {value}" for name, value in (wanted | {"Sec-WebSocket-Version": "13"}).items()]
        self.transport.write("\r\n".join(("GET /connection/websocket HTTP/1.1", *lines, "", "")).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it."""
        self.load.said = self.load.said or f"the connection broke: {exc}"
        self.load.counts["lost"] = self.load.counts.get("lost", 0) + 1

    def data_received(self, data: bytes) -> None:
        """Take whole frames."""
        self.data += data
        if not self.upgraded:
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head:
                self.transport.abort()
            self.upgraded, self.data = True, rest
            for text in self.starts:
                self.say(text)
        at = 0
        while len(self.data) >= at + 2:
            kind = self.data[at + 1]
            head_size = 2 if kind < 126 else 4 if kind == 126 else 10
            length = kind if kind < 126 else int.from_bytes(self.data[at + 2 : at + head_size])
            if len(self.data) < at + head_size + length:
                break
            self.heard_one(self.data[at + head_size : at + head_size + length], head_size + length)
            at += head_size + length
        self.data = self.data[at:]

    def heard_one(self, payload: bytes, size: int) -> None:
        """Count a frame, and do what follows from it."""
        counts, load = self.load.counts, self.load
        if payload.startswith(PUBLICATION) and payload[AFTER_ID : AFTER_ID + 3] == b"pub":
            counts["deliveries"] += 1
            counts["bytes"] += size
            self.heard += 1
            if load.window:
                load.heard(self.room, self.heard - 1)
        elif payload.startswith(b'{"id":'):
            self.reply(payload)
        elif payload == b"{}":
            self.say("{}")
        else:
            counts["others"] = counts.get("others", 0) + 1

    def reply(self, payload: bytes) -> None:
        """An answer to a start, or to the command on its way."""
        load, refused = self.load, b'"error":' in payload[:40]
        if refused:
            load.said = payload.decode()
            load.counts["errors"] = load.counts.get("errors", 0) + 1
        self.answered += 1
        if self.answered > len(self.starts):
            load.counts["replies"] += 1
            if load.window:
                return
            if refused or load.count(self.sent) >= load.until:
                load.flying -= 1
            else:
                self.ask()

    def next(self) -> str:
        """The next command. The patterns take turns."""
        pattern = self.patterns[self.number % len(self.patterns)]
        self.number += 1
        return pattern.replace("@", str(self.number))

    def ask(self) -> None:
        """Send the next command."""
        self.sent = time.monotonic()
        self.say(self.next())

    def say(self, text: str) -> None:
        """Send a text, masked with zeros."""
        payload = text.encode()
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self.transport.write(b"\x81" + length + bytes(4) + payload)


_Load = TypeVar("_Load", bound=Load)


async def connect(load: _Load, kind: Callable[[_Load, list[str]], Connection], port: int, script: Path) -> None:
    """Connect all that the script names, and say "ready" when everything that they say first is answered."""
    loop, patience = asyncio.get_running_loop(), time.monotonic() + CONNECT_SECONDS
    for part in f"\n{script.read_text()}".split("\n= ")[1:]:
        connection = kind(load, part.splitlines())
        load.all.append(connection)
        await loop.create_connection(lambda made=connection: made, "127.0.0.1", connection.port or port)  # type: ignore[misc]
        while _unanswered(load) > MOST_UNANSWERED and time.monotonic() < patience:
            await asyncio.sleep(0.001)
    while _unanswered(load) and time.monotonic() < patience:
        await asyncio.sleep(0.001)
    if _unanswered(load):
        sys.exit(f"{_unanswered(load)} connections were not answered: {load.said}")
    print(f"ready {len(load.all)}", flush=True)


async def main(port: int, script: Path, window: int) -> None:
    """Connect all, then run rounds until standard input ends."""
    load, loop = Load(window), asyncio.get_running_loop()
    await connect(load, Connection, port, script)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _go, seconds, *pace = line.split()
        load.window, load.burst, load.pause = map(int, pace) if pace else (load.window, 1, 0)
        print(json.dumps(await load.round(float(seconds))), flush=True)


def _unanswered(load: Load) -> int:
    return sum(1 for each in load.all if each.answered < len(each.starts))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[4])))

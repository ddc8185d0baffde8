"""Many clients that behave as SDKs do when their server goes away: come back after a while, elsewhere, and go on from where they
were. A program of its own: `python -m benchmarks.flock PLAN`.

PLAN is JSON: `first` (the port to begin with), `then` (the ports to come back to), `clients` (for each its token and channels).
Prints "ready" when all are subscribed. A line "wait N" on standard input is answered by one line of JSON when all have lost their
connection, are subscribed again and have N publications since then, among them all; or after two minutes.
"""

import asyncio
import base64
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any, cast

import uvloop

AT_ONCE = 48
PATIENCE_SECONDS = 120.0
SHORTEST, LONGEST = 0.5, 20.0
"""Seconds before a client comes back: as SDKs do it, the shortest, and up to twice as much more each time (protocol.md §7)."""
ANSWERED = 5.0
"""Seconds from the upgrade in which all of a client's commands must be answered, or it gives up, as SDKs do."""


class Flock:
    """All of them, and what they have seen."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.ports = [plan["first"]]
        self.then: list[int] = plan["then"]
        self.clients = [Client(self, number, **each) for number, each in enumerate(plan["clients"])]
        self.subscribed = self.lost = self.refused = self.recovered = self.unrecovered = self.publications = 0
        self.holes = self.given_up = 0
        self.back: list[float] = []
        self.answers: list[float] = []
        self.first_lost = 0.0

    def port(self, number: int) -> int:
        """Where a client connects now."""
        return self.ports[number % len(self.ports)]

    def gone(self) -> None:
        """One more has lost its connection."""
        self.first_lost = self.first_lost or time.monotonic()
        self.ports = self.then
        self.lost += 1

    def whole(self, publications: int) -> bool:
        """Whether all are back and have everything."""
        return len(self.back) == len(self.clients) and self.publications >= publications

    def report(self) -> dict[str, Any]:
        """What became of it; times in seconds since the first one lost its connection."""
        times = sorted(each - self.first_lost for each in self.back) or [0.0]
        told = {
            name: getattr(self, name)
            for name in ("lost", "refused", "given_up", "recovered", "unrecovered", "publications", "holes")
        }
        answers = sorted(self.answers) or [0.0]
        told["answered"] = answers[len(answers) * 99 // 100]
        middle, most = times[len(times) // 2], times[len(times) * 99 // 100]
        return told | {"back": len(self.back), "p50": middle, "p99": most, "last": times[-1], "ended": time.monotonic()}


class Client(asyncio.Protocol):
    """One client: its channels, and up to which offset it has each."""

    def __init__(self, flock: Flock, number: int, token: str, channels: list[str]) -> None:
        self.flock, self.number, self.token = flock, number, token
        self.channels: dict[str, tuple[str, int] | None] = dict.fromkeys(channels)
        self.data = b""
        self.upgraded = self.was_in = False
        self.missing = 0
        self.attempt = 0
        self.opened = 0.0
        self.patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self.transport = cast("asyncio.Transport", transport)
        self.data, self.upgraded, self.missing = b"", False, len(self.channels)
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key}
        # The gateway believes who comes over loopback: so each client has an address of its own.
        number = self.number
        wanted["X-Forwarded-For"] = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        lines = [f"{name}: {value}" for name, value in (wanted | {"Sec-WebSocket-Version": "13"}).items()]
        self.transport.write("\r\n".join(("GET /connection/websocket HTTP/1.1", *lines, "", "")).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back later: at once it would only be one of all."""
        if self.patience is not None:
            self.patience.cancel()
        if self.was_in:
            self.flock.gone()
            self.was_in = False
        interval = min(LONGEST, SHORTEST * 2 ** min(self.attempt, 10))
        self.attempt += 1
        asyncio.get_running_loop().call_later(min(LONGEST, SHORTEST + random.uniform(0, interval)), self.connect)

    def connect(self) -> None:
        """Try it."""
        self.task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self.flock.port(self.number))
        except OSError as error:
            self.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Take whole frames."""
        self.data += data
        if not self.upgraded:
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head:
                self.flock.refused += 1
                self.transport.abort()
                return
            self.upgraded, self.data = True, rest
            self.begin()
        at = 0
        while len(self.data) >= at + 2:
            kind = self.data[at + 1]
            head_size = 2 if kind < 126 else 4 if kind == 126 else 10
            length = kind if kind < 126 else int.from_bytes(self.data[at + 2 : at + head_size])
            if len(self.data) < at + head_size + length:
                break
            payload = self.data[at + head_size : at + head_size + length]
            at += head_size + length
            for line in payload.split(b"\n") if self.data[at - head_size - length] == 0x81 else ():
                self.heard(json.loads(line))
        self.data = self.data[at:]

    def begin(self) -> None:
        """Sign in, and subscribe to everything, from where one was."""
        loop = asyncio.get_running_loop()
        self.opened, self.patience = loop.time(), loop.call_later(ANSWERED, self.give_up)
        commands: list[dict[str, Any]] = [{"id": 1, "connect": {"token": self.token}}]
        for number, (channel, position) in enumerate(self.channels.items()):
            wish: dict[str, Any] = {"channel": channel}
            if position is not None:
                wish |= {"recover": True, "epoch": position[0], "offset": position[1]}
            commands.append({"id": number + 2, "subscribe": wish})
        self.say("\n".join(json.dumps(each, separators=(",", ":")) for each in commands))

    def give_up(self) -> None:
        """Not everything was answered."""
        self.flock.given_up += 1
        self.transport.abort()

    def heard(self, message: dict[str, Any]) -> None:
        """A reply, a publication or a ping."""
        if not message:
            self.say("{}")
        elif "error" in message:
            self.flock.refused += 1
            self.transport.abort()
        elif "subscribe" in message:
            self.stands(list(self.channels)[message["id"] - 2], message["subscribe"])
        elif "pub" in message.get("push", {}) and message["push"]["channel"] in self.channels:
            self.publication(message["push"]["channel"], message["push"]["pub"])

    def stands(self, channel: str, result: dict[str, Any]) -> None:
        """A subscription stands: from here on without a hole."""
        before = self.channels[channel]
        if before is not None:
            whole = bool(result.get("recovered"))
            self.flock.recovered += whole
            self.flock.unrecovered += not whole
        offset = before[1] if before is not None and result.get("recovered") else result.get("offset", 0)
        self.channels[channel] = (result["epoch"], offset)
        for publication in result.get("publications", ()):
            self.publication(channel, publication)
        self.missing -= 1
        if not self.missing and self.patience is not None:
            self.patience.cancel()
            self.attempt, self.was_in = 0, True
            self.flock.subscribed += 1
            if before is not None:
                self.flock.back.append(time.monotonic())
                self.flock.answers.append(asyncio.get_running_loop().time() - self.opened)

    def publication(self, channel: str, publication: dict[str, Any]) -> None:
        """One event: it must follow on the last one."""
        epoch, offset = self.channels[channel] or ("", 0)
        self.flock.publications += 1
        self.flock.holes += publication["offset"] != offset + 1
        self.channels[channel] = (epoch, publication["offset"])

    def say(self, text: str) -> None:
        """Send a text, masked with zeros."""
        payload = text.encode()
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self.transport.write(b"\x81" + length + bytes(4) + payload)


async def main(path: Path) -> None:
    """Connect all, then watch until standard input ends."""
    flock, loop = Flock(json.loads(path.read_text())), asyncio.get_running_loop()
    for number, client in enumerate(flock.clients):
        while number - flock.subscribed >= AT_ONCE:
            await asyncio.sleep(0.001)
        client.connect()
    while flock.subscribed < len(flock.clients):
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        wanted, patience = int(line.split()[1]), time.monotonic() + PATIENCE_SECONDS
        while not flock.whole(wanted) and time.monotonic() < patience:
            await asyncio.sleep(0.005)
        print(json.dumps(flock.report()), flush=True)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))

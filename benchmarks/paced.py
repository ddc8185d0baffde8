"""The load client of an open stream: so many sends a second, whether those before are answered or not. One thread, in Python.

`python -m benchmarks.paced PORT SCRIPT LISTENERS`, then "go SECONDS RATE" for each round, in the words of clients.py. `p50`,
`p99` and `worst` are from the moment that a message carries (just before its commit, by the database's clock, which is this
machine's) until the last of its listeners has it; `answer_p50` and `answer_p99` from a send to its answer.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from pathlib import Path

import uvloop
from msgspec import Struct
from msgspec.json import Decoder

from benchmarks.load import AFTER_ID, DRAIN_SECONDS, PUBLICATION, Connection, Load, connect


class _Data(Struct):
    at: datetime


class _Publication(Struct):
    data: _Data
    offset: int


class _Push(Struct):
    channel: str
    pub: _Publication


class _Frame(Struct):
    push: _Push


_frame = Decoder(_Frame)


class Stream(Load):
    """What is under way, and how long each message took until its last listener had it."""

    def __init__(self, listeners: int) -> None:
        super().__init__(0)
        self.listeners = listeners
        self.answers: list[float] = []
        self.waiting: dict[tuple[str, int], int] = {}
        """How many listeners have a message that not all have."""

    def arrived(self, payload: bytes) -> None:
        """One more listener has a message."""
        push = _frame.decode(payload).push
        which = (push.channel, push.pub.offset)
        have_it = self.waiting.pop(which, 0) + 1
        if have_it < self.listeners:
            self.waiting[which] = have_it
        else:
            self.times.append(time.time() - push.pub.data.at.timestamp())

    async def stream(self, seconds: float, rate: int) -> dict[str, object]:
        """One round; its figures."""
        self.counts = dict.fromkeys(("deliveries", "bytes", "replies", "errors", "others", "lost"), 0)
        self.times, self.answers = [], []
        senders = [each for each in self.all if each.patterns]
        began, used, sent, wanted = time.monotonic(), time.process_time(), 0, max(1, int(rate * seconds))
        while sent < wanted:
            for _ in range(min(int((time.monotonic() - began) * rate), wanted) - sent):
                senders[sent % len(senders)].ask()
                sent += 1
            await asyncio.sleep(0.001)
        spent = time.monotonic() - began
        while (len(self.answers) < sent or len(self.times) < sent) and time.monotonic() < began + spent + DRAIN_SECONDS:
            await asyncio.sleep(0.001)
        told: dict[str, object] = {"seconds": spent, "done": len(self.answers), **self.counts, "between": 0.0}
        told["unfinished"] = 2 * sent - len(self.answers) - len(self.times)
        for name, times in (("", sorted(self.times) or [0.0]), ("answer_", sorted(self.answers) or [0.0])):
            told |= {f"{name}p50": times[len(times) // 2], f"{name}p99": times[len(times) * 99 // 100]}
            told[f"{name}worst"] = times[-1]
        return told | {"busiest": (time.process_time() - used) / spent, "said": self.said}


class Sender(Connection):
    """A connection that may have several sends on their way."""

    load: Stream

    def __init__(self, load: Stream, lines: list[str]) -> None:
        super().__init__(load, lines)
        self.left: dict[int, float] = {}

    def ask(self) -> None:
        """Send the next command."""
        text = self.next()
        self.left[self.number] = time.monotonic()
        self.say(text)

    def heard_one(self, payload: bytes, size: int) -> None:
        """Take a publication apart; count the rest as ever."""
        if payload.startswith(PUBLICATION) and payload[AFTER_ID : AFTER_ID + 3] == b"pub" and b'"at":' in payload:
            self.load.counts["deliveries"] += 1
            self.load.arrived(payload)
        else:
            super().heard_one(payload, size)

    def reply(self, payload: bytes) -> None:
        """An answer to a start, or to one of the commands on their way."""
        self.answered += 1
        if b'"error":' in payload[:40]:
            self.load.said = payload.decode()
            self.load.counts["errors"] = self.load.counts.get("errors", 0) + 1
        elif self.answered > len(self.starts):
            number = int(payload[len(b'{"id":') : payload.index(b",")])
            self.load.answers.append(time.monotonic() - self.left.pop(number))


async def main(port: int, script: Path, listeners: int) -> None:
    """Connect all, then run rounds until standard input ends."""
    load, loop = Stream(listeners), asyncio.get_running_loop()
    await connect(load, Sender, port, script)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _go, seconds, rate = line.split()
        print(json.dumps(await load.stream(float(seconds), int(rate))), flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))

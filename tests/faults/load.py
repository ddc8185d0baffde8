"""The load of a run with faults: who writes, with retries under one key, and who listens, again and again from their position."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets import WebSocketException

from tests.faults.recorder import Heard, RecordedWire, Recorder
from tests.support.wire import Lost, Refused

Url = Callable[[], str]
Token = Callable[[str], str]

BROKEN = (Lost, OSError, TimeoutError, WebSocketException, AssertionError, EOFError)
"""What a broken line looks like from here; AssertionError: something awaited did not come in time."""
OPENS_WITHIN, PROBED_EVERY, ANSWERS_WITHIN = 5.0, 2.0, 3.0
"""Seconds. A probe is a command that the gateway answers by itself, without a database."""
_PAUSES = (0.05, 0.1, 0.2, 0.4)


@dataclass
class Load:
    """Everybody who takes part, and the words to have them stop."""

    recorder: Recorder
    url: Url
    token: Token
    luck: random.Random
    pause: float = 0.03
    """Seconds between the sends of one writer."""
    restless: float = 1.5
    """Seconds, on average, until a listener drops its line by itself; 0: never."""
    writing: bool = True
    resting: bool = False
    """Nobody drops a line by themselves any more."""
    listeners: list[Heard] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _writers: list[asyncio.Task[None]] = field(default_factory=list)

    def write(self, name: str, person: str, channels: Sequence[str], url: str = "") -> None:
        """Have somebody write. `url`: elsewhere than everybody."""
        self._writers.append(asyncio.create_task(Writer(self, name, person, list(channels), url).run()))

    def listen(self, name: str, person: str, channels: Sequence[str]) -> None:
        """Have somebody listen."""
        streams = [Heard(one, recorder=self.recorder, client=name, person=person) for one in channels]
        self.listeners += streams
        self._tasks.append(asyncio.create_task(self._listen(name, person, streams)))

    def take_part(self, parts: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Others take part, until everything ends."""
        self._tasks += [asyncio.create_task(part) for part in parts]

    async def stop_writing(self, within: float = 30) -> None:
        """End the writing; every send that is under way is tried until it is known, as long as that."""
        self.writing, self.resting = False, True
        done, late = await asyncio.wait(self._writers, timeout=within) if self._writers else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()
        self._writers.clear()

    async def stop(self) -> None:
        """End everything. How a connection ends now is not part of the history."""
        for task in (*self._writers, *self._tasks):
            task.cancel()
        ends = await asyncio.gather(*self._writers, *self._tasks, return_exceptions=True)
        for end in ends:
            if end is not None and not isinstance(end, asyncio.CancelledError):
                raise end

    @contextlib.asynccontextmanager
    async def connected(self, name: str, person: str, url: str = "") -> AsyncIterator[RecordedWire]:
        """A connection; how it ends is written down, unless the whole run is over. `url`: elsewhere than everybody."""
        async with asyncio.timeout(OPENS_WITHIN):
            wire = await RecordedWire.open(url or self.url())
            wire.recorder, wire.client, wire.person = self.recorder, name, person
        try:
            async with asyncio.timeout(OPENS_WITHIN):
                wire.welcome = await wire.ask(connect={"token": self.token(person)})
            yield wire
        except BaseException as error:
            await cut(wire)
            if not isinstance(error, asyncio.CancelledError):
                self.recorder.say("closed", client=name)
            raise
        else:
            await cut(wire)
            self.recorder.say("closed", client=name)

    async def _listen(self, name: str, person: str, streams: list[Heard]) -> None:
        for tried in itertools.count():
            with contextlib.suppress(*BROKEN, Refused):
                async with self.connected(name, person) as wire:
                    await self._attend(wire, streams)
            await asyncio.sleep(self.luck.choice(_PAUSES) if tried else 0)

    async def _attend(self, wire: RecordedWire, streams: list[Heard]) -> None:
        leaves = time.monotonic() + self.luck.expovariate(1 / self.restless) if self.restless else float("inf")
        probed = time.monotonic()
        while not wire.over and (time.monotonic() < leaves or self.resting):
            for stream in streams:
                if stream.ended is not None or stream.channel not in wire.streams:
                    await self._subscribe(wire, stream)
            if time.monotonic() > probed + PROBED_EVERY:
                await probe(wire)
                probed = time.monotonic()
            await asyncio.sleep(0.05)

    async def _subscribe(self, wire: RecordedWire, stream: Heard) -> None:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                await wire.subscribe(stream)
        except TimeoutError:
            wire.given_up = True  # an answer that still comes would be nobody's, and so would what follows it
            raise
        except Refused as refused:
            await asyncio.sleep(0.2)
            if refused.code not in (100, 102, 103, 111, 112):
                raise


@dataclass
class Writer:
    """Somebody who writes, one message after the other, each until it is known what became of it."""

    load: Load
    name: str
    person: str
    channels: list[str]
    url: str = ""
    _left: list[tuple[str, str]] = field(default_factory=list)
    """Written and answered; now and then one is sent again."""

    async def run(self) -> None:
        """Write until the writing is over."""
        todo = self._texts()
        next_one = next(todo)
        while next_one is not None:
            with contextlib.suppress(*BROKEN, Refused):
                async with self.load.connected(f"{self.name} (writing)", self.person, self.url) as wire:
                    while next_one is not None and not wire.over:
                        if await self._send(wire, *next_one):
                            await asyncio.sleep(self.load.pause * self.load.luck.uniform(0.5, 1.5))
                            next_one = next(todo)
                        else:
                            await asyncio.sleep(0.1)
            if next_one is not None:
                await asyncio.sleep(self.load.luck.choice(_PAUSES))

    def _texts(self):
        for number in itertools.count():
            if not self.load.writing:
                break
            if self._left and self.load.luck.random() < 0.03:
                yield self.load.luck.choice(self._left)
            yield self.load.luck.choice(self.channels), f"{self.name}-{number}"
        yield None

    async def _send(self, wire: RecordedWire, channel: str, key: str) -> bool:
        """One attempt. Whether it is known what became of it."""
        say = self.load.recorder.say
        say("send.invoke", channel=channel, key=key, person=self.person)
        try:
            async with asyncio.timeout(12):  # longer than the server holds a send back
                answer = await wire.send(channel, key, key)
        except Refused as refused:
            say("send.info" if refused.temporary else "send.fail", channel=channel, key=key, why=str(refused))
            return not refused.temporary
        except BROKEN as broken:
            say("send.info", channel=channel, key=key, why=type(broken).__name__)
            raise
        say("send.ok", channel=channel, key=key, message=answer["message_id"], offset=answer["offset"])
        self._left.append((channel, key))
        return True


async def probe(wire: RecordedWire) -> None:
    """Ask something that the gateway refuses by itself: whoever does not even get that has a dead line."""
    with contextlib.suppress(Refused):
        async with asyncio.timeout(ANSWERS_WITHIN):
            await wire.ask(ping={})


async def cut(wire: RecordedWire) -> None:
    """End the line, whatever state it is in."""
    with contextlib.suppress(*BROKEN):
        async with asyncio.timeout(2):
            await wire.cut()

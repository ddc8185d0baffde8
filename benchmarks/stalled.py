"""Readers who stop reading: the others must not notice, they themselves are dropped, and the gateway keeps nothing of it."""

import asyncio
import base64
import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from benchmarks import machine, stack
from benchmarks.bulk import filling
from benchmarks.clients import Failed, load_command, ready, running
from benchmarks.clinic import founded
from benchmarks.rounds import Contestant, Size, alternate, require_all
from benchmarks.script import Script, body
from benchmarks.table import Figure, Row, Table, Target, deliveries
from server.ids import ChannelId

BODY = 2_000
PACE = (4, 1, 0)
SMALL_BUFFER = 4_096
PATIENCE_SECONDS = 20.0
GONE = select.POLLHUP | select.POLLERR | select.POLLRDHUP


@dataclass
class Disturbed(Contestant):
    """The same load, with stalled readers beside it that are new in each round."""

    port: int = 0
    channel: ChannelId | None = None
    tokens: Sequence[str] = ()
    gone_after: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    async def turn(self, size: Size) -> None:
        """A round that counts; and more that do not, if anybody is not dropped yet. Raises Failed."""
        assert self.channel is not None
        stalled = [await stall(self.port, token, self.channel) for token in self.tokens]
        watching = asyncio.create_task(dropped(stalled))
        await super().turn(size)
        while not watching.done():
            await self.warm_up(size)
        self.gone_after.append(await watching)
        self.resident.append(machine.resident(self.watched["server"]))


async def stall(port: int, token: str, channel: ChannelId) -> socket.socket:
    """A connection that is subscribed, and reads no more. Raises Failed."""
    loop, reader = asyncio.get_running_loop(), socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    reader.setblocking(False)
    await loop.sock_connect(reader, ("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    head = "GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    await loop.sock_sendall(reader, f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    heard = b""
    for wanted, command in (
        (b"\r\n\r\n", {"connect": {"token": token}}),
        (b'"connect"', {"subscribe": {"channel": channel}}),
    ):
        heard = await _until(reader, heard, wanted)
        payload = json.dumps({"id": 1} | command).encode()
        await loop.sock_sendall(reader, b"\x81\xfe" + len(payload).to_bytes(2) + bytes(4) + payload)
    await _until(reader, heard, b'"subscribe"')
    return reader


async def _until(reader: socket.socket, heard: bytes, wanted: bytes) -> bytes:
    while wanted not in heard:
        more = await asyncio.get_running_loop().sock_recv(reader, 512)
        if not more:
            raise Failed(f"a reader who was going to stall was not let in: {heard[-200:]!r}")
        heard += more
    return heard


async def dropped(stalled: Sequence[socket.socket]) -> float:
    """Wait until the gateway has dropped them all; the seconds that took. Raises Failed."""
    began, watch = time.monotonic(), select.poll()
    left = {each.fileno(): each for each in stalled}
    for number in left:
        watch.register(number, select.POLLRDHUP)
    while left:
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise Failed(f"{len(left)} stalled readers were not dropped within {PATIENCE_SECONDS:.0f} s")
        await asyncio.sleep(0.02)
        for number, event in watch.poll(0):
            if event & GONE:
                watch.unregister(number)
                left.pop(number).close()
    return time.monotonic() - began


async def run(size: Size) -> Table:
    """Measure it. Raises Failed."""
    async with contextlib.AsyncExitStack() as open_:
        calm, disturbed, counted, plan = await _opened(open_, size)
        await calm.warm_up(size)
        before = machine.resident(calm.watched["server"])
        await disturbed.turn(size)  # what the first ones make it allocate, it keeps for the next
        disturbed.samples.clear()
        await alternate([calm, disturbed], size)
        require_all(await counted(), [calm, disturbed])
    ours = Row(f"beside {size.stalled} who have stalled", disturbed.samples, deliveries, target=Target(0.95))
    pairs = zip(disturbed.samples, calm.samples, strict=True)
    ours.ratios = [(own.deliveries / own.seconds) / (other.deliveries / other.seconds) for own, other in pairs]
    made = Table(f"Stalled readers: deliveries to {size.beside:,} others")
    grown = [(each - disturbed.resident[0]) / 2**20 for each in disturbed.resident[1:]]
    made.rows = [
        ours,
        Row("undisturbed", calm.samples, deliveries),
        Figure("the last stalled one is dropped after", "s", disturbed.gone_after[1:]),
        Figure(
            "resident memory, beside that after the first stalled ones", "MiB more", grown,
            beside=f"{(disturbed.resident[0] - before) / 2**20:.1f} MiB more after the first than before",
        ),
    ]  # fmt: skip
    made.remarks = [
        f"{size.beside:,} listeners of one channel, {BODY:,}-byte bodies, {PACE[0]} messages on their way. In every other round "
        f"{size.stalled} more subscribe to it and read no more; a megabyte may lie unread in front of each. The round fails "
        "unless all of them are dropped.",
        "Ratio: the others' deliveries per second, beside the undisturbed round next to it.",
        f"{size.rounds} alternating rounds of {size.seconds:g} s; {plan}.",
    ]
    return made


async def _opened(
    open_: contextlib.AsyncExitStack, size: Size
) -> tuple[Contestant, Disturbed, Callable[[], Awaitable[int]], str]:
    """Both contestants, on one gateway with one load client; how many messages there are; and who is pinned where."""
    parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=0)))
    settings = await parts.settings("stalled")
    clinic = await open_.enter_async_context(founded(settings))
    async with filling(settings.database_url, clinic.organization_id) as bulk:
        people = await bulk.staff(size.beside)
        [channel] = await bulk.channels([people])
    script = Script("stalled")
    for number, person in enumerate(people):
        script.connection(clinic.token(person), [channel], [channel] if number == 0 else [], body(BODY))
    path = script.write(parts.folder / "beside")
    gateway = await open_.enter_async_context(parts.gateway(settings))
    command = load_command(parts.native, settings.port, path, parts.plan.threads, PACE[0])
    client = await open_.enter_async_context(running("load client", command, parts.plan.client))
    await ready(client)
    watched = {"server": gateway.pid, "Postgres": parts.postgres.child.pid}
    tokens = [clinic.token(person) for person in people[: size.stalled]]
    disturbed = Disturbed(client, watched, PACE, port=settings.port, channel=channel, tokens=tokens)
    return Contestant(client, watched, PACE), disturbed, clinic.messages, str(parts.plan)

"""Unread emails that are due all at once: a worker through a local mail relay, beside aiosmtplib in a bare loop."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

from benchmarks import machine, stack
from benchmarks.bulk import Bulk, filling
from benchmarks.clients import Client, Failed, ready, running
from benchmarks.clinic import founded
from benchmarks.rounds import Size
from benchmarks.table import Figure, Table, Target
from benchmarks.worker import worker
from server.dev.embedded import free_port
from server.ids import ChannelId, MessageId, NoticeId, PersonId

CONNECTIONS = 16
PATIENCE = 300
_MARKS = "organization_id channel_id planned_offset"
_NOTICES = "organization_id id medium cause channel_id membership_id person_id message_id log_offset status why due_at"


@dataclass
class Contestant:
    """Who is measured: how it takes its turn, its process, and what it did, round by round."""

    turn: Callable[[int], Awaitable[dict[str, Any]]]
    """Sends the emails of a round; what the relay tells of them."""
    pid: int
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    """Milliseconds of processor time for each."""
    relay: list[float] = field(default_factory=list)
    """Cores that the relay kept busy meanwhile."""

    async def go(self, number: int, relay_pid: int) -> None:
        """One round, which counts from the first email that came to the last. Round 0 warms up."""
        own, relay = machine.counting(self.pid), machine.counting(relay_pid)
        told = await self.turn(number)
        spent, theirs = own(), relay()
        seconds = told["last"] - told["first"]
        if number:
            self.rates.append((told["count"] - 1) / seconds)
            self.costs.append(spent / told["count"] * 1e3)
            self.relay.append(theirs / seconds)

    def beside(self, other: "Contestant", what: str) -> Figure:
        """The other's line, and how this one compares."""
        made = other.figure(what)
        ratios = [own / theirs for own, theirs in zip(self.rates, other.rates, strict=True)]
        compared = f"{median(ratios):.2f} [{min(ratios):.2f}–{max(ratios):.2f}]"
        return replace(made, beside=f"{made.beside}; the worker's ratio to it: {compared}")

    def figure(self, what: str, reference: "Contestant | None" = None) -> Figure:
        """Its line in the table."""
        beside = f"{median(self.costs):.2f} ms of processor time for each; the relay kept {median(self.relay):.2f} cores busy"
        if reference is None:
            return Figure(what, "emails/s", self.rates, beside=beside)
        ratios = [own / other for own, other in zip(self.rates, reference.rates, strict=True)]
        return Figure(what, "emails/s", self.rates, ratios, Target(0.8), beside)


async def run(size: Size) -> Table:
    """Measure it. Raises Failed."""
    each = max(1, size.mails // size.rounds)
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=1)))
        port = free_port()
        settings = (await parts.settings("mails")).model_copy(update=mailing(port))
        clinic = await open_.enter_async_context(founded(settings))
        bulk = await open_.enter_async_context(filling(settings.database_url, clinic.organization_id))
        owed = await unread(bulk, each * (size.rounds + 1))
        relay = await open_.enter_async_context(program("relay", "sink", parts.plan.client, port))
        loops = [
            await open_.enter_async_context(
                program(f"bare loop ({how})", "bare_mails", parts.plan.server, port, CONNECTIONS, how)
            )
            for how in ("library", "form")
        ]
        child = await open_.enter_async_context(worker(parts, settings))
        machine.pin(child.pid, parts.plan.server)
        ours = Contestant(lambda number: mailed(bulk, relay, owed[number * each : (number + 1) * each]), child.pid)
        bare = [Contestant(partial(sent, loop, relay, each), loop.process.pid) for loop in loops]
        for number in range(size.rounds + 1):
            for one in (ours, *bare) if number % 2 else (*bare, ours):
                await one.go(number, relay.process.pid)
    made = Table("Unread emails: all due at once, one worker")
    made.rows = [
        ours.figure(f"worker, {CONNECTIONS} connections", bare[0]),
        bare[0].figure(f"aiosmtplib in a bare loop, {CONNECTIONS} connections"),
        ours.beside(bare[1], "the same loop, with emails composed as the worker does"),
    ]
    made.remarks.append(
        f"{each * size.rounds:,} emails, one for each person, in {size.rounds} rounds of {each:,} that fall due at once; a "
        "round counts from the first email that comes in at the relay to the last. The worker claims, checks whether each is "
        "still wanted, composes, sends and notes what came of it; the bare loop composes the same emails with the standard "
        "library's EmailMessage and sends them. The worker composes a form once and fills it in, to the byte the same: the third "
        "line has that in a bare loop too: what lies between it and the first is the price of asking, claiming and noting. The "
        f"relay is aiosmtpd in a process of its own, unencrypted. {parts.plan}."
    )
    return made


def mailing(port: int) -> dict[str, Any]:
    """The settings of emails."""
    return {
        "smtp_url": f"smtp://127.0.0.1:{port}",
        "smtp_connections": CONNECTIONS,
        "mail_from": "notices@bench.invalid",
        "public_url": "https://chat.bench.invalid",
    }


async def unread(bulk: Bulk, count: int) -> list[tuple[Any, ...]]:
    """So many people with a message that they have not read: the rows of the ledger that are to be, due."""
    author, *people = await bulk.staff(count + 1)
    channels = await bulk.channels([(author, person) for person in people])
    places = await bulk.connection.fetch(
        "select channel_id, id, person_id from memberships where channel_id = any ($1)", channels
    )
    member = {(row["channel_id"], row["person_id"]): row["id"] for row in places}
    organization, at = bulk.organization_id, bulk.at
    messages = {channel: MessageId.new() for channel in channels}
    await bulk.copy(
        "messages",
        (
            (organization, channel, messages[channel], 2, member[channel, author], author, "one", at)
            for channel in channels
        ),
        "organization_id channel_id id log_offset author_id author_person_id client_id created_at",
    )
    await bulk.connection.execute("update channels set top_offset = 2 where id = any ($1)", channels)
    await bulk.copy("notice_marks", ((organization, channel, 2) for channel in channels), _MARKS)
    return [
        _owed(organization, channel, member[channel, person], person, messages[channel])
        for channel, person in zip(channels, people, strict=True)
    ]


def _owed(
    organization: str, channel: ChannelId, membership: str, person: PersonId, message: MessageId
) -> tuple[Any, ...]:
    return (organization, NoticeId.new(), "email", "new", channel, membership, person, message, 2, "due", "waiting")


async def mailed(bulk: Bulk, relay: Client, owed: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """The worker's turn: these fall due now; what the relay tells when all have come."""
    now = datetime.now(UTC)
    await bulk.copy("notices", ((*each, now) for each in owed), _NOTICES)
    async with asyncio.timeout(PATIENCE):
        while await bulk.connection.fetchval("select count(*) from notices where status = 'due' and medium = 'email'"):
            await asyncio.sleep(0.05)
    return await _came(relay, len(owed))


async def sent(bare: Client, relay: Client, count: int, _number: int) -> dict[str, Any]:
    """The bare loop's turn."""
    await _say(bare, str(count))
    if await bare.line(PATIENCE) != "done\n":
        raise Failed("the bare loop did not send its emails")
    return await _came(relay, count)


async def _came(relay: Client, count: int) -> dict[str, Any]:
    await _say(relay, "")
    told: dict[str, Any] = json.loads(await relay.line(10))
    if (told["count"], told["people"]) != (count, count):
        raise Failed(
            f"{told['count']} emails came to {told['people']} people, and {count} were to be sent, one for each"
        )
    return told


async def _say(client: Client, text: str) -> None:
    assert client.process.stdin is not None
    client.process.stdin.write(text.encode() + b"\n")
    await client.process.stdin.drain()


@contextlib.asynccontextmanager
async def program(name: str, module: str, cores: machine.Cores, *words: object) -> AsyncIterator[Client]:
    """One of the two programs beside this one, ready."""
    async with running(name, [sys.executable, "-m", f"benchmarks.{module}", *map(str, words)], cores) as client:
        await ready(client)
        yield client

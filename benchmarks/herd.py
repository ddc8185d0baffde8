"""A gateway dies with ten thousand clients on it: how long until all are back on the others, and have what was said meanwhile."""

import asyncio
import contextlib
import json
import re
import signal
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from benchmarks import machine, stack
from benchmarks.bulk import filling
from benchmarks.clients import Client, Failed, load_command, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.flock import PATIENCE_SECONDS
from benchmarks.rounds import Size
from benchmarks.script import Script, body
from benchmarks.stack import Stack
from benchmarks.table import Figure, Table, Target
from server.config import Settings
from server.dev.embedded import free_port
from server.ids import ChannelId, PersonId

WRITERS = 20
WRITING_SECONDS = 0.5
AFTERWARDS_SECONDS = 1.5
"""Postgres tells its figures a second late."""
BODY = 150
WITHIN = 15
"""Seconds, by issue 4."""


@dataclass
class Herd:
    """Who listens where, and who writes."""

    people: Sequence[PersonId]
    own: Sequence[Sequence[ChannelId]]
    writers: Sequence[PersonId]
    written: Sequence[Sequence[ChannelId]]


@dataclass
class Return:
    """How one herd came back."""

    told: dict[str, Any]
    messages: int
    statements: int
    reads: float
    busy: Sequence[float]
    """Of each gateway that took them: processor seconds."""


async def run(size: Size) -> Table:
    """Measure it with two gateways left, and with one. Raises Failed."""
    made = Table(f"A gateway dies: {size.herd:,} clients with {size.herd_channels} channels each")
    for left in (2, 1):
        async with contextlib.AsyncExitStack() as open_:
            parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=0, gateways=2)))
            settings = (await parts.settings("herd")).model_copy(update=_defaults())
            clinic = await open_.enter_async_context(founded(settings))
            herd = await furnished(clinic, settings, size)
            back = await died(open_, parts, settings, clinic, herd, left, size)
        made.rows += rows(left, back, size)
        pinned = str(parts.plan)
    made.remarks = remarks(size, pinned)
    return made


def _defaults() -> dict[str, int]:
    """The product's own limits: here it is they who keep the herd in order. Each client has an address of its own."""
    names = ("connects_waiting", "unauthenticated", "unauthenticated_per_address")
    return {name: Settings.model_fields[name].default for name in names} | {"max_sockets": 18_000}


async def furnished(clinic: Clinic, settings: Settings, size: Size) -> Herd:
    """People in a few channels each, and writers who are in all of these."""
    async with filling(settings.database_url, clinic.organization_id) as bulk:
        people, writers = await bulk.staff(size.herd), await bulk.staff(min(WRITERS, size.herd))
        count = size.herd * size.herd_channels // size.members
        members: list[list[PersonId]] = [[] for _ in range(count)]
        for number, person in enumerate(people):
            for place in range(size.herd_channels):
                members[(number + place * (count // size.herd_channels)) % count].append(person)
        channels = await bulk.channels([[*some, writers[at % len(writers)]] for at, some in enumerate(members)])
    own: dict[PersonId, list[ChannelId]] = {person: [] for person in people}
    for channel, some in zip(channels, members, strict=True):
        for person in some:
            own[person].append(channel)
    return Herd(people, list(own.values()), writers, [channels[at :: len(writers)] for at in range(len(writers))])


async def died(
    open_: contextlib.AsyncExitStack,
    parts: Stack,
    settings: Settings,
    clinic: Clinic,
    herd: Herd,
    left: int,
    size: Size,
) -> Return:
    """Kill the gateway that all are on, have things said meanwhile, and wait until everybody has them. Raises Failed."""
    first = await open_.enter_async_context(parts.gateway(settings))
    others = [settings.model_copy(update={"port": free_port(), "metrics_port": free_port()}) for _ in range(left)]
    places = (parts.plan.server, parts.plan.second)
    rest = [
        await open_.enter_async_context(parts.gateway(each, cores)) for each, cores in zip(others, places, strict=False)
    ]
    flock = await flocked(open_, parts, clinic, herd, settings.port, [each.port for each in others])
    writers = await writing(open_, parts, clinic, herd, others[0].port)
    statements, reads = await _statements(settings), sum(map(_reads, others))
    taken = [machine.counting(each.pid) for each in rest]
    first.signal(signal.SIGKILL)
    wrote = await writers.go(WRITING_SECONDS, {})
    expected = wrote.done * size.members
    told = await flock.ask(f"wait {expected}", 150)
    busy = [seconds() for seconds in taken]
    _require(told, expected, size)
    await asyncio.sleep(AFTERWARDS_SECONDS)
    return Return(told, wrote.done, await _statements(settings) - statements, sum(map(_reads, others)) - reads, busy)


async def flocked(
    open_: contextlib.AsyncExitStack, parts: Stack, clinic: Clinic, herd: Herd, first: int, then: Sequence[int]
) -> Client:
    """All clients, subscribed to their channels on the first gateway."""
    clients = [
        {"token": clinic.token(person), "channels": channels}
        for person, channels in zip(herd.people, herd.own, strict=True)
    ]
    path = parts.folder / "flock"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"first": first, "then": then, "clients": clients}))
    command = [sys.executable, "-m", "benchmarks.flock", path]
    flock = await open_.enter_async_context(running("clients", command, parts.plan.client))
    await ready(flock)
    return flock


async def writing(open_: contextlib.AsyncExitStack, parts: Stack, clinic: Clinic, herd: Herd, port: int) -> Client:
    """Those who write, on a gateway that lives on."""
    script = Script("herd")
    for person, channels in zip(herd.writers, herd.written, strict=True):
        script.connection(clinic.token(person), channels, channels, body(BODY))
    path = script.write(parts.folder / "writers")
    command = load_command(parts.native, port, path, 1, 0)
    writers = await open_.enter_async_context(running("load client", command, parts.plan.rest))
    await ready(writers)
    return writers


def _require(told: dict[str, Any], expected: int, size: Size) -> None:
    """Raises Failed unless all have lost their gateway, and those who are back have recovered, once and in order; all of them
    everything. That some are not back in time is a figure that was missed, and said."""
    whole = {"lost": size.herd, "unrecovered": 0, "holes": 0}
    if told["back"] == size.herd:
        whole |= {"publications": expected}
        if not told["given_up"]:  # who gives up in the middle recovers once more
            whole |= {"recovered": size.herd * size.herd_channels}
    if any(told[name] != number for name, number in whole.items()):
        raise Failed(f"the clients tell of {json.dumps(told)}, and it should be {json.dumps(whole)}")


async def _statements(settings: Settings) -> int:
    """Transactions of the database so far: the gateways' statements, but for the few that share one."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        found = await connection.fetchval(
            "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
        )
    finally:
        await connection.close()
    return int(found)


def _reads(settings: Settings) -> float:
    """How often this gateway has read the log."""
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=10) as answer:
        found = re.search(r"^warmline_log_reads_total (\S+)$", answer.read().decode(), re.MULTILINE)
    if found is None:
        raise Failed("the gateway does not count its reads of the log")
    return float(found[1])


def rows(left: int, back: Return, size: Size) -> list[Figure]:
    """The figures of one return."""
    told = back.told
    missing = size.herd - told["back"]
    last = told["last"] if not missing else PATIENCE_SECONDS
    late = f"{missing:,} were not back by then; " if missing else ""
    busy = ", ".join(f"{seconds / last:.2f}" for seconds in back.busy)
    return [
        Figure(
            f"{left} left: until the last is back and recovered", "s", [last], target=Target(WITHIN, True, False),
            beside=f"{late}p50 / p99 {told['p50']:.1f} / {told['p99']:.1f} s; {told['refused']:,} attempts refused, "
            f"{told['given_up']:,} given up; answered within {told['answered']:.2f} s of the upgrade (99 %); gateways "
            f"busy {busy} of a core meanwhile",
        ),
        Figure(
            f"{left} left: statements of the database for each client", "", [back.statements / size.herd],
            beside=f"{back.reads:,.0f} of them read what {size.herd * size.herd_channels:,} subscriptions had missed: "
            f"{size.herd / max(1, back.reads):.0f} clients in one; {back.messages:,} messages were written meanwhile, and "
            f"{told['publications']:,} reached the clients, each once and in order",
        ),
    ]  # fmt: skip


def remarks(size: Size, pinned: str) -> list[str]:
    """What was measured, and how."""
    return [
        f"All {size.herd:,} clients, each another person in {size.herd_channels} channels of {size.members}, are on one gateway, "
        "which is killed (SIGKILL). Each client waits as SDKs do (half a second and up to as much again, twice as much each time "
        "it is refused, and gives up what is not answered five seconds after its upgrade), connects to one that is left, and "
        "subscribes from where it was. The limits on connects are the product's own; every client has an address of its own.",
        "Counted from the first lost connection. It fails unless every subscription of those who are back recovers and they have "
        "every message once and in order; who is not back after two minutes is counted. Statements: transactions that the "
        "database counts, of everything that goes on.",
        f"Once each; {pinned}, and the gateway that dies beside the server.",
    ]

"""Pushes with the whole path on: one message to everybody away, beside pywebpush in a bare loop; and how soon.

One worker process, as `warmline work` starts it: planned from the log, decided, claimed, decided again, encrypted, signed, handed
over to an HTTPS service on loopback, and written down for each device.
"""

import contextlib
import json
import os
import sys
import time
from asyncio import create_task, gather, sleep
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks import machine, stack
from benchmarks.clients import Client, Failed, ready, running
from benchmarks.clinic import Clinic, founded
from benchmarks.rounds import Size
from benchmarks.stack import Stack
from benchmarks.table import Figure, Table, Target
from benchmarks.worker import worker
from server.chat.batcher import Batcher
from server.config import Settings
from server.dev.embedded import free_port
from server.ids import ChannelId, DeviceId, PersonId, random_bytes
from server.notices import vapid
from server.notices.pushing import AT_ONCE
from server.people.actors import Identity
from tests.support.push_endpoint import certify

RATE = 100
"""Messages a second where it is measured how soon."""
PATIENCE_SECONDS = 60


@dataclass
class Away:
    """Everybody who is away, where they are reached, and what brings it about."""

    clinic: Clinic
    batcher: Batcher
    service: Client
    clinician: PersonId
    patients: Sequence[PersonId]
    paths: Sequence[str]
    """Of each patient's one device, at the push service."""

    async def say(self, channel: ChannelId) -> float:
        """The clinician writes something; the moment before it was sent, so that its commit counts."""
        began = time.monotonic()
        identity = Identity(self.clinic.organization_id, self.clinician)
        await self.batcher.send(identity, channel, f"b{random_bytes(8).hex()}", "x" * 300, None)
        return began

    async def arrived(self, count: int) -> dict[str, float]:
        """When each push arrived, once so many have. Raises Failed."""
        assert self.service.process.stdin is not None
        self.service.process.stdin.write(f"wait {count} {PATIENCE_SECONDS}\n".encode())
        found: dict[str, float] = json.loads(await self.service.line(PATIENCE_SECONDS + 10))
        if len(found) != count:
            raise Failed(f"{len(found)} pushes arrived, not {count}")
        return found


async def run(size: Size) -> Table:
    """Measure it. Raises Failed."""
    made = Table("Pushes to who is away, one worker")
    async with contextlib.AsyncExitStack() as open_:
        parts = await open_.enter_async_context(stack.running(machine.plan(for_postgres=2)))
        away, settings = await open_.enter_async_context(everybody(parts, size))
        bare = await open_.enter_async_context(reference(parts, away, settings))
        working = await open_.enter_async_context(worker(parts, settings))
        machine.pin(working.pid, parts.plan.server)
        [crowd] = await away.clinic.channels([[away.clinician, *away.patients]])
        own = await away.clinic.channels([[away.clinician, patient] for patient in away.patients])
        await no_jobs(away)
        await burst(away, crowd)
        await loop(bare, away)
        ours, theirs = [], []
        for number in range(size.rounds):
            for turn in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
                await sleep(0.3)
                if turn == "ours":
                    ours.append(await burst(away, crowd))
                else:
                    theirs.append(await loop(bare, away))
        soon = [await trickle(away, own, size) for _ in range(size.rounds)]
        await require_written(away, size.rounds + 1, len(soon[0]) * len(soon))
    made.rows += rows(ours, theirs, soon, size)
    made.remarks += remarks(parts, size)
    return made


@contextlib.asynccontextmanager
async def everybody(parts: Stack, size: Size) -> AsyncIterator[tuple[Away, Settings]]:
    """A clinic of one clinician and so many patients, each with a device at a push service of ours."""
    certificate, key = certify(parts.folder)
    vapid.make(parts.folder / "vapid.pem")
    origin = f"https://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "benchmarks.push_service", str(port), certificate, key]
    told = {"vapid_key_file": parts.folder / "vapid.pem", "vapid_subject": "mailto:bench@bench.invalid"}
    settings = (await parts.settings("pushes")).model_copy(update=told | {"push_local": (origin,)})
    async with contextlib.AsyncExitStack() as open_:
        # For the worker and for the reference, which find it in their environment.
        open_.enter_context(mock.patch.dict(os.environ, SSL_CERT_FILE=str(certificate)))
        clinic = await open_.enter_async_context(founded(settings))
        service = await open_.enter_async_context(running("push service", command, parts.plan.client))
        await ready(service)
        [clinician] = await clinic.staff(1)
        patients = await clinic.patients(size.listeners, clinician)
        paths = [f"/push/{number}" for number in range(len(patients))]
        lines = [await registered(clinic, person, origin + path) for person, path in zip(patients, paths, strict=True)]
        (parts.folder / "devices").write_text("\n".join(map(json.dumps, lines)))
        batcher = Batcher(clinic.database, lambda _topic, _payload: None)
        await batcher.start()
        yield Away(clinic, batcher, service, clinician, patients, paths), settings
        await batcher.stop()


async def registered(clinic: Clinic, person: PersonId, endpoint: str) -> dict[str, object]:
    """Register a device of somebody; the registration as pywebpush takes it."""
    point = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    auth = random_bytes(16)
    await clinic.database.fetch(
        "insert into devices (organization_id, id, person_id, endpoint, p256dh, auth) values ($1, $2, $3, $4, $5, $6)",
        *(clinic.organization_id, DeviceId.new(), person, endpoint, point, auth),
    )
    keys = {name: urlsafe_b64encode(part).rstrip(b"=").decode() for name, part in (("p256dh", point), ("auth", auth))}
    return {"endpoint": endpoint, "keys": keys}


async def no_jobs(away: Away) -> None:
    """Wait until the worker has done what new patients give it to do. Raises Failed."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (await away.clinic.database.fetch("select count(*) from jobs.pgqueuer"))[0][0]:
        if time.monotonic() > until:
            raise Failed("the worker has not done its jobs")
        await sleep(0.1)


@contextlib.asynccontextmanager
async def reference(parts: Stack, away: Away, settings: Settings) -> AsyncIterator[Client]:
    """pywebpush alone, as many at a time as the worker has on their way to one host."""
    words = [parts.folder / "devices", settings.vapid_key_file or Path(), str(AT_ONCE)]
    command = [sys.executable, "-m", "benchmarks.bare_push", *words]
    async with running("pywebpush", command, parts.plan.server) as client:
        await ready(client)
        yield client


async def burst(away: Away, crowd: ChannelId) -> tuple[float, float]:
    """One message to everybody; pushes per second from the first that arrived to the last, and the seconds from before it
    was sent until the last."""
    began = await away.say(crowd)
    arrived = (await away.arrived(len(away.patients))).values()
    return (len(arrived) - 1) / (max(arrived) - min(arrived)), max(arrived) - began


async def loop(bare: Client, away: Away) -> float:
    """The reference's turn; pushes per second."""
    assert bare.process.stdin is not None
    bare.process.stdin.write(b"go\n")
    told = json.loads(await bare.line(PATIENCE_SECONDS))
    await away.arrived(len(away.patients))
    return float(told["done"] / told["seconds"])


async def trickle(away: Away, own: Sequence[ChannelId], size: Size) -> list[float]:
    """A hundred messages a second, each to somebody else; the seconds from before each was sent until its push arrived."""
    count = min(len(own), max(1, int(RATE * size.seconds)))
    began, sent = time.monotonic(), []
    for number in range(count):
        sent.append(create_task(away.say(own[number])))
        await sleep(max(0.0, began + (number + 1) / RATE - time.monotonic()))
    moments = await gather(*sent)
    arrived = await away.arrived(count)
    return sorted(arrived[path] - moment for path, moment in zip(away.paths, moments, strict=False))


async def require_written(away: Away, bursts: int, trickled: int) -> None:
    """Raises Failed unless every push that arrived is written down, and none twice."""
    expected, until = bursts * len(away.patients) + trickled, time.monotonic() + 10
    asked = (
        "select count(*) as pushes, coalesce(sum(attempts), 0) as attempts from notice_deliveries where status = 'sent'"
    )
    while (found := (await away.clinic.database.fetch(asked))[0])["pushes"] != expected:
        if time.monotonic() > until:
            raise Failed(f"{found['pushes']} deliveries are written down, not {expected}")
        await sleep(0.1)
    if found["attempts"] != expected:
        raise Failed(f"{expected} pushes took {found['attempts']} attempts")


def rows(
    bursts: Sequence[tuple[float, float]], theirs: Sequence[float], soon: Sequence[Sequence[float]], size: Size
) -> list[Figure]:
    """The figures."""
    ours, whole = zip(*bursts, strict=True)
    ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
    middle, late = ([each[int(len(each) * part)] * 1e3 for each in soon] for part in (0.5, 0.99))
    longest = max(each[-1] for each in soon) * 1e3
    return [
        Figure(f"one message to {size.listeners:,} away patients", "pushes/s", ours, ratios, Target(0.8)),
        Figure("pywebpush in a bare loop", "pushes/s", theirs),
        Figure(f"send → the last of {size.listeners:,} handed over", "s", whole, beside="planning included"),
        Figure(
            f"send → push handed over, {RATE} messages/s, p99", "ms", late, target=Target(1000, most=True, ratio=False),
            beside=f"p50 {sorted(middle)[len(middle) // 2]:.0f} ms, longest {longest:.0f} ms",
        ),
    ]  # fmt: skip


def remarks(parts: Stack, size: Size) -> list[str]:
    """What was measured, and how."""
    return [
        f"One worker process, planning included; {size.listeners:,} patients of one channel with a device each, at one HTTPS "
        "service on loopback. Pushes per second: from the first at the service to the last. In the end the ledger must have each "
        "once.",
        f"pywebpush: `webpush_async` over one shared session, {AT_ONCE} at a time, under uvloop as the worker, on the same core; "
        "nothing checked or written.",
        f"{size.rounds} alternating rounds; {parts.plan}; the push service and this harness as the load client.",
    ]

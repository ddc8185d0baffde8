"""The reference "C send()" and its load client, as a contestant."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.clients import load_command, ready, running
from benchmarks.rounds import Contestant
from benchmarks.script import reference_frame, reference_script
from benchmarks.stack import Stack


@contextlib.asynccontextmanager
async def reference(parts: Stack, frame: int, rooms: int, members: int) -> AsyncIterator[Contestant]:
    """So many rooms of so many connections, frames of so many bytes, and the load client that the gateway has too."""
    assert parts.native is not None
    path = reference_script(parts.folder / f"reference-{rooms}", rooms, members)
    made = reference_frame(parts.folder / f"frame-{rooms}", frame)
    command: list[str | Path] = [parts.native["reference"], made, str(rooms * members), str(rooms)]
    async with running("reference", command, parts.plan.server) as server:
        port = int((await server.line(10)).split()[1])
        load = [*load_command(parts.native, port, path, parts.plan.threads, 1), "raw"]
        async with running("load client of the reference", load, parts.plan.client) as client:
            await ready(client)
            yield Contestant(client, {"server": server.process.pid})

"""`warmline dev`: starts the embedded servers, one gateway and one worker, keeps them up, and stops them in order."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from server.dev import address, database, welcome
from server.dev.child import Child
from server.dev.datafolder import CHECKOUT, DataFolder
from server.dev.embedded import EmbeddedServer, Postgres, Redis
from server.dev.keeping import GaveUp, keep
from server.dev.progress import say, step
from server.errors import Misconfigured

Server = TypeVar("Server", bound=EmbeddedServer)
STOPPING = 20.0  # seconds; a gateway first sends its connections elsewhere, a worker first ends its job


def run() -> int:
    """Run until Ctrl-C or SIGTERM; the exit status: 0 stopped, 1 a part could not be kept up, 2 wrong settings."""
    status = 0
    try:
        asyncio.run(until_told())
    except* (GaveUp, Misconfigured) as told:
        print(*told.exceptions, sep="\n", file=sys.stderr)
        status = 2 if told.subgroup(Misconfigured) else 1
    return status


async def until_told() -> None:
    """Supervise until a signal comes, then let everything end in order; a second signal does not disturb that."""
    loop, work = asyncio.get_running_loop(), asyncio.create_task(supervise())
    told = asyncio.Event()

    def end() -> None:
        if not told.is_set():
            told.set()
            work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup, a closed terminal stays ignored. (A shell script's `&` ignores SIGINT: that we do hear.)
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)
    try:
        await work
    except asyncio.CancelledError:
        say("Stopped. The data is kept for the next run.")


async def supervise() -> None:
    """Start everything in order and keep it up; what was started is stopped in the opposite order."""
    began = time.monotonic()
    folder = DataFolder.here()
    # Leaving the group ends the keeping; only then does leaving the stack stop what was kept.
    with folder.held():
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as keeping:
            host, port = await address.chosen()
            os.environ.setdefault(
                "WARMLINE_LOG_LEVEL", "WARNING"
            )  # this terminal is for people: where to click stays in sight
            os.environ.update(folder.key_settings() | {"HOST": host, "PORT": str(port)})  # the children read it there
            os.environ.update(folder.mail_settings(f"http://{host}:{port}"))
            parts = Parts(stack, keeping)
            await start_servers(folder, parts)
            for name, module in (("worker", "workers"), ("gateway", "server")):
                parts.start_process(Child(name, [sys.executable, "-m", module], cwd=CHECKOUT))
            await welcome.show(f"http://{host}:{port}", os.environ["DATABASE_URL"], began, folder)
            parts.settled.set()


async def start_servers(folder: DataFolder, parts: "Parts") -> None:
    """Start Postgres and Redis, unless the environment names others, and see to the database."""
    room, postgres = folder.servers(), None
    if not os.environ.get("DATABASE_URL"):
        postgres = await parts.start_server(Postgres(room / "postgres"))
        os.environ["DATABASE_URL"] = postgres.url(database.NAME)
    if not os.environ.get("REDIS_URL"):
        redis = await parts.start_server(Redis(room / "redis"))
        os.environ["REDIS_URL"] = redis.url()
    async with step("Preparing the database"):
        await database.prepare(os.environ["DATABASE_URL"], postgres)
    folder.publish_settings()


class Parts:
    """What has been started: each is kept up while `keeping` lasts, and stopped when `stack` unwinds."""

    def __init__(self, stack: AsyncExitStack, keeping: asyncio.TaskGroup) -> None:
        self.stack, self.keeping = stack, keeping
        self.settled = asyncio.Event()

    async def start_server(self, server: Server) -> Server:
        """Start an embedded server."""
        self.stack.push_async_callback(stop, server.name, server.stop)
        async with step(f"Starting {server.name}"):
            await server.start()
        self.keeping.create_task(keep(server.child, server.start, self.settled))
        return server

    def start_process(self, child: Child) -> None:
        """Start a process of ours."""

        async def start() -> None:
            child.start()

        child.start()
        self.stack.push_async_callback(stop, child.name, lambda: child.stop(within=STOPPING))
        self.keeping.create_task(keep(child, start, self.settled))


async def stop(name: str, stopping: Callable[[], Awaitable[object]]) -> None:
    """Stop one part, showing it if that takes long."""
    async with step(f"Stopping the {name}"):
        await stopping()

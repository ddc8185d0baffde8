"""`python -m workers` (`warmline work`): one worker, until SIGTERM or SIGINT."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable

import uvloop

from server import config, jobs, logs, metrics, schema
from server.bus import Bus
from server.config import Settings
from server.crypto import MasterKey
from server.db import Database
from server.errors import Misconfigured
from server.inspection import open_to_operators
from server.notices.pushing import Pusher
from server.notices.viewing import Viewing
from server.readiness import Readiness
from server.sealing.sealer import Sealer
from server.watchdog import watching
from workers import integrity, notices, push, sealing, superseding, unattended
from workers.email import Mailer
from workers.handlers import GIVEN_UP, HANDLERS
from workers.jobs import Worker
from workers.notices import Planner
from workers.push import PushWorker
from workers.runner import Sweep, run

COLLECTIONS = (20_000, 20, 50)
"""When Python looks for circles of garbage (gc.set_threshold): as in a gateway. It was a twentieth of what a push takes."""


def on_signal(stop: Callable[[], object]) -> None:
    """What SIGTERM and SIGINT do from here on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def _allowed(settings: Settings) -> None:
    await schema.check(settings.database_url, schema.START_PATIENCE)
    await schema.require_role(settings.database_url, "warmline_sealer")


async def work(settings: Settings) -> None:
    """Run the sweeps and do the jobs until a signal comes; what is in progress is finished.

    Raises:
        Misconfigured: the database does not allow it. CancelledError: the signal came while it was waited for.
    """
    stopped = asyncio.Event()
    logs.watch_loop(asyncio.get_running_loop())
    starting = asyncio.ensure_future(_allowed(settings))
    on_signal(starting.cancel)
    await starting
    on_signal(stopped.set)
    sealer, pusher = sealing.sealer(settings), push.pusher(settings)
    bus = Bus(settings.redis_url)
    database = Database(settings.database_url, MasterKey.of(settings), bus.publish, settings.pool_size)
    viewing, due = Viewing(settings.redis_url), asyncio.Event()
    mailer = Mailer.of(database, settings)
    metrics.begin_work(HANDLERS, integrity.PROMISES)
    await database.start()
    await bus.start()
    try:
        sweeps = _sweeps(database, sealer, pusher)
        async with open_to_operators(settings, Readiness(database)), watching(), asyncio.TaskGroup() as tasks:
            tasks.create_task(run(database, sweeps, stopped))
            tasks.create_task(Worker(database, HANDLERS, GIVEN_UP).run(stopped))
            tasks.create_task(Planner(database, due).run(stopped))
            if pusher is not None:
                tasks.create_task(PushWorker(database, pusher, viewing, due).run(stopped))
                tasks.create_task(superseding.run(database, pusher, stopped))
            tasks.create_task(mailer.run(stopped))
        await sealing.finish(database, sealer)
    finally:
        if pusher is not None:
            await pusher.stop()
        await viewing.close()
        await bus.stop()
        await database.stop()


def _sweeps(database: Database, sealer: Sealer, pusher: Pusher | None) -> list[Sweep]:
    return [
        Sweep("integrity", integrity.EVERY_SECONDS, integrity.sweep),
        Sweep("job log", 3600, jobs.purge),
        Sweep("unattended", unattended.EVERY_SECONDS, lambda _tx: unattended.sweep(database)),
        *notices.sweeps(),
        *sealing.sweeps(sealer),
        *([] if pusher else [Sweep("no pushes", push.NONE_GO_SECONDS, push.none_go)]),
    ]


def main() -> int:
    """Run a worker; 2 when the settings or the database do not allow it."""
    try:
        settings = config.load()
        logs.configure(readable=settings.readable_logs, level=settings.log_level)
        gc.set_threshold(*COLLECTIONS)
        gc.freeze()  # the program itself is no garbage
        uvloop.run(work(settings))
    except Misconfigured as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        pass  # it was stopped before it had begun
    return 0


if __name__ == "__main__":
    sys.exit(main())

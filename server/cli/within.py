"""What commands work within: the settings, and the database that these name."""

import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from server.errors import Misconfigured, WarmlineError

if TYPE_CHECKING:
    from server.config import Settings
    from server.db import Transaction

Result = TypeVar("Result")

SETTINGS = "the settings in the environment (DATABASE_URL, REDIS_URL, WARMLINE_…: see server/config.py)"
BESIDE_DEV = "Beside a running `warmline dev`, and without DATABASE_URL, it takes that one's settings."


def database_url() -> str:
    """DATABASE_URL; where it is not set, the settings of a running `warmline dev` are taken over."""
    take_over_dev()
    if url := os.environ.get("DATABASE_URL"):
        return url
    raise Misconfigured(
        "DATABASE_URL: not set, and no `warmline dev` runs here. It takes postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def settings() -> "Settings":
    """All settings; those of a running `warmline dev` as `database_url` takes them over. Raises Misconfigured."""
    from server import config

    take_over_dev()
    return config.load()


def take_over_dev() -> None:
    """Where DATABASE_URL is not set and a `warmline dev` runs with this folder, act with its settings."""
    if not os.environ.get("DATABASE_URL"):
        from server.dev.datafolder import DataFolder

        os.environ.update(DataFolder.here().running_settings())


def with_database(work: Coroutine[Any, Any, Result]) -> Result:
    """Run something that needs the database. Raises Misconfigured when that cannot be used."""
    import asyncio

    from server.dev.database import explained

    with explained():
        return asyncio.run(work)


def in_transaction(work: "Callable[[Transaction], Awaitable[Result]]", dry_run: bool = False) -> Result:
    """Do something in one transaction, announced like any other; a dry run is rolled back, whatever it did.

    Raises:
        Misconfigured: the settings or the database do not allow it; and whatever the work raises.
    """

    class Dry(WarmlineError):
        pass

    async def run() -> Result:
        from server.bus import Bus
        from server.crypto import MasterKey
        from server.db import Database

        bus = Bus(settings().redis_url)
        database = Database(database_url(), MasterKey.of(settings()), bus.publish)
        found: list[Result] = []
        await database.start()
        await bus.start()
        try:
            async with database.transaction() as tx:
                found.append(await work(tx))
                if dry_run:
                    raise Dry("rolled back")
        except Dry:
            pass
        finally:
            await bus.stop()
            await database.stop()
        return found[0]

    return with_database(run())

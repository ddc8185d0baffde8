"""Who starts while the database is away waits for it; what will never do is refused at once."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server import schema
from server.dev.embedded import Postgres, free_port
from server.errors import Away, Misconfigured
from tests.support.site import Gateway, Site


def begin_work(env: dict[str, str], said: Path) -> subprocess.Popen[bytes]:
    """A worker; what it says goes into this file."""
    with said.open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "workers"], env=env, stdout=log, stderr=log)


async def says(log: Path, words: str) -> None:
    """Wait until a process has said something."""
    async with asyncio.timeout(30):
        while words not in log.read_text():
            await asyncio.sleep(0.05)


@pytest.mark.catalogue("R10")
async def test_gateway_and_worker_wait_for_a_database_that_is_away(
    own_postgres: Postgres, own_database_url: str, site: Site, tmp_path: Path
) -> None:
    await own_postgres.kill()
    env = os.environ | site.environment | {"DATABASE_URL": own_database_url}
    gateway = Gateway(env, free_port(), tmp_path / "gateway.log")
    work = tmp_path / "worker.log"
    worker = begin_work(env, work)
    try:
        for log_of in (gateway.log, work):
            await says(log_of, "waiting up to 60 s for it: DATABASE_URL: the database cannot be used")
        await own_postgres.start()
        await gateway.healthy()
        await asyncio.sleep(1)
        assert worker.poll() is None, work.read_text()
    finally:
        worker.terminate()
        assert await gateway.stop() == 0
    assert await asyncio.to_thread(worker.wait, 30) == 0, work.read_text()


async def test_it_is_not_waited_for_without_end(own_postgres: Postgres, own_database_url: str) -> None:
    await own_postgres.kill()
    since = time.monotonic()
    with pytest.raises(Away, match="DATABASE_URL"):
        await schema.check(own_database_url, 1.0)
    assert time.monotonic() - since >= 1.0


async def test_what_waiting_cannot_mend_is_refused_at_once(own_postgres: Postgres, own_database_url: str) -> None:
    for wrong in (
        own_postgres.url("no_such_database"),
        own_database_url.replace(own_postgres.password, "guess"),
        "nonsense",
    ):
        with pytest.raises(Misconfigured, match="DATABASE_URL") as refused:
            await schema.check(wrong, 3600.0)
        assert not isinstance(refused.value, Away)


async def test_a_worker_is_stopped_while_it_waits(
    own_postgres: Postgres, own_database_url: str, site: Site, tmp_path: Path
) -> None:
    await own_postgres.kill()
    work = tmp_path / "worker.log"
    worker = begin_work(os.environ | site.environment | {"DATABASE_URL": own_database_url}, work)
    try:
        await says(work, "waiting up to 60 s for it")
    finally:
        worker.terminate()
    assert await asyncio.to_thread(worker.wait, 10) == 0
    assert "Traceback" not in work.read_text()

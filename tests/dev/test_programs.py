"""The embedded programs are found, copied where their user cannot reach them, and missed in clear words."""

from pathlib import Path

import asyncpg
import pytest

from server.dev import programs
from server.dev.embedded import Postgres, Redis
from server.errors import Misconfigured


async def test_servers_run_from_a_copy_where_the_environment_is_closed_to_them(
    roomy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "reachable", lambda _path: False)
    monkeypatch.setattr(programs.shutil, "which", lambda _name: None)
    for kind in (Postgres, Redis):
        server = kind(roomy_path / kind.name)
        assert str(server.child.command[0]).startswith(str(roomy_path))
        await server.start()
        await server.stop()


async def test_a_second_start_does_nothing(own_postgres: Postgres) -> None:
    pid = own_postgres.child.pid
    await own_postgres.start()
    assert own_postgres.child.pid == pid
    connection = await asyncpg.connect(own_postgres.url())
    await connection.close()


def test_a_machine_without_them_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "EMBEDDED", tmp_path)
    monkeypatch.setattr(programs.shutil, "which", lambda _name: None)
    with pytest.raises(Misconfigured, match="set DATABASE_URL"):
        programs.postgres_bin(tmp_path)
    with pytest.raises(Misconfigured, match="set REDIS_URL"):
        programs.redis_program(tmp_path)


async def test_a_server_that_cannot_start_says_why(roomy_path: Path) -> None:
    server = Redis(roomy_path / "redis")
    (roomy_path / "redis" / "redis.conf").write_text("no such word\n")
    with pytest.raises(Misconfigured, match="no such word"):
        await server.start()

"""The start matrix: on a database that may lose what it acknowledged, or with what is for development, nothing starts."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from server.dev.embedded import Postgres
from server.sealing.keys import make
from tests.support.cluster import Databases, running
from tests.support.commands import warmline
from tests.support.issuer import Issuer

COMMANDS = ("serve", "work")


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, issuer: Issuer) -> dict[str, str]:
    """Settings of production that are right in themselves; PATH and the like come with the command."""
    master = tmp_path / "master.key"
    master.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    return {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": redis_url,
        "PORT": "0",
        "WARMLINE_MASTER_KEY_FILE": str(master),
        "WARMLINE_TOKEN_ISSUER": "issuer-of-the-tests",
        "WARMLINE_TOKEN_KEYS_FILE": str(issuer.folder / "issuer.jwks"),
    }


async def refused(settings: dict[str, str], says: str) -> None:
    """Neither process starts: each ends with 2, and its last words name what is wrong and nothing secret."""
    ends = await asyncio.gather(*(asyncio.to_thread(warmline, command, **settings) for command in COMMANDS))
    for command, end in zip(COMMANDS, ends, strict=True):
        assert end.returncode == 2, (command, end.stderr)
        assert says in end.stderr, (command, end.stderr)
        assert "Traceback" not in end.stderr


@pytest.fixture(scope="module")
async def unsafe() -> AsyncIterator[tuple[Postgres, str]]:
    """A Postgres to be made unsafe, with the schema in it."""
    async with running(Postgres) as server:
        databases = Databases(server.url())
        await databases.make_template()
        yield server, await databases.create()


@pytest.mark.catalogue("R14")
@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
async def test_a_server_that_may_lose_what_it_acknowledged(
    unsafe: tuple[Postgres, str], settings: dict[str, str], setting: str
) -> None:
    server, url = unsafe
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"alter system set {setting} = off")
        await connection.execute("select pg_reload_conf()")
        async with asyncio.timeout(10):
            while await connection.fetchval("select current_setting($1)", setting) != "off":
                await asyncio.sleep(0.02)
        await refused(settings | {"DATABASE_URL": url}, f"{setting} is off")
        await connection.execute(f"alter system reset {setting}")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()
    assert server.child.running()


@pytest.mark.catalogue("R14")
async def test_a_standby_as_primary(unsafe: tuple[Postgres, str], settings: dict[str, str]) -> None:
    server, url = unsafe
    await server.stop()
    (server.data / "standby.signal").touch()
    await server.start()
    await refused(settings | {"DATABASE_URL": url}, "this server is a standby")
    await server.stop()
    (server.data / "standby.signal").unlink()
    await server.start()


@pytest.mark.catalogue("S36")
@pytest.mark.parametrize(
    ("says", "changes"),
    [
        ("WARMLINE_DEV_KEY_FILE", {"WARMLINE_DEV_KEY_FILE": "/keys/dev.jwk"}),
        ("HOST: profile dev", {"HOST": "0.0.0.0", "WARMLINE_PROFILE": "dev"}),
    ],
)
async def test_what_is_for_development(settings: dict[str, str], says: str, changes: dict[str, str]) -> None:
    await refused(settings | changes, says)


@pytest.mark.catalogue("S36")
async def test_a_master_key_that_was_made_up(settings: dict[str, str], database_url: str, tmp_path: Path) -> None:
    audit = tmp_path / "audit.pem"
    make(audit)
    signed = {"WARMLINE_AUDIT_KEY_FILE": str(audit)}
    path = tmp_path / "made-up.key"
    path.write_text(base64.b64encode(bytes(range(32))).decode())
    await refused(settings | signed | {"DATABASE_URL": database_url, "WARMLINE_MASTER_KEY_FILE": str(path)}, "made up")


def test_nothing_of_the_tests_can_be_switched_on_from_outside() -> None:
    """No name in the environment makes the product fail on purpose or trust a test: it reads settings, and nothing else."""
    server = Path(__file__).resolve().parents[2] / "server"
    readers = {"config.py", "cli/within.py", "cli/checks/everything.py", "cli/checks/settings.py", "dev/address.py",
               "dev/datafolder.py", "dev/embedded.py", "dev/supervisor.py", "dev/welcome.py", "sealing/keys.py"}  # fmt: skip
    found = {
        str(path.relative_to(server))
        for folder in (server, server.parent / "workers")
        for path in folder.rglob("*.py")
        if any(word in path.read_text() for word in ("os.environ", "getenv"))
    }
    assert found <= readers, "who reads the environment past Settings could be a switch; add it here if it is none"

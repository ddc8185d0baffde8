"""`warmline schema`: applied once, checked, and a new epoch where an operator needs one."""

from urllib.parse import urlsplit, urlunsplit

import asyncpg

from server import schema
from tests.support.commands import everything, here


async def test_a_database_that_does_not_answer_is_one_line() -> None:
    done = await here("schema", "check", DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none")
    assert done.returncode == 2
    assert done.stderr.startswith("DATABASE_URL: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


async def test_schema_is_applied_and_checked(empty_database_url: str) -> None:
    at = {"DATABASE_URL": empty_database_url}
    assert (await here("schema", "check", **at)).returncode == 2
    before = await everything(empty_database_url)
    would = await here("schema", "apply", "--dry-run", **at)
    assert (would.returncode, would.stderr) == (0, "")
    assert await everything(empty_database_url) == before == {}
    assert (await here("schema", "apply", **at)).returncode == 0
    assert (await here("schema", "check", **at)).returncode == 0
    made = await everything(empty_database_url)
    assert {f"  table {name}" for name in made if name != "catalogs"} <= set(would.stdout.splitlines())
    again = await here("schema", "apply", "--dry-run", **at)
    assert "nothing would be done" in again.stdout
    assert (await here("schema", "apply", **at)).returncode == 0
    assert await everything(empty_database_url) == made


async def test_a_database_with_something_else_in_it_is_left_alone_dry_or_not(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("create table theirs (n int)")
    await connection.close()
    for options in (["--dry-run"], []):
        done = await here("schema", "apply", *options, DATABASE_URL=empty_database_url)
        assert (done.returncode, done.stdout) == (2, "")
        assert "no Warmline schema" in done.stderr


async def test_a_new_epoch_is_said_first_and_then_made(database_url: str, owner: asyncpg.Connection) -> None:
    before, epoch = await everything(database_url), await owner.fetchval("select log_epoch()")
    would = await here("schema", "new-epoch", "--dry-run", DATABASE_URL=database_url)
    assert (would.returncode, "from 1 to 2" in would.stdout) == (0, True)
    assert await everything(database_url) == before
    assert await owner.fetchval("select log_epoch()") == epoch
    done = await here("schema", "new-epoch", DATABASE_URL=database_url)
    assert done.returncode == 0
    assert await owner.fetchval("select log_epoch()") != epoch
    await schema.check(database_url)


async def test_only_the_owner_makes_a_new_epoch(database_url: str, owner: asyncpg.Connection) -> None:
    name = urlsplit(database_url).path.lstrip("/")
    await owner.execute(f"create role {name} login password 'for-the-test' in role warmline_app")
    try:
        parts = urlsplit(database_url)
        login = urlunsplit(parts._replace(netloc=f"{name}:for-the-test@{parts.hostname}:{parts.port}"))
        for options in (["--dry-run"], []):
            done = await here("schema", "new-epoch", *options, DATABASE_URL=login)
            assert (done.returncode, done.stdout) == (2, "")
            assert "permission denied" in done.stderr
    finally:
        await owner.execute(f"drop role {name}")

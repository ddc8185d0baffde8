"""The embedded servers start, survive being killed, keep data where they should, and let no stranger in."""

import asyncpg
import pytest
from redis.asyncio import Redis as RedisClient
from redis.exceptions import AuthenticationError

from server.dev.embedded import Postgres, Redis


async def test_postgres_is_new_safe_and_knows_letters(own_postgres: Postgres) -> None:
    connection = await asyncpg.connect(own_postgres.url())
    try:
        assert connection.get_server_version().major >= 18
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval("select current_setting($1)", setting) == "on"
        assert await connection.fetchval("select upper('éß')") == "ÉSS"[:1] + "ß"
    finally:
        await connection.close()


async def test_what_was_committed_is_there_after_kill_9(own_postgres: Postgres) -> None:
    before = await asyncpg.connect(own_postgres.url())
    await before.execute("create table kept (n int); insert into kept values (7)")
    await own_postgres.kill()
    before.terminate()
    await own_postgres.start()
    after = await asyncpg.connect(own_postgres.url())
    assert await after.fetchval("select n from kept") == 7
    await after.close()


async def test_postgres_wants_its_password(own_postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(own_postgres.url().replace(own_postgres.password, "guess"))


async def test_redis_restarts_empty_on_its_port(own_redis: Redis) -> None:
    url = own_redis.url()
    async with RedisClient.from_url(url) as client:
        await client.set("durable", "never")
    await own_redis.kill()
    await own_redis.start()
    assert own_redis.url() == url
    async with RedisClient.from_url(url) as client:
        assert await client.get("durable") is None


async def test_redis_wants_its_password(own_redis: Redis) -> None:
    async with RedisClient.from_url(own_redis.url().replace(own_redis.password, "guess")) as client:
        with pytest.raises(AuthenticationError):
            await client.ping()

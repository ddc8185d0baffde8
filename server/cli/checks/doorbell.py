"""Redis: there, new enough, and it rings: what is published comes out again, over the protocol that the gateways speak."""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as redis
from redis.exceptions import RedisError

from server import cluster
from server.board import RedisBoard
from server.bus import Bus
from server.cli.checks.findings import Finding, error, ok, warning
from server.cluster import Node
from server.config_checks import LOOPBACK
from server.ids import random_token
from server.notices.viewing import Viewing

PART = "redis"
OLDEST = (6, 2)
OLDEST_IN_CLUSTER = (7, 0)
SLOTS = 16_384
PATIENCE = 3.0


async def check(url: str, production: bool) -> tuple[list[Finding], float | None]:
    """The findings, and Redis's clock minus ours in seconds, when it answers."""
    if cluster.is_cluster(url):
        return await _check_cluster(url, production)
    line = redis.Redis.from_url(url, protocol=2, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
    try:
        info: dict[str, Any] = await line.info()
        found = [*_server(info), *await _rings(line)]
        if info.get("role") != "slave":
            found += await _remembers(url)
        before = time.time()
        seconds, micros = await line.time()
        skew: float | None = seconds + micros / 1e6 - (before + time.time()) / 2
    except (RedisError, OSError, TimeoutError) as wrong:
        do = "See that it runs and that REDIS_URL is right. Meanwhile everything works, but live delivery takes up to 2 s."
        return [error(PART, f"REDIS_URL: Redis cannot be used ({type(wrong).__name__})", do)], None
    finally:
        await line.aclose()
    return [*found, *_encrypted(url, production)], skew


async def _check_cluster(url: str, production: bool) -> tuple[list[Finding], float | None]:
    """The same of a cluster: every slot has a node, every node is new enough, and a topic of each node rings."""
    try:
        owners = await cluster.owners(url, [])
        nodes = sorted(set(owners.values()))
        skew: float | None = None
        found = [ok(PART, f"reachable: a cluster of {len(nodes)} nodes")]
        if len(owners) < SLOTS:
            do = "Assign the slots to a node: what goes to them is not heard live, and comes with the check every second."
            found.append(error(PART, f"{SLOTS - len(owners)} slots of the cluster have no node", do))
        for at in nodes:
            one = cluster.node(url, at, protocol=2, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
            try:
                info: dict[str, Any] = await one.info()
                before = time.time()
                seconds, micros = await one.time()
                skew = seconds + micros / 1e6 - (before + time.time()) / 2
            finally:
                await one.aclose()
            if tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]) < OLDEST_IN_CLUSTER:
                found.append(
                    error(PART, "a node is too old for sharded pub/sub", "Use a Valkey, or a Redis 7 or later.")
                )
        found += [*await _rings_everywhere(url, owners), *await _remembers(url)]
    except (RedisError, OSError, TimeoutError) as wrong:
        do = "See that every node runs and that REDIS_URL is right. Meanwhile live delivery takes up to 2 s."
        return [error(PART, f"REDIS_URL: the cluster cannot be used ({type(wrong).__name__})", do)], None
    return [*found, *_encrypted(url, production)], skew


async def _rings_everywhere(url: str, owners: dict[int, Node]) -> list[Finding]:
    topics: dict[Node, str] = {}
    while topics.keys() != set(owners.values()):
        topic = f"warmline:doctor:{random_token()}"
        topics.setdefault(owners.get(cluster.slot(topic), next(iter(owners.values()))), topic)
    heard: set[str] = set()
    one, other = Bus(url), Bus(url)
    other.receiver = lambda topic, _data: heard.add(topic)
    for topic in topics.values():
        other.listen(topic)
    await one.start()
    await other.start()
    try:
        async with asyncio.timeout(PATIENCE):
            while heard != set(topics.values()):
                for topic in topics.values():
                    one.publish(topic, b"")
                await asyncio.sleep(0.05)
    except TimeoutError:
        deaf = len(topics) - len(heard)
        return [
            error(PART, f"through {deaf} nodes nothing comes out again", "Look at their load and at what is between.")
        ]
    finally:
        await asyncio.gather(one.stop(), other.stop())
    return [ok(PART, f"rings through all {len(topics)} nodes")]


def _encrypted(url: str, production: bool) -> list[Finding]:
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "redis+cluster") or (parts.hostname or "localhost") in LOOPBACK or not production:
        return []
    do = "Use rediss:// (what travels are ids and ciphertext, but who writes to whom is seen)."
    return [warning(PART, "the line to Redis is not encrypted, and leaves this machine", do)]


def _server(info: dict[str, Any]) -> list[Finding]:
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info["redis_version"])
    found = [ok(PART, f"reachable: {name} {version}")]
    if tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]) < OLDEST:
        found = [error(PART, f"{name} {version} is too old", "Use a Valkey, or a Redis 6.2 or later.")]
    if info.get("cluster_enabled"):
        found.append(
            error(PART, "REDIS_URL names one node of a cluster", "Write redis+cluster:// or rediss+cluster://.")
        )
    if info.get("role") == "slave":
        do = "Point REDIS_URL at the primary: what a replica is told, the others do not hear."
        found.append(error(PART, "this Redis is a replica", do))
    if info.get("maxmemory") and info["used_memory"] > 0.9 * info["maxmemory"]:
        do = "Find out what fills it: Warmline keeps nothing there. At the limit the doorbell may fall silent."
        found.append(warning(PART, f"{info['used_memory']} of {info['maxmemory']} bytes are used", do))
    kept = info.get("aof_enabled") or info.get("rdb_changes_since_last_save")
    found.append(
        ok(PART, f"nothing must last there; {'what it keeps on disk is not ours' if kept else 'nothing is kept'}")
    )
    return found


async def _rings(line: redis.Redis) -> list[Finding]:
    topic, word = f"warmline:doctor:{random_token()}", random_token().encode()
    try:
        async with line.pubsub() as pubsub, asyncio.timeout(PATIENCE):
            await pubsub.subscribe(topic)
            while (await pubsub.get_message(timeout=PATIENCE) or {}).get("type") != "subscribe":
                pass
            began = time.monotonic()
            await line.publish(topic, word)
            while (await pubsub.get_message(timeout=PATIENCE) or {}).get("data") != word:
                pass
            taken = time.monotonic() - began
    except TimeoutError:
        return [error(PART, "what is published does not come out again", "Look at its load and at what is between.")]
    except RedisError as wrong:
        do = "Let the login publish and subscribe to warmline:* (ACL: &warmline:* +@pubsub +@connection +info +time)."
        return [error(PART, f"publishing is refused ({type(wrong).__name__})", do)]
    return [ok(PART, f"rings: published and received in {taken * 1000:.1f} ms over RESP2")]


async def _remembers(url: str) -> list[Finding]:
    """Who is there is kept there as well, for seconds."""
    board, viewing = RedisBoard(url), Viewing(url)
    try:
        await board.alive()
        await board.say({"doctor": b"", "nobody": None})
        await board.others("doctor")
        await board.say({"doctor": None})
        await viewing.try_out()
    except RedisError as wrong:
        do = (
            "Let the login keep a few keys (ACL: ~warmline:* +set +del +exists +hset +hdel +hgetall +expire "
            "+zadd +zrem +zrange +zremrangebyrank +pexpire). Otherwise all works but presence, and pushes go to "
            "people who are reading."
        )
        return [warning(PART, f"who is there cannot be kept ({type(wrong).__name__})", do)]
    finally:
        await board.close()
        await viewing.close()
    return [ok(PART, "keeps who is there, and who is reading")]

"""Which node of a Redis cluster has which topic, and how to reach Redis at all: `redis+cluster://` names a cluster."""

from collections.abc import Iterable
from typing import Any

import redis.asyncio as redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisClusterException

_CLUSTER = "+cluster"
Node = tuple[str, int]
"""Host and port."""


class _Cluster(RedisCluster):
    async def initialize(self, *args: Any, **kwargs: Any) -> "RedisCluster":
        """The library's error where no node answers is no RedisError; here it is one, as of a Redis that is away."""
        try:
            return await super().initialize(*args, **kwargs)
        except redis.RedisError:
            raise
        except RedisClusterException as away:
            raise redis.ConnectionError(str(away)) from away


def is_cluster(url: str) -> bool:
    """Whether a URL names a cluster: redis+cluster:// or rediss+cluster:// of any of its nodes."""
    return url.partition("://")[0].endswith(_CLUSTER)


def connect(url: str, **options: Any) -> redis.Redis | RedisCluster:
    """A Redis, or a cluster, for commands: those for several keys go out in pipelines without a transaction."""
    if is_cluster(url):
        return _Cluster.from_url(_plain(url), require_full_coverage=False, **options)
    return redis.Redis.from_url(url, **options)


def node(url: str, at: Node, **options: Any) -> redis.Redis:
    """One node of the cluster that a URL names. It tries once: who uses it begins anew by itself."""
    named: dict[str, Any] = {**parse_url(_plain(url)), "host": at[0], "port": at[1]}
    tls = named.pop("connection_class", None) is not None
    named.pop("db", None)
    return redis.Redis(**named, ssl=tls, retry=Retry(NoBackoff(), 0), **options)


def first(url: str) -> Node:
    """The node that a URL names."""
    named = parse_url(_plain(url))
    return named.get("host", "localhost"), named.get("port", 6379)


async def owners(url: str, known: Iterable[Node]) -> dict[int, Node]:
    """Which node has which of the 16,384 slots, by the first node that answers.

    Raises:
        RedisError, OSError, TimeoutError: none does.
    """
    failure: Exception = ConnectionError("no node is known")
    for at in dict.fromkeys([*known, first(url)]):
        client = node(url, at, protocol=2, socket_timeout=2, socket_connect_timeout=2)
        try:
            ranges = await client.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
        except (redis.RedisError, OSError, TimeoutError) as lost:
            failure = lost
            continue
        finally:
            await client.aclose()
        return {
            slot: (host.decode() if host else at[0], port)  # without a host: the one that was asked
            for begins, ends, (host, port, *_), *_ in ranges
            for slot in range(begins, ends + 1)
        }
    raise failure


def slot(topic: str) -> int:
    """The slot of a topic."""
    return int(key_slot(topic.encode()))


def _plain(url: str) -> str:
    return url.replace(_CLUSTER, "", 1)

"""The doorbell over a cluster of three nodes: each topic over its node, slots that move, a node that dies."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import RedisError

from server import cluster as slots
from server.board import RedisBoard
from server.bus import Bus
from server.cli.checks import doorbell
from server.dev.embedded import Redis
from server.line import Line
from tests.support.redis_cluster import SLOTS, Cluster, three_nodes
from tests.test_bus import Ear, listening, until


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster for the tests of this module; each gives back what it takes."""
    async with three_nodes() as made:
        yield made


TOPICS = [f"warmline:test:{number}" for number in range(60)]


def lines(bus: Bus) -> dict[tuple[str, int] | None, Line]:
    return bus._lines


async def test_every_topic_goes_over_its_node_and_is_heard_once_and_in_order(cluster: Cluster) -> None:
    async with listening(cluster.url, 2, *TOPICS) as [one, two]:
        await until(lambda: one.bus.connected and two.bus.connected)
        assert len(lines(one.bus)) == 3
        assert {cluster.owner(slots.slot(topic)) for topic in TOPICS} == set(cluster.nodes)
        sent = [(topic, b"%d" % number) for number in range(50) for topic in TOPICS]
        await settled(one, two)
        two.heard.clear()
        one.heard.clear()
        for topic, word in sent:
            one.bus.publish(topic, word)
        await until(lambda: len(two.heard) >= len(sent))
        for topic in TOPICS:
            assert [word for heard, word in two.heard if heard == topic] == [b"%d" % number for number in range(50)]
        assert one.heard == sent  # its own process at once, and no echo


async def settled(one: Ear, two: Ear) -> None:
    """Until everything listened to is subscribed: what is said on each topic is heard."""
    async with asyncio.timeout(15):
        while {topic for topic, _ in two.heard} != set(TOPICS):
            for topic in TOPICS:
                one.bus.publish(topic, b"ready?")
            await asyncio.sleep(0.05)


async def test_a_topic_whose_slot_moves_is_heard_at_the_other_node_and_it_is_said(cluster: Cluster) -> None:
    topic = TOPICS[0]
    slot = slots.slot(topic)
    home = cluster.owner(slot)
    away = next(node for node in cluster.nodes if node is not home)
    async with listening(cluster.url, 2, *TOPICS) as [one, two]:
        await settled(one, two)
        for to in (away, home):
            restored = two.restored
            await cluster.give(slot, to)
            two.heard.clear()
            async with asyncio.timeout(15):
                while (topic, b"moved") not in two.heard:
                    one.bus.publish(topic, b"moved")
                    await asyncio.sleep(0.02)
            assert two.restored > restored  # something may have been missed: the log is read
        for other in TOPICS:
            one.bus.publish(other, b"after")
        await until(lambda: {heard for heard, word in two.heard if word == b"after"} == set(TOPICS))


async def test_a_node_that_dies_and_comes_back_costs_the_others_nothing(cluster: Cluster) -> None:
    node = cluster.nodes[1]  # not the one that the URL names
    async with listening(cluster.url, 2, *TOPICS) as [one, two]:
        await settled(one, two)
        theirs = {topic for topic in TOPICS if cluster.owner(slots.slot(topic)) is node}
        await node.kill()
        two.heard.clear()
        for topic in set(TOPICS) - theirs:
            one.bus.publish(topic, b"still")
        await until(lambda: {topic for topic, _ in two.heard} == set(TOPICS) - theirs)
        await until(lambda: not two.bus.connected)
        restored = two.restored
        await node.start()
        await until(lambda: two.bus.connected and two.restored > restored, within=30)
        two.heard.clear()
        await settled(one, two)


async def test_without_the_cluster_a_process_starts_and_says_that_it_hears_nothing() -> None:
    ear = Ear("redis+cluster://127.0.0.1:1")
    ear.bus.listen("topic")
    await ear.bus.start()
    ear.bus.publish("topic", b"word")
    assert ear.heard == [("topic", b"word")]
    assert not ear.bus.connected
    await ear.bus.stop()
    board = RedisBoard("redis+cluster://127.0.0.1:1")
    with pytest.raises((RedisError, OSError)):
        await board.alive()
    await board.close()


async def test_who_is_there_is_kept_over_all_nodes(cluster: Cluster) -> None:
    one, two = RedisBoard(cluster.url), RedisBoard(cluster.url)
    assert not await one.alive()
    assert not await two.alive()
    assert await one.alive()
    await one.say({topic: topic.encode() for topic in TOPICS})
    assert [await two.others(topic) for topic in TOPICS] == [[topic.encode()] for topic in TOPICS]
    await one.close()
    assert await two.others(TOPICS[0]) == []
    await two.close()


async def test_the_doctor_looks_at_every_node(cluster: Cluster) -> None:
    found, skew = await doorbell.check(cluster.url, production=True)
    assert [(finding.level, finding.part) for finding in found] == [("ok", "redis")] * 3
    assert skew is not None
    assert abs(skew) < 60


@pytest.mark.parametrize("mistake", ["a node as if it were alone", "a Redis as if it were a cluster", "nobody there"])
async def test_the_doctor_says_what_is_wrong(cluster: Cluster, own_redis: Redis, mistake: str) -> None:
    url = {
        "a node as if it were alone": cluster.url.replace("+cluster", ""),
        "a Redis as if it were a cluster": own_redis.url().replace("redis://", "redis+cluster://"),
        "nobody there": "redis+cluster://127.0.0.1:1",
    }[mistake]
    found, _ = await doorbell.check(url, production=True)
    assert any(finding.level == "error" for finding in found)


async def test_slots_without_a_node_are_found(cluster: Cluster) -> None:
    slot = slots.slot("nobody's")
    home = cluster.owner(slot)
    for node in cluster.nodes:
        await node.ask("CLUSTER", "DELSLOTS", slot)
    assert len(await slots.owners(cluster.url, [])) == SLOTS - 1
    found, _ = await doorbell.check(cluster.url, production=True)
    assert [finding.level for finding in found if "slots" in finding.says] == ["error"]
    await home.ask("CLUSTER", "ADDSLOTS", slot)


def test_the_rest_of_the_address_is_kept() -> None:
    assert slots.first("rediss+cluster://:secret@cache.example:7000/0") == ("cache.example", 7000)
    made = slots.node("rediss+cluster://name:secret@cache.example:7000/0", ("10.0.0.2", 7001))
    options = made.connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["username"], options["password"]) == (
        "10.0.0.2",
        7001,
        "name",
        "secret",
    )
    assert made.connection_pool.connection_class.__name__ == "SSLConnection"

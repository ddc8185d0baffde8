"""The unmodified centrifuge-python against the gateway: connects, subscribes, receives, is cut off, recovers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from centrifuge import (
    Client,
    ClientEventHandler,
    ClientState,
    PublicationContext,
    ServerPublicationContext,
    SubscribedContext,
    Subscription,
    SubscriptionEventHandler,
    SubscriptionState,
    UnsubscribedContext,
)

from tests.gateway.wire import QUICK, Site, serving
from tests.gateway.world import World


class Ears(ClientEventHandler):
    """What came on the personal channel."""

    def __init__(self) -> None:
        self.hints: list[Any] = []

    async def on_publication(self, ctx: ServerPublicationContext) -> None:
        self.hints.append(ctx.pub.data)


class Eyes(SubscriptionEventHandler):
    """What came on one subscription."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.subscribed: list[SubscribedContext] = []
        self.ended: list[int] = []

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.subscribed.append(ctx)

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.offsets.append(ctx.pub.offset)

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self.ended.append(ctx.code)


@asynccontextmanager
async def sdk(site: Site, **options: Any) -> AsyncIterator[tuple[Client, Ears]]:
    ears = Ears()
    client = Client(
        site.address, events=ears, proxy=None, min_reconnect_delay=0.01, max_reconnect_delay=0.05, **options
    )
    await client.connect()
    try:
        yield client, ears
    finally:
        await client.disconnect()


async def subscribed(client: Client, channel: str) -> tuple[Subscription, Eyes]:
    eyes = Eyes()
    subscription = client.new_subscription(channel, events=eyes, recoverable=True)
    await subscription.subscribe()
    await subscription.ready()
    return subscription, eyes


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def cut(site: Site) -> None:
    """Cut every wire, without a word."""
    for connection in list(site.server.server_state.connections):
        connection.transport.abort()  # type: ignore[union-attr]


async def test_connects_receives_is_cut_and_recovers():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, sdk(site, token="demo-clinician") as (client, _):
        _, eyes = await subscribed(client, "ward")
        for number in range(1, 31):
            world.write("ward", f"{number}")
            if number % 10 == 0:
                cut(site)
                world.write("ward", "while it was away")
                await until(lambda: len(eyes.offsets) >= world.room("ward").top - 1)
        assert eyes.offsets == list(range(2, 35))
        assert [context.recovered for context in eyes.subscribed] == [False, True, True, True]
        assert (await client.rpc("echo", {"a": 1})).data == {"a": 1}


async def test_is_told_to_come_back_by_a_node_that_drains():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as first:
        async with sdk(first, token="demo-clinician") as (client, _):
            _, eyes = await subscribed(client, "ward")
            world.write("ward", "one")
            await until(lambda: eyes.offsets == [2])
            await first.gateway.drain(0)
            async with serving(world) as second:
                client._address = second.address
                world.write("ward", "two")
                await until(lambda: eyes.offsets == [2, 3])


async def test_refreshes_its_token():
    world = World()
    tokens = []

    async def get_token() -> str:
        tokens.append("demo-clinician:1")
        return tokens[-1]

    async with serving(world) as site, sdk(site, get_token=get_token) as (client, _):
        await client.ready()
        await until(lambda: len(tokens) >= 3)
        assert client.state is ClientState.CONNECTED
        assert site.counters.connections == 1


async def test_fetches_another_token_when_its_own_has_expired():
    async def get_token() -> str:
        return "demo-clinician"

    async with serving(World()) as site, sdk(site, token="expired", get_token=get_token) as (client, _):
        await client.ready()


async def test_stops_with_a_forged_token():
    async with serving(World()) as site, sdk(site, token="forged") as (client, _):
        await until(lambda: client.state is ClientState.DISCONNECTED)


async def test_is_removed_and_hears_of_it():
    world = World()
    membership = world.join("ward", "demo-patient", audience="patient")
    async with serving(world) as site, sdk(site, token="demo-patient") as (client, ears):
        subscription, eyes = await subscribed(client, "ward")
        world.write("ward", "theirs")
        world.remove("ward", membership)
        world.write("ward", "not theirs")
        await until(lambda: eyes.ended == [2000])
        assert eyes.offsets == [2]
        assert subscription.state is SubscriptionState.UNSUBSCRIBED
        await until(lambda: any(not hint["member"] for hint in ears.hints))


async def test_subscribes_again_after_a_new_epoch():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, sdk(site, token="demo-clinician") as (client, _):
        _, eyes = await subscribed(client, "ward")
        world.next_epoch = "e2"
        await until(lambda: len(eyes.subscribed) == 2)
        assert (eyes.subscribed[1].was_recovering, eyes.subscribed[1].recovered) == (True, False)
        world.write("ward", "one")
        await until(lambda: eyes.offsets == [2])


@pytest.mark.catalogue("R26")
async def test_stays_through_a_flood_with_short_pings():
    world = World()
    world.join("ward", "demo-clinician")
    settings = QUICK.__class__(ping_interval=1, pong_timeout=0.5)
    async with (
        serving(world, settings) as site,
        sdk(site, token="demo-clinician", max_server_ping_delay=0.8) as (client, _),
    ):
        _, eyes = await subscribed(client, "ward")
        written = 0
        loop = asyncio.get_running_loop()
        end = loop.time() + 2.5
        while loop.time() < end:
            for _ in range(5):
                world.write("ward", "x" * 300)
                written += 1
            await asyncio.sleep(0.002)
        await until(lambda: len(eyes.offsets) == written)
        assert len(eyes.subscribed) == 1


async def test_recovers_more_than_one_reply_carries():
    world = World()
    world.join("ward", "demo-clinician")
    async with serving(world) as site, sdk(site, token="demo-clinician") as (client, _):
        _, eyes = await subscribed(client, "ward")
        cut(site)
        for _ in range(1_700):
            world.write("ward", "x" * 300)
        await until(lambda: len(eyes.offsets) == 1_700)
        assert eyes.offsets == list(range(2, 1_702))
        assert eyes.subscribed[-1].recovered

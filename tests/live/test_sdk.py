"""centrifuge-python as anybody installs it, on JSON: it connects, subscribes, receives, is cut off, recovers, and sends again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ConnectingContext,
    DisconnectedContext,
    PublicationContext,
    ReplyError,
    ServerPublicationContext,
    SubscribedContext,
    SubscriptionEventHandler,
    UnsubscribedContext,
)

from tests.live.conftest import Pair, Start
from tests.support.cast import Clinic
from tests.support.proxy import proxy
from tests.support.site import Site
from tests.support.wire import PATIENCE


class App(ClientEventHandler):
    """An application on top of the SDK: what it was told of the connection, and on the personal channel."""

    def __init__(self) -> None:
        self.connecting = 0
        self.ended: list[Any] = []
        self.hints: list[Any] = []

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        self.connecting += 1

    async def on_disconnected(self, ctx: DisconnectedContext) -> None:
        self.ended.append(ctx)

    async def on_publication(self, ctx: ServerPublicationContext) -> None:
        self.hints.append(ctx.pub.data)


class Chat(SubscriptionEventHandler):
    """One channel of it."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.texts: list[str] = []
        self.subscribed: list[SubscribedContext] = []
        self.ended: list[UnsubscribedContext] = []

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self.ended.append(ctx)

    async def on_publication(self, ctx: PublicationContext) -> None:
        if ctx.pub.offset:
            self.offsets.append(ctx.pub.offset)
            self.texts.append(ctx.pub.data.get("text", ctx.pub.data["type"]))


Open = Callable[[str, str], Awaitable[tuple[Client, App]]]


@pytest.fixture
async def open_client(site: Site, clinic: Clinic) -> AsyncIterator[Open]:
    clients: list[Client] = []

    async def open_client(url: str, person: str) -> tuple[Client, App]:
        async def get_token() -> str:
            return site.token(clinic.identity(person))

        app = App()
        clients.append(Client(url, events=app, get_token=get_token, max_reconnect_delay=1.0))
        await clients[-1].connect()
        await clients[-1].ready()
        return clients[-1], app

    yield open_client
    for client in clients:
        await client.disconnect()


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


async def send(client: Client, channel: str, client_id: str) -> Any:
    """Send as an application should: again with the same client_id until there is an answer."""
    params = {"channel_id": channel, "client_id": client_id, "text": client_id}
    while True:
        try:
            return (await client.rpc("message.send", params)).data
        except ReplyError as refused:
            if not refused.temporary:
                raise
        except CentrifugeError:
            await asyncio.sleep(0.05)


async def test_cut_off_by_a_crash_it_recovers_on_another_gateway_with_nothing_missing(
    pair: Pair, clinic: Clinic, start: Start, open_client: Open
) -> None:
    patient, victim = await clinic.patient(), await start()
    channel = await clinic.care_team(patient)
    async with proxy(victim.port, pair.a.port) as way:
        heard = Chat()
        reader, app = await open_client(way.socket_url, clinic.clinician)
        subscription = reader.new_subscription(channel, events=heard)
        await subscription.subscribe()
        await subscription.ready()
        writer, _ = await open_client(way.socket_url, patient)
        other, _ = await open_client(pair.b.socket_url, patient)
        answers = [await send(writer, channel, f"before-{number}") for number in range(20)]
        await until(lambda: len(heard.texts) == 20)

        sending = [asyncio.create_task(send(writer, channel, f"during-{number}")) for number in range(20)]
        await asyncio.sleep(0)
        victim.kill()
        answers += await asyncio.gather(*(send(other, channel, f"meanwhile-{number}") for number in range(20)))
        answers += await asyncio.gather(*sending)
        answers += [await send(writer, channel, f"after-{number}") for number in range(20)]
        await until(lambda: len(heard.texts) >= 80)

        assert heard.offsets == list(range(2, 82))
        assert sorted(answer["offset"] for answer in answers) == heard.offsets
        assert len(set(heard.texts)) == 80
        assert app.connecting == 2
        assert [ctx.recovered for ctx in heard.subscribed] == [False, True]
        assert not heard.ended + app.ended
        await reader.disconnect()
        await writer.disconnect()


async def test_it_hears_hints_refusals_and_its_removal_as_the_protocol_says(
    pair: Pair, clinic: Clinic, open_client: Open
) -> None:
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    client, app = await open_client(pair.a.socket_url, nurse)
    writer, _ = await open_client(pair.b.socket_url, clinic.clinician)
    await send(writer, channel, "one")
    await until(lambda: any(hint["channel"] == channel and hint["unread"] == 1 for hint in app.hints))
    with pytest.raises(ReplyError) as refusal:
        await client.rpc("message.send", {"channel_id": channel, "client_id": "x", "text": ""})
    assert (refusal.value.code, refusal.value.temporary) == (422, False)

    heard = Chat()
    subscription = client.new_subscription(channel, events=heard)
    await subscription.subscribe()
    await subscription.ready()
    member = await clinic.membership(channel, nurse)
    await writer.rpc("member.remove", {"channel_id": channel, "member_id": member})
    await until(lambda: heard.ended)
    assert [ctx.code for ctx in heard.ended] == [2000]
    await subscription.subscribe()
    await until(lambda: len(heard.ended) == 2)
    assert heard.ended[1].code == 102
    assert (await client.rpc("me", {})).data["person"]["id"] == nurse, "the connection lives"

"""centrifuge-python among those who take part: one that listens and one that writes, with its own ways of coming back."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Sequence

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ConnectingContext,
    PublicationContext,
    ReplyError,
    SubscribedContext,
    SubscribingContext,
    SubscriptionEventHandler,
    UnsubscribedContext,
)

from tests.faults.recorder import RESET, named
from tests.faults.ward import Ward

LISTENER = "the SDK"


class _App(ClientEventHandler):
    def __init__(self, ward: Ward) -> None:
        self._ward = ward

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        self._ward.recorder.say("closed", client=LISTENER)


class _Chat(SubscriptionEventHandler):
    """One channel of it, written down."""

    def __init__(self, ward: Ward, channel: str, person: str) -> None:
        self.epoch, self.position = "", 0
        self._ward = ward
        self._who = {"channel": channel, "client": LISTENER, "person": person}

    async def on_subscribing(self, ctx: SubscribingContext) -> None:
        if ctx.code == RESET:
            self._ward.recorder.say("reset", **self._who)

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        at = ctx.stream_position
        assert at is not None
        asked = (self.epoch, self.position) if ctx.was_recovering else None
        self._ward.recorder.say(
            "sub.ok", **self._who, epoch=at.epoch, offset=at.offset, was=ctx.was_recovering, recovered=ctx.recovered,
            asked=asked,
        )  # fmt: skip
        self.epoch, self.position = at.epoch, at.offset

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self._ward.recorder.say("ended", **self._who)

    async def on_publication(self, ctx: PublicationContext) -> None:
        if ctx.pub.offset:
            self.position = ctx.pub.offset
            self._ward.recorder.say(
                "deliver", **self._who, epoch=self.epoch, offset=self.position, via="live", **named(ctx.pub.data)
            )


class Sdk:
    """Both of them."""

    def __init__(self, ward: Ward, luck: random.Random, person: str, channels: Sequence[str]) -> None:
        self._ward, self._luck, self._person, self._channels = ward, luck, person, list(channels)
        self._clients: list[Client] = []
        self._chats = {channel: _Chat(ward, channel, person) for channel in channels}
        self._writing: asyncio.Task[None] | None = None
        self._over = False

    async def start(self) -> None:
        """Connect, subscribe, write."""
        listener, writer = self._client(_App(self._ward)), self._client(ClientEventHandler())
        await listener.connect()
        for channel, chat in self._chats.items():
            await listener.new_subscription(channel, events=chat).subscribe()
        await writer.connect()
        self._writing = asyncio.create_task(self._write(writer))

    def _client(self, events: ClientEventHandler) -> Client:
        async def get_token() -> str:
            return self._ward.token(self._person)

        self._clients.append(
            Client(self._ward.front.socket_url, events=events, get_token=get_token, timeout=3.0, min_reconnect_delay=0.1,
                   max_reconnect_delay=0.8)
        )  # fmt: skip
        return self._clients[-1]

    async def _write(self, client: Client) -> None:
        for number in itertools.count():
            if self._over:
                return
            channel, key = self._luck.choice(self._channels), f"sdk-{self._person}-{number}"
            while not await self._send(client, channel, key):
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.05)

    async def _send(self, client: Client, channel: str, key: str) -> bool:
        say = self._ward.recorder.say
        say("send.invoke", channel=channel, key=key, person=self._person)
        try:
            params = {"channel_id": channel, "client_id": key, "text": key}
            answer = (await client.rpc("message.send", params)).data
        except ReplyError as refused:
            say("send.info" if refused.temporary else "send.fail", channel=channel, key=key, why=str(refused))
            return not refused.temporary
        except CentrifugeError as broken:
            say("send.info", channel=channel, key=key, why=type(broken).__name__)
            return False
        say("send.ok", channel=channel, key=key, message=answer["message_id"], offset=answer["offset"])
        return True

    async def stop_writing(self, within: float) -> None:
        """End the writing when the one under way is known, or that many seconds have gone by."""
        self._over = True
        if self._writing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._writing, within)
            self._writing = None

    async def arrived(self, ward: Ward, within: float) -> None:
        """Wait until it stands at the top of every channel, or the time is over."""
        async with ward.sql() as owner:
            rows = await owner.fetch("select id, top_offset from channels where id = any ($1)", self._channels)
        until = time.monotonic() + within
        while time.monotonic() < until and any(self._chats[row["id"]].position < row["top_offset"] for row in rows):
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End both; how that is done is not part of the history."""
        said = self._ward.recorder.events
        count = len(said)
        if self._writing:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        for client in self._clients:
            with contextlib.suppress(CentrifugeError):
                await client.disconnect()
        del said[count:]

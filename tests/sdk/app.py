"""An application on centrifuge-python, 0.5.0 or newer: app.py URL json|protobuf CHANNEL TOKEN_FILE. For the tests to talk to.

It prints what it hears, a line each; `send ID` on its input sends, again and again with the same id until there is an answer.
Payloads are bytes in Protobuf: encoding and decoding them is the application's own affair.
"""

import asyncio
import json
import sys
from pathlib import Path

from centrifuge import CentrifugeError, Client, ClientEventHandler, ReplyError, SubscriptionEventHandler

url, codec, channel, token_file = sys.argv[1:]
protobuf = codec == "protobuf"


def say(*words: object) -> None:
    print(*words, flush=True)


def packed(data: object) -> object:
    return json.dumps(data).encode() if protobuf else data


def opened(data):
    return json.loads(data) if protobuf else data


async def get_token(*_: object) -> str:
    say("token")
    return Path(token_file).read_text()


class App(ClientEventHandler):
    async def on_connecting(self, ctx):
        say("connecting")

    async def on_disconnected(self, ctx):
        say("disconnected", ctx.code)

    async def on_publication(self, ctx):
        if opened(ctx.pub.data)["type"] == "channel":
            say("hint")


class Chat(SubscriptionEventHandler):
    async def on_subscribed(self, ctx):
        say("subscribed", "recovered" if ctx.recovered else "anew")

    async def on_unsubscribed(self, ctx):
        say("unsubscribed", ctx.code)

    async def on_publication(self, ctx):
        data = opened(ctx.pub.data)
        if ctx.pub.offset:
            say("pub", ctx.pub.offset, data.get("text", data["type"]))


async def send(client: Client, client_id: str) -> None:
    params = packed({"channel_id": channel, "client_id": client_id, "text": client_id})
    while True:
        try:
            answer = opened((await client.rpc("message.send", params)).data)
            return say("sent", answer["offset"], client_id)
        except ReplyError as refused:
            if not refused.temporary:
                return say("refused", refused.code)
        except (TimeoutError, CentrifugeError):
            say("again")
        await asyncio.sleep(0.05)


async def main() -> None:
    client = Client(
        url, events=App(), get_token=get_token, use_protobuf=protobuf, min_reconnect_delay=0.05, max_reconnect_delay=0.3
    )
    subscription = client.new_subscription(channel, events=Chat())
    await client.connect()
    await subscription.subscribe()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    sending = set()
    while line := (await lines.readline()).decode().split():
        sending.add(asyncio.create_task(send(client, line[1])))
    await asyncio.gather(*sending)
    await client.disconnect()


asyncio.run(main())

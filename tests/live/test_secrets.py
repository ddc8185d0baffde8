"""What is written stays between those who read it: in Redis, in the tables, in the logs of the gateways there is none of it."""

import asyncio
import base64

import redis.asyncio as redis

from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic

CANARY = "Canary-that-nobody-else-may-hear-7391"


def anywhere(text: str) -> bool:
    """Whether the canary is in there, also as hex (as Postgres shows bytes) or in base64."""
    encoded = (CANARY.encode(), CANARY.encode("utf-16-le"))
    forms = {
        CANARY,
        *(it.hex() for it in encoded),
        *(base64.b64encode(it[start:])[2:-4].decode() for it in encoded for start in range(3)),
    }
    return any(form in text for form in forms)


async def test_words_are_nowhere_but_on_the_wires_of_those_who_read_them(
    pair: Pair, redis_url: str, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    writer, listener = await connect(pair.a, patient), await connect(pair.b, clinic.clinician)
    stream = await listener.subscribe(channel)
    heard: list[str] = []
    async with redis.Redis.from_url(redis_url) as client, client.monitor() as monitor:

        async def listen() -> None:
            async for command in monitor.listen():
                heard.append(command["command"])

        listening = asyncio.create_task(listen())
        for number in range(5):
            await writer.send(channel, f"{CANARY} {number}", f"m{number}")
        await writer.rpc("message.history", channel_id=channel)
        await listener.until(lambda _: stream.position == 6)
        while not any(channel in command for command in heard):
            await asyncio.sleep(0.01)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert anywhere("".join(listener.heard)), "who may read it has read it"
    assert not anywhere("".join(heard))
    tables = await clinic.sql("select table_name from information_schema.tables where table_schema = 'public'")
    for table in (row["table_name"] for row in tables if row["table_name"] != "audit_entries"):
        rows = await clinic.sql(f"select t::text as words from {table} t")
        assert not any(anywhere(row["words"]) for row in rows), table
    for gateway in pair:
        assert not anywhere(gateway.log.read_text())

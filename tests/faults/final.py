"""The reads after everything is healed: the log by SQL, the history of every gateway, and a fresh listener per channel."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

from tests.faults.load import BROKEN, Load
from tests.faults.recorder import Heard, RecordedWire, named
from tests.faults.ward import Ward
from tests.support.wire import Refused

_ROWS = """select e.channel_id, e.log_offset, e.kind, e.message_id, m.client_id, log_epoch() as epoch
  from events e left join messages m on (m.organization_id, m.channel_id, m.id) = (e.organization_id, e.channel_id, e.message_id)
 where e.channel_id = any ($1) order by e.channel_id, e.log_offset"""


async def arrived(load: Load, channels: Sequence[str], ward: Ward, within: float) -> None:
    """Wait until every listener stands at the top, or the time is over; the checker says who did not."""
    async with ward.sql() as connection:
        rows = await connection.fetch("select id, top_offset from channels where id = any ($1)", channels)
    tops = {row["id"]: row["top_offset"] for row in rows}
    until = time.monotonic() + within
    while time.monotonic() < until and any(
        stream.position < tops[stream.channel] and (stream.ended or {}).get("code", 2500) == 2500
        for stream in load.listeners
    ):
        await asyncio.sleep(0.05)


async def read(ward: Ward, channels: dict[str, str], within: float) -> None:
    """All three ways; `channels` names for each who may read it."""
    epoch = await by_sql(ward, list(channels))
    for node in ward.nodes:
        for channel, person in channels.items():
            # Where that cannot be read, a check says what is missing.
            with contextlib.suppress(*BROKEN, Refused):
                wire = await RecordedWire.open(node.gateway.socket_url, ward.token(person))
                wire.recorder = ward.recorder
                await by_history(ward, wire, channel, epoch, node.name)
                await fresh(ward, wire, channel, person, node.name, within)
                await wire.close()


async def by_sql(ward: Ward, channels: Sequence[str]) -> str:
    """The log as it lies in the database."""
    epoch = ""
    async with ward.sql() as connection:
        for row in await connection.fetch(_ROWS, channels):
            epoch = row["epoch"]
            told = {"key": row["client_id"], "message": row["message_id"]} if row["kind"] == "message" else {}
            ward.recorder.say(
                "final", channel=row["channel_id"], epoch=epoch, offset=row["log_offset"], via="sql",
                **(told or {"key": "~" + row["kind"]}),
            )  # fmt: skip
    return epoch


async def by_history(ward: Ward, wire: RecordedWire, channel: str, epoch: str, name: str) -> None:
    """Page by page to the beginning."""
    before: dict[str, int] = {}
    while not before or before["before"] > 1:
        page = (await wire.rpc("message.history", channel_id=channel, limit=100, **before))["items"]
        if not page:
            break
        for item in page:
            ward.recorder.say(
                "final", channel=channel, epoch=epoch, offset=item["offset"], via="history", gateway=name, **named(item)
            )
        before = {"before": min(item["offset"] for item in page)}


async def fresh(ward: Ward, wire: RecordedWire, channel: str, person: str, name: str, within: float) -> None:
    """Somebody who has never been here, from the beginning."""
    stream = Heard(channel, recorder=ward.recorder, client=f"fresh at {name}", person=person, asked=("", 0))
    wire.person, wire.client = person, stream.client
    await wire.subscribe(stream, recover=True, epoch="", offset=0)
    async with ward.sql() as connection:
        top = await connection.fetchval("select top_offset from channels where id = $1", channel)
    async with asyncio.timeout(within):
        while stream.position < top:
            await asyncio.sleep(0.02)

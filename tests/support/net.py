"""A net around the product: all that leaves it, and all that it keeps, place by place, to be searched for canaries."""

import asyncio
import contextlib
import io
import json
import re
import secrets
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import httpx
import redis.asyncio as redis

from tests.support.canary import Canary
from tests.support.mailbox import Mailbox
from tests.support.mailbox import Received as Mail
from tests.support.push_endpoint import PushEndpoint

Caught = dict[str, list[str | bytes]]
"""What was found in each place."""

SEALED = ("body", "note", "reason")
"""What stands in no table either; names and addresses do, but not in LEDGER."""
LEDGER = frozenset(
    ("notices", "notice_deliveries", "notice_marks", "notice_preferences", "mails", "unattended", "devices")
)  # fmt: skip
_TO = re.compile(rb"^To: [^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*", re.MULTILINE)
_LINK = re.compile(r"https?://[^\s\"'<>]+")
_TABLES = """
select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema', 'net') order by 1, 2"""
_JOBS = """
create schema net;
create table net.jobs (job text);
create function net.keep() returns trigger language plpgsql security definer as $$
begin
  insert into net.jobs values (new::text || encode(coalesce(new.payload, ''), 'escape'));
  return null;
end $$;
create trigger net after insert or update on jobs.pgqueuer for each row execute function net.keep();"""


@dataclass
class Net:
    """What there is to be searched. Set it out once the processes run: it adds a trigger, which they would not start with."""

    endpoint: PushEndpoint
    mailbox: Mailbox
    owner: asyncpg.Connection
    redis: list[str]
    """The commands that went there."""
    logs: list[Path]
    operators: list[str]
    """Addresses of the processes' metrics."""
    urls: list[str] = field(default_factory=list)
    """What was asked for."""

    async def set_out(self) -> None:
        """Keep every job from now on: those that are done leave no trace."""
        await self.owner.execute(_JOBS)

    async def catch(self) -> Caught:
        """All that has come so far."""
        caught: Caught = {
            "push payload": [json.dumps(one.payload) for one in self.endpoint.received],
            "push headers": [json.dumps([one.headers, one.claims]) for one in self.endpoint.received],
            "redis": list(self.redis),
            "log": [log.read_bytes() for log in self.logs],
            "metrics": [],
            "url": [*self.urls, *(one.path for one in self.endpoint.received)],
            "job": [row["job"] for row in await self.owner.fetch("select job from net.jobs")],
            "ledger": [],
            "database": [],
        }
        for mail in self.mailbox.received:
            for place, text in _parts(mail):
                caught.setdefault(f"mail {place}", []).append(text)
                caught["url"] += _LINK.findall(text) if isinstance(text, str) else []
        async with httpx.AsyncClient() as http:
            for address in self.operators:
                caught["metrics"].append((await http.get(address)).raise_for_status().content)
        for schema, table in await self.owner.fetch(_TABLES):
            dump = io.BytesIO()
            await self.owner.copy_from_table(table, schema_name=schema, output=dump)
            caught["ledger" if table in LEDGER else "database"].append(dump.getvalue())
        return caught


def leaks(caught: Caught, words: Mapping[str, Canary], sealed: Collection[str] = SEALED) -> set[tuple[str, str]]:
    """Where which word stands, in whatever form, and must not: (place, word)."""
    return {
        (place, sort)
        for place, texts in caught.items()
        for sort, word in words.items()
        if (place != "database" or sort in sealed) and any(word.found(text) for text in texts)
    }


def _parts(mail: Mail) -> Iterator[tuple[str, str | bytes]]:
    """Every part of an email as its reader gets it, and the bytes as they came; but for whom it is to."""
    yield "envelope", mail.sender
    yield "subject", str(mail.message["Subject"])
    yield "raw", _TO.sub(b"", mail.raw, count=1)
    for part in mail.message.walk():
        assert isinstance(part, EmailMessage)
        yield from (("headers", f"{name}: {value}") for name, value in part.items() if name != "To")
        if not part.is_multipart():
            content = part.get_content()
            yield part.get_content_type(), content if isinstance(content, str) else bytes(content)


@contextlib.asynccontextmanager
async def monitored(url: str) -> AsyncIterator[list[str]]:
    """Everything that goes to Redis meanwhile."""
    heard: list[str] = []
    async with redis.Redis.from_url(url) as client, client.monitor() as monitor:

        async def listen() -> None:
            async for command in monitor.listen():
                heard.append(command["command"])

        listening = asyncio.create_task(listen())
        yield heard
        await all_heard(url, heard)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def all_heard(url: str, heard: list[str]) -> None:
    """Wait until whatever went to Redis before this has been heard."""
    end = secrets.token_hex(8)
    async with redis.Redis.from_url(url) as teller, asyncio.timeout(20):
        await teller.echo(end)
        while not any(end in command for command in heard):
            await asyncio.sleep(0.01)

"""Leaks to be found: a word in each place where none may be, brought there the way that it would get there."""

import base64
import json
import logging
from collections.abc import Awaitable, Callable
from email.message import EmailMessage

import pytest
import redis.asyncio as redis
from prometheus_client import Counter

from server import jobs, logs, metrics
from server.config import Settings
from server.dev.embedded import free_port
from server.ids import DeviceId, MailId, PersonId, now
from server.inspection import open_to_operators
from server.notices import mailing, pushing
from server.notices.devices import Device
from server.notices.mailing import Letter, Mail, Sender
from server.notices.payload import Push
from server.notices.pushing import Pusher
from server.notices.relay import Relay, Where
from server.readiness import Readiness
from tests.support.house import FROM, PAGES, House

Plant = Callable[[House, Settings, Pusher, str], Awaitable[None]]


async def in_a_push(house: House, _settings: Settings, pusher: Pusher, word: str) -> None:
    """The payload, before it is encrypted for the device."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pushing, "encoded", lambda _push: json.dumps({"title": f"From {word}"}).encode())
        await push(house, pusher)


async def in_a_header_of_a_push(house: House, _settings: Settings, pusher: Pusher, word: str) -> None:
    topic = base64.urlsafe_b64encode(word.encode()).decode().rstrip("=")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pushing, "headers", lambda *_: {"TTL": "60", "Topic": topic, "Urgency": "high"})
        await push(house, pusher)


async def push(house: House, pusher: Pusher) -> None:
    to = house.net.endpoint.register()
    device = Device(DeviceId.new(), PersonId("tm_1"), to.endpoint, to.p256dh, to.auth)
    answer = await pusher.push(device, Push("message", "ch_1", 1), 60, now())
    assert answer.outcome == "sent"


def in_an_email(change: Callable[[EmailMessage, str], None]) -> Plant:
    """An email as it is composed, with one thing changed, through the relay."""

    async def plant(_house: House, settings: Settings, _pusher: Pusher, word: str) -> None:
        mail = Mail(MailId.new(), "somebody@clinic.invalid", "patient", None, "c" * 30, now())
        made = mailing.build(mail, Sender(FROM, PAGES))
        change(made, word)
        relay = Relay(Where.of(settings))
        await relay.send(Letter(made["From"].addresses[0].addr_spec, mail.to, made["Message-ID"], made.as_bytes()))
        await relay.close()

    return plant


def subject(mail: EmailMessage, word: str) -> None:
    mail.replace_header("Subject", f"Grüße: {word}")


def header(mail: EmailMessage, word: str) -> None:
    mail["X-Channel"] = f"Gespräch {word}"


def sender(mail: EmailMessage, word: str) -> None:
    mail.replace_header("From", f"{word}@clinic.example")


def link(mail: EmailMessage, word: str) -> None:
    text(mail, f"https://chat.clinic.example/?channel={word}")


def _part(mail: EmailMessage, number: int) -> EmailMessage:
    part = mail.get_payload(number)
    assert isinstance(part, EmailMessage)
    return part


def text(mail: EmailMessage, word: str) -> None:
    _part(mail, 0).set_content(f"{'so ' * 22}{word} schön", cte="quoted-printable")


def html(mail: EmailMessage, word: str) -> None:
    _part(mail, 1).set_content(f"<p>{word}</p>", subtype="html", charset="utf-16-be", cte="base64")


async def in_a_log(house: House, _settings: Settings, _pusher: Pusher, word: str) -> None:
    """The product's own pipe, at DEBUG."""
    log, path = logging.getLogger("workers.email"), house.net.logs[0].with_name("planted.log")
    handler = logging.FileHandler(path)
    handler.setFormatter(logs.formatter())
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.debug("a mail about %r", word.encode("utf-16-le"))
    log.setLevel(logging.NOTSET)
    log.removeHandler(handler)
    handler.close()
    house.net.logs.append(path)


async def in_a_metric(house: House, settings: Settings, _pusher: Pusher, word: str) -> None:
    """The operators' port of a process: of this one."""
    port = free_port()
    planted = Counter("planted", "A leak.", ["name"], registry=metrics.REGISTRY)
    planted.labels(word).inc()
    house.undo.callback(metrics.REGISTRY.unregister, planted)
    settings = settings.model_copy(update={"metrics_port": port})
    await house.undo.enter_async_context(open_to_operators(settings, Readiness(house.clinic.database)))
    house.net.operators.append(f"http://127.0.0.1:{port}/metrics")


async def in_a_job(house: House, _settings: Settings, _pusher: Pusher, word: str) -> None:
    async with house.clinic.database.transaction() as tx:
        await jobs.enqueue(tx, "nobody.does.this", {"name": word})


async def in_redis(_house: House, settings: Settings, _pusher: Pusher, word: str) -> None:
    async with redis.Redis.from_url(settings.redis_url) as client:
        await client.set("planted", base64.b64encode(f"so {word}".encode()), ex=1)


async def in_a_url(house: House, _settings: Settings, _pusher: Pusher, word: str) -> None:
    await house.http.get("/api/patients", params={"q": f"é{word}"})


async def in_the_ledger(house: House, _settings: Settings, _pusher: Pusher, word: str) -> None:
    await house.net.owner.execute("update mails set why = $1", f"550 no mailbox {word}")


async def in_a_dump(house: House, _settings: Settings, _pusher: Pusher, word: str) -> None:
    """An index of words, as a search might have one."""
    await house.net.owner.execute("create table found_words (word bytea)")
    await house.net.owner.execute("insert into found_words values ($1)", f"so {word}".encode("utf-16-be"))
    house.undo.push_async_callback(house.net.owner.execute, "drop table found_words")


PLANTS: dict[str, Plant] = {
    "push payload": in_a_push,
    "push headers": in_a_header_of_a_push,
    "mail subject": in_an_email(subject),
    "mail headers": in_an_email(header),
    "mail envelope": in_an_email(sender),
    "mail text/plain": in_an_email(text),
    "mail text/html": in_an_email(html),
    "mail raw": in_an_email(html),
    "log": in_a_log,
    "metrics": in_a_metric,
    "job": in_a_job,
    "redis": in_redis,
    "url": in_a_url,
    "url in a mail": in_an_email(link),
    "ledger": in_the_ledger,
    "database": in_a_dump,
}
"""A leak for each place."""

"""Nothing that anybody writes, and no name, address or file name, gets into what reaches people who are away, or onto its way.

A gateway and a worker as processes, at log level DEBUG, over a real Redis, push service and mail relay; everything that takes
words is given marked ones, and all that comes out is searched for them in whatever form. Then a leak is planted in each place
in turn, and found there: by the same search of the same things.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from server.config import Settings
from server.dev.embedded import free_port
from server.notices.pushing import Pusher
from server.operations import OPERATIONS
from tests.support.canary import Canary
from tests.support.cast import Clinic
from tests.support.house import FROM, PAGES, SORTS, House, canaries
from tests.support.mailbox import Mailbox, relaying
from tests.support.net import SEALED, Net, all_heard, leaks, monitored
from tests.support.plants import PLANTS
from tests.support.push_endpoint import PushEndpoint
from tests.support.push_fixtures import endpoint, push_certificate, push_settings, pusher
from tests.support.site import Gateway, Site
from tests.support.wire import Wire
from tests.support.world import everything

__all__ = ["endpoint", "push_certificate", "push_settings", "pusher"]


@pytest.fixture
def words() -> dict[str, Canary]:
    return canaries(*SORTS)


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with relaying() as made:
        yield made


@pytest.fixture
def settings(push_settings: Settings, mailbox: Mailbox, redis_url: str) -> Settings:
    """Under which this process reaches the same push service and relay as the others."""
    url = f"smtp://127.0.0.1:{mailbox.port}"
    mail = {"smtp_url": url, "mail_from": FROM, "public_url": PAGES}
    return push_settings.model_copy(update={"redis_url": redis_url, **mail})


@asynccontextmanager
async def working(environment: dict[str, str], port: int, log: Path) -> AsyncIterator[None]:
    """A worker as a process."""
    worker = Gateway(environment | {"WARMLINE_METRICS_PORT": str(port)}, free_port(), log, ("workers",))
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(30):
            while True:
                assert worker.process.poll() is None, log.read_text()
                try:
                    await http.get(f"http://127.0.0.1:{port}/health/live")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield
    finally:
        assert await worker.stop() == 0, log.read_text()[-2000:]


@pytest.fixture
async def house(
    site: Site, clinic: Clinic, words: dict[str, Canary], settings: Settings, endpoint: PushEndpoint, mailbox: Mailbox,
    owner: asyncpg.Connection, redis_url: str, tmp_path: Path,
) -> AsyncIterator[House]:  # fmt: skip
    environment = {
        "WARMLINE_LOG_LEVEL": "DEBUG",
        "WARMLINE_LOG_FORMAT": "json",
        "WARMLINE_VAPID_KEY_FILE": str(settings.vapid_key_file),
        "WARMLINE_VAPID_SUBJECT": str(settings.vapid_subject),
        "WARMLINE_PUSH_LOCAL": endpoint.origin,
        "WARMLINE_SMTP_URL": str(settings.smtp_url),
        "WARMLINE_MAIL_FROM": FROM,
        "WARMLINE_PUBLIC_URL": PAGES,
    }
    ports, worker_log = (free_port(), free_port()), tmp_path / "worker.log"
    gateway = await site.gateway(**environment, WARMLINE_METRICS_PORT=str(ports[0]))
    operators = [f"http://127.0.0.1:{port}/metrics" for port in ports]
    async with (
        working(os.environ | site.environment | environment, ports[1], worker_log),
        monitored(redis_url) as heard,
    ):
        net = Net(endpoint, mailbox, owner, heard, [gateway.log, worker_log], operators)
        await net.set_out()

        async def noted(request: httpx.Request) -> None:
            net.urls.append(str(request.url))

        hooks: Any = {"request": [noted]}
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30, event_hooks=hooks) as http:
            made = House(site, clinic, gateway, net, http, words)
            async with made.undo:
                yield made


async def talk(house: House) -> tuple[str, str]:
    """Everybody writes wherever they can, changes it, and takes it back; (patient, channel of the care team)."""
    admin, colleague, patient = (
        await house.with_device(house.clinic.clinician),
        await house.member(),
        await house.patient(),
    )
    await house.net.owner.execute("update people set email = $1 where id = $2", house.email(), admin)
    name = f"Clinic {house.words['organization']}"
    await house.call(admin, "organization.update", name=name, contact_text=house.say("contact"))
    opened = await house.call(admin, "channel.activate", patient_id=patient, team_member_ids=[admin, colleague])
    care: str = opened["channel_id"]
    more: dict[str, Any] = {"kind": "group", "person_ids": [patient, await house.patient(), colleague]}
    group = (await house.call(admin, "channel.open", name=house.say("channel"), **more))["channel_id"]
    await house.call(admin, "channel.rename", channel_id=group, name=house.say("channel"))
    more = {"kind": "staff", "person_ids": [colleague], "patient_id": patient}
    staff = (await house.call(admin, "channel.open", name=house.say("channel"), **more))["channel_id"]
    await house.call(patient, "channel.profile", channel_id=group, display_name=house.say("display"))
    for channel, people in ((care, (patient, admin)), (group, (patient, colleague)), (staff, (admin, colleague))):
        for person in people:
            first = await house.send(person, channel)
            await house.send(person, channel, reply_to=first["message_id"])
        about = {"channel_id": channel, "message_id": first["message_id"]}
        await house.call(person, "message.edit", expected_revision=1, text=house.say("body"), **about)
        await house.call(person, "message.delete", expected_revision=2, reason=house.say("reason"), **about)
        await house.send(person, channel)
    wire = await Wire.open(house.gateway.socket_url, house.site.token(house.clinic.identity(admin)))
    await wire.subscribe(care)
    await wire.send(care, house.say("body"), "by-wire")
    await wire.close()
    return patient, care


async def document(house: House, patient: str) -> None:
    """Whatever is written down about a group and who is in it."""
    who = house.clinic.clinician
    named = {"name": house.say("channel"), "description": house.say("channel"), "type": "therapy"}
    group = (await house.call(who, "group.create", **named))["id"]
    guest = {"display_name": house.say("legal"), "contact": {"email": house.email()}, "notes": house.say("note")}
    for member in (
        {"member_type": "guest", "guest_id": (await house.call(who, "guest.create", **guest))["id"]},
        {"member_type": "patient", "patient_id": patient},
    ):
        await house.call(who, "group_member.add", group_id=group, notes=house.say("note"), **member)
    session = {"group_id": group, "type": "group-therapy", "encounter_date": "2025-01-01T00:00:00Z"}
    made = await house.call(who, "encounter.create_for_group", chief_complaint=house.say("note"), **session)
    note = {"encounter_id": made["id"], "note_type": "session_note", "content": house.say("note")}
    await house.call(who, "encounter_note.create", **note)


async def everything_else(house: House) -> None:
    """Every operation there is, with words in whatever takes any: a new one joins by itself."""
    caller = await house.clinic.team_member("ADMIN")
    ids = await everything(house.clinic, "care_team", caller)
    await house.with_device(caller)
    for operation in sorted(OPERATIONS, key=lambda one: one.name == "sign_out"):
        await house.ask(caller, operation.name, house.words["anything"].params(operation.params, ids))


async def reach(house: House, patient: str, care: str) -> None:
    """Pushes and emails go out, some of them in vain; a channel stands unattended; somebody has enough of emails."""
    net, admin = house.net, house.clinic.clinician
    email = house.words["email"]
    net.mailbox.tell("RCPT", f"550 5.1.1 <{email}1@clinic.invalid>: no mailbox {email}", f"451 4.2.1 {email} later")
    late = "update notices set due_at = now() - interval '1 minute' where medium = 'email' and status = 'due'"
    asked = "update mails set due_at = now() - interval '1 minute' where status = 'sending' and claimed_until is null"
    await house.until("select not exists (select from channels c join notice_marks k on k.channel_id = c.id "
                      "where k.planned_offset < c.top_offset) and exists (select from unattended)")  # fmt: skip
    await net.owner.execute("update messages set created_at = created_at - interval '6 minutes'")
    await net.owner.execute("update unattended set due_at = now() - interval '1 minute'")
    await net.owner.execute(late)
    await house.until("select exists (select from notices where cause = 'unattended' and status <> 'due')")
    async with asyncio.timeout(20):
        while len({mail.to[0] for mail in net.mailbox.received}) < 3:  # of four; one is refused for good
            await net.owner.execute(asked)
            await net.owner.execute(late)
            await asyncio.sleep(0.1)
    link = urlsplit(net.mailbox.received[0].message["List-Unsubscribe"].strip("<>")).path
    assert (await house.http.get(link)).status_code == 200
    assert (await house.http.post(link, data={"List-Unsubscribe": "One-Click"})).status_code == 200
    net.endpoint.answer(house.devices[admin], 500, 410)
    await house.send(patient, care)
    await house.until("select exists (select from devices where removed_why = 'gone')")
    top = await house.clinic.top(care)
    await house.call(patient, "channel.read", channel_id=care, offset=top)


async def leave(house: House) -> None:
    """A colleague is archived, by a job."""
    admin = house.clinic.clinician
    [gone] = await house.net.owner.fetch("select id from team_members where name like '%' || $1 || '%' limit 1",
                                         str(house.words["colleague"]))  # fmt: skip
    await house.call(admin, "team_member.archive", team_member_id=gone["id"])
    await house.until(
        "select exists (select from archivings) and not exists (select from archivings where status = 'pending')"
    )


async def addressed_to(house: House) -> set[bool]:
    """Whether each email went to its own person, and to nobody else."""
    right = set()
    for mail in house.net.mailbox.received:
        id = str(mail.message["Message-ID"]).strip("<>").partition("@")[0]
        query = "select p.email from mails m join people p on p.id = m.person_id where m.id = $1"
        email = await house.net.owner.fetchval(query, id)
        right.add([email] == mail.to == [str(mail.message["To"])])
    return right


def keys(house: House) -> list[str]:
    """What opens something: where devices take pushes, and the links that switch emails off."""
    endpoints = [one.path for one in house.net.endpoint.received]
    links = [str(mail.message["List-Unsubscribe"]).strip("<>") for mail in house.net.mailbox.received]
    return [address.rpartition("/")[2] for address in (*endpoints, *links)]


def raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.catalogue("S21", "S34")
async def test_what_reaches_people_who_are_away_and_its_way_hold_nothing_that_was_said(
    house: House, settings: Settings, pusher: Pusher, redis_url: str
) -> None:
    patient, care = await talk(house)
    await document(house, patient)
    await reach(house, patient, care)
    await leave(house)
    await everything_else(house)
    await all_heard(redis_url, house.net.redis)
    caught = await house.net.catch()
    assert leaks(caught, house.words) == set()
    assert await addressed_to(house) == {True}
    for place in ("log", "metrics", "redis", "job"):
        assert not [key for key in keys(house) if any(key.encode() in raw(text) for text in caught[place])], place
    # Not in vain: the words came in, and something came out everywhere.
    stored = {sort for sort, word in house.words.items() if any(word.found(text) for text in caught["database"])}
    assert stored >= set(SORTS) - {*SEALED, "file", "organization", "contact"}  # the last two were changed once more
    read = await house.call(house.clinic.clinician, "message.history", channel_id=care)
    assert house.words["body"].found(str(read))
    assert b'"level": "debug"' in raw(caught["log"][0])
    assert all(caught[place] for place in caught), {place: len(texts) for place, texts in caught.items()}
    assert {place.partition(" in ")[0] for place in PLANTS} == set(caught)
    # Nor would any leak stay unseen.
    assert len(keys(house)) >= 6
    planted = canaries(*PLANTS)
    for place, plant in PLANTS.items():
        await plant(house, settings, pusher, str(planted[place]))
    await all_heard(redis_url, house.net.redis)
    found = leaks(await house.net.catch(), planted, sealed=set(planted))
    assert [place for place in PLANTS if (place.partition(" in ")[0], place) not in found] == []
    assert await addressed_to(house) == {True, False}

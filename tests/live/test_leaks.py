"""The leak crawl: a patient of two groups collects whatever the server can send them, and learns of other patients what they
chose to show, and nothing else (domain.md §1). What is planted is found."""

import contextlib
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from PIL import Image

from server import ids as typed
from server.ids import Id
from server.operations import OPERATIONS
from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.crawl import Pile
from tests.support.samples import sample
from tests.support.site import Gateway, Site
from tests.support.wire import Refused, Wire

LAST = ("channel.leave", "sign_out")
"""What one can do once only."""


def picture(colour: str, secret: str) -> bytes:
    """A photograph that says whose it is."""
    exif = Image.Exif()
    exif[0x010F] = secret
    into = io.BytesIO()
    Image.new("RGB", (300, 300), colour).save(into, "JPEG", exif=exif, comment=secret.encode())
    return into.getvalue()


class Person:
    """A patient at their page: a wire and HTTP."""

    def __init__(self, clinic: Clinic, site: Site, gateway: Gateway, person: str, wire: Wire) -> None:
        self.clinic, self.id, self.wire = clinic, person, wire
        headers = {"Authorization": f"Bearer {site.token(clinic.identity(person))}"}
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", headers=headers)

    async def show(self, colour: str, channel: str | None = None) -> None:
        """Give a picture."""
        path = f"/api/channels/{channel}/picture" if channel else "/api/profile/picture"
        answer = await self.http.put(path, content=picture(colour, f"Legal {self.id}"))
        assert answer.status_code == 204

    async def secrets(self, name: str) -> dict[str, str]:
        """What of them no other patient may learn."""
        [row] = await self.clinic.sql(
            "select p.email, a.legal_name, a.preferred_name from people p join patients a on a.id = p.id where p.id = $1",
            self.id,
        )
        return {f"{name}'s {what}": value for what, value in row.items()} | {
            f"{name}'s person id": self.id,
            f"{name}'s connection id": self.wire.welcome["client"],
        }


@dataclass
class Crawl:
    """What the reader got, and what is known of the others to look for in it."""

    pile: Pile
    secrets: dict[str, str]
    hidden: tuple[str, str]
    """The memberships of somebody who is shown otherwise in each of the two channels."""
    open: tuple[str, str]
    """Those of somebody who is shown alike in both."""
    shown: str


async def act(person: Person, channels: list[str], manager: Person) -> None:
    """Somebody writes, edits, deletes, reads, is moderated, goes and comes back, in each channel."""
    for number, channel in enumerate(channels):
        ids = []
        for n in range(4):
            sent = await person.wire.send(
                channel, f"Text {n} of {number} by {id(person)}", f"{n} {number} {id(person)}"
            )
            ids.append(sent["message_id"])
        at = {"channel_id": channel, "expected_revision": 1}
        await person.wire.rpc("message.edit", text=f"Edited {number} {id(person)}", message_id=ids[0], **at)
        await person.wire.rpc("message.delete", message_id=ids[1], **at)
        await manager.wire.rpc(
            "message.edit", text=f"Moderated {number} {id(person)}", message_id=ids[2], reason="Why", **at
        )
        for one in (person, manager):
            await one.wire.rpc("channel.read", channel_id=channel, offset=2)


def everything_named(ids: dict[str, str]) -> dict[str, str]:
    """An id for whatever a parameter may name: one that is known, or one that is nobody's."""
    kinds = [
        kind for kind in vars(typed).values() if isinstance(kind, type) and issubclass(kind, Id) and kind is not Id
    ]
    made = {}
    for kind in kinds:
        with contextlib.suppress(TypeError):
            made[kind.names] = str(kind.new())
    return made | ids


async def crawl(reader: Person, channels: list[str], pile: Pile) -> None:
    """Ask everything that there is to ask, by both ways, with every id that was heard of."""
    for channel in channels:
        listed = (await reader.wire.rpc("channel.directory", channel_id=channel))["members"]
        page = (await reader.wire.rpc("message.history", channel_id=channel))["items"]
        for member in (one for one in listed if one["kind"] == "patient" and not one["me"]):
            others = [item["id"] for item in page if item.get("author") == member["id"]]
            known = {"channel": channel, "membership": member["id"], "patient": reader.id, "person": reader.id}
            await ask_all(reader, everything_named(known | ({"message": others[0]} if others else {})), pile)
            if member["picture"]:
                for size in ("large", "small"):
                    path = f"/api/channels/{channel}/members/{member['id']}/picture/{member['picture']}"
                    answer = await reader.http.get(path, params={"size": size})
                    assert answer.status_code == 200
                    pile.add(path, raw(answer), of=member["id"])
        for command in ("presence", "presence_stats"):
            with pytest.raises(Refused):
                await reader.wire.ask(**{command: {"channel": channel}})
        assert (await reader.wire.ask(history={"channel": channel, "limit": -1}))["publications"]


async def ask_all(reader: Person, ids: dict[str, str], pile: Pile) -> None:
    for operation in OPERATIONS:
        if operation.name not in LAST and not (
            operation.name == "profile.update" or operation.name == "channel.profile"
        ):
            params = sample(operation.params, ids)
            with contextlib.suppress(Refused):
                await reader.wire.rpc(operation.name, **params)
            path = operation.path
            rest = {}
            for name, value in params.items():
                if f"{{{name}}}" in path:
                    path = path.replace(f"{{{name}}}", str(value))
                else:
                    rest[name] = value
            more: dict[str, Any] = {"json": rest} if operation.method in ("POST", "PUT") else {"params": rest}
            pile.add(f"{operation.method} {path}", raw(await reader.http.request(operation.method, path, **more)))


def raw(answer: httpx.Response) -> bytes:
    """An answer with its headers, but for those that differ by themselves."""
    lines = [f"{name}: {value}" for name, value in answer.headers.items() if name not in ("date", "x-request-id")]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.content


@pytest.fixture
async def people(pair: Pair, site: Site, clinic: Clinic, connect: Connect) -> AsyncIterator[dict[str, Person]]:
    made = {}
    for name in ("reader", "hidden", "open", "manager"):
        person = clinic.clinician if name == "manager" else await clinic.patient()
        names = (person, f"Legal {person}", f"Called {person[3:]}")
        await clinic.sql("update patients set legal_name = $2, preferred_name = $3 where id = $1", *names)
        gateway = pair.a if name == "reader" else pair.b
        made[name] = Person(clinic, site, gateway, person, await connect(gateway, person))
    yield made
    for one in made.values():
        await one.http.aclose()


@pytest.fixture
async def crawled(people: dict[str, Person], clinic: Clinic, pair: Pair, connect: Connect) -> Crawl:
    reader, hidden, open_, manager = people.values()
    channels = [str(await clinic.channel("group", clinic.clinician, reader.id)) for _ in range(2)]
    member: dict[tuple[str, str], str] = {}
    for channel in channels:
        for person in (hidden, open_):
            added = await manager.wire.rpc("member.add", channel_id=channel, person_id=person.id)
            member[person.id, channel] = added["member_id"]
    for channel in channels:
        await reader.wire.subscribe(channel)
    await open_.wire.rpc("profile.update", display_name="Kingfisher")
    await open_.show("green")
    await hidden.wire.rpc("profile.update", display_name="Cormorant")
    await hidden.show("black")
    for channel, name, colour in zip(channels, ("Bluebird", "Redstart"), ("blue", "red"), strict=True):
        await hidden.show(colour, channel)
        await hidden.wire.rpc("channel.profile", channel_id=channel, display_name=name, picture="own")
    for person in (hidden, open_):
        await act(person, channels, manager)
    pile = Pile()
    await crawl(reader, channels, pile)
    late = await connect(pair.b, reader.id)
    for channel in channels:
        await late.subscribe(channel, recover=True, epoch="", offset=0)
    for name in LAST:
        with contextlib.suppress(Refused):
            await reader.wire.rpc(name, channel_id=channels[1])
    for number, frame in enumerate([*reader.wire.heard, *late.heard]):
        pile.add(f"frame {number}", frame)
    secrets = await hidden.secrets("hidden") | await open_.secrets("open")
    first, second = channels
    return Crawl(
        pile, secrets | {"hidden's name elsewhere": "Cormorant"},
        (member[hidden.id, first], member[hidden.id, second]), (member[open_.id, first], member[open_.id, second]), "Kingfisher",
    )  # fmt: skip


PLACES = (
    '{{"push":{{"pub":{{"data":{{"name":"{}"}}}}}}}}', "x-author: {}\r\n\r\n{{}}", '{{"error":{{"message":"No {} here"}}}}',
    "RIFF....WEBPEXIF{}", '{{"presence":{{"{}":{{}}}}}}', "GET /media/{}",
)  # fmt: skip
"""A frame, a header, an error, a picture, presence, an address."""


TRAITS = (
    '"picture":"/media/0123456789abcdef"', '"avatar_id":"pic_0123456789"', '"hash":"sha256-deadbeef"', '"updated":1767261600123',
    '"changed_at":"2026-01-01T10:00:00.123Z"',
)  # fmt: skip
"""What links two members if it is said of both: an address, an id, a hash, times."""


def planted(crawl: Crawl) -> Iterator[tuple[str, Pile]]:
    """The pile, with one thing more in it that must not be there: a secret of each sort, in each place, and encoded."""
    for name, secret in crawl.secrets.items():
        for content in (*(place.format(secret) for place in PLACES), secret.encode().hex()):
            yield name, _with(crawl.pile, content)


def _with(pile: Pile, *contents: str, of: tuple[str, ...] = ("",)) -> Pile:
    more = Pile([*pile.records])
    for content, whose in zip(contents, of * len(contents) if of == ("",) else of, strict=False):
        more.add("planted", content, whose)
    return more


@pytest.mark.catalogue("S08")
async def test_a_patient_learns_of_others_what_they_chose_to_show_and_nothing_else(crawled: Crawl) -> None:
    pile = crawled.pile
    assert len(pile.records) > 300
    assert not any(b'"code":111' in record.content for record in pile.records), "asked too fast to be answered"
    everything = b"".join(record.content for record in pile.records)
    there = (
        "Bluebird",
        "Redstart",
        "Kingfisher",
        "Text 3 of 0",
        "Moderated",
        '"code":103',
        '"changed_by":"team_member"',
    )
    for expected in (*there, '"type":"profile"', '"type":"seen"', '"was_recovering":true', "content-type: image/webp"):
        assert expected.encode() in everything, expected
    assert {record.of for record in pile.records if record.of} == {*crawled.hidden, *crawled.open}
    assert pile.leaks(crawled.secrets) == []

    assert pile.links(*crawled.hidden) == set(), "nobody can tell that these two are one person"
    shown = {
        hashlib.sha256(record.content.partition(b"\r\n\r\n")[2]).hexdigest()
        for record in pile.records
        if record.of == crawled.open[0]
    }
    lengths = {value for value in pile.links(*crawled.open) if value.startswith("content-length: ")}
    assert pile.links(*crawled.open) - lengths == {crawled.shown, *shown}, "name and picture alone say so"

    for name, spoiled in planted(crawled):
        assert ("planted", name) in spoiled.leaks(crawled.secrets), name
    one, two = crawled.hidden
    for trait in TRAITS:
        spoiled = _with(pile, f'{{"member":"{one}",{trait}}}', f'{{"members":[{{"id":"{two}",{trait}}}]}}')
        assert len(spoiled.links(one, two)) == 1, trait
    for header in ('etag: "abc123"', "last-modified: Thu, 01 Jan 2026 10:00:00 GMT"):
        spoiled = _with(pile, f"{header}\r\n\r\nbytes one", f"{header}\r\n\r\nbytes two", of=(one, two))
        assert spoiled.links(one, two) == {header}
    spoiled = _with(pile, "\r\n\r\nsame bytes", "\r\n\r\nsame bytes", of=(one, two))
    assert len(spoiled.links(one, two)) == 1

"""Pictures by HTTP: whoever shares a channel sees them, under an address that links nothing; nobody else sees anything."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from PIL import Image

from server.chat import reencryption
from server.crypto import KeyRing
from tests.support.cast import MASTER, Clinic
from tests.support.front import Front


def picture(colour: str) -> bytes:
    into = io.BytesIO()
    Image.new("RGB", (320, 300), colour).save(into, "JPEG")
    return into.getvalue()


async def give(
    front: Front, person: str, content: bytes, channel: str | None = None, clinic: Clinic | None = None
) -> httpx.Response:
    path = "/api/profile/picture" if channel is None else f"/api/channels/{channel}/picture"
    return await front.send(front.token(person, clinic), "PUT", path, content=content)


async def shown(front: Front, reader: str, channel: str, member: str) -> str | None:
    """Where the picture of a member is for this reader."""
    listed = await front.clinic.call(reader, "channel.directory", channel_id=channel)
    [word] = [one["picture"] for one in listed["members"] if one["id"] == member]
    return f"/api/channels/{channel}/members/{member}/picture/{word}" if word else None


async def fetch(front: Front, reader: str, path: str | None, **params: Any) -> httpx.Response:
    assert path is not None
    return await front.send(front.token(reader), "GET", path, params=params)


@pytest.fixture
async def scene(clinic: Clinic) -> tuple[str, str, str, str, str, str]:
    """A patient and another one in two groups; the patient's membership of each."""
    patient, other = await clinic.patient(), await clinic.patient()
    one, two = [await clinic.channel("group", clinic.clinician, patient, other) for _ in range(2)]
    return patient, other, one, two, await clinic.membership(one, patient), await clinic.membership(two, patient)


Scene = tuple[str, str, str, str, str, str]


async def test_who_shares_a_channel_sees_it(front: Front, scene: Scene) -> None:
    patient, other, one, two, in_one, in_two = scene
    assert await shown(front, other, one, in_one) is None
    assert (await give(front, patient, picture("teal"))).status_code == 204
    for reader in (patient, other, front.clinic.clinician):
        for size, side in (("large", 256), ("small", 64)):
            answer = await fetch(front, reader, await shown(front, reader, one, in_one), size=size)
            with Image.open(io.BytesIO(answer.content)) as seen:
                assert (answer.status_code, seen.format, seen.size) == (200, "WEBP", (side, side))
    headers = answer.headers
    assert headers["content-type"] == "image/webp"
    assert headers["cache-control"] == "private, no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert not {"etag", "last-modified", "expires"} & set(headers)
    assert (await front.clinic.call(patient, "profile.get"))["has_picture"] is True
    first, second = await shown(front, other, one, in_one), await shown(front, other, two, in_two)
    assert str(first).split("/")[-1] != str(second).split("/")[-1]
    assert (await fetch(front, other, first)).content == (await fetch(front, other, second)).content


async def test_another_in_one_channel_or_none_there(front: Front, scene: Scene) -> None:
    patient, other, one, two, in_one, in_two = scene
    await give(front, patient, picture("teal"))
    default = await shown(front, other, two, in_two)
    await give(front, patient, picture("red"), two)
    own = await shown(front, other, two, in_two)
    assert own != default
    assert (await fetch(front, other, default)).status_code == 404
    assert (await fetch(front, other, own)).content != (
        await fetch(front, other, await shown(front, other, one, in_one))
    ).content
    for picture_is, expected in (("default", default), ("none", None)):
        await front.clinic.call(patient, "channel.profile", channel_id=two, picture=picture_is)
        assert await shown(front, other, two, in_two) == expected
    await front.send(front.token(patient), "DELETE", f"/api/channels/{one}/picture")
    assert await shown(front, other, one, in_one) is None
    await front.send(front.token(patient), "DELETE", "/api/profile/picture")
    await front.clinic.call(patient, "channel.profile", channel_id=two, picture="default")
    assert await shown(front, other, two, in_two) is None


@pytest.mark.catalogue("S08")
async def test_nobody_else_sees_anything(front: Front, scene: Scene, elsewhere: Clinic) -> None:
    patient, other, one, _, in_one, in_two = scene
    await give(front, patient, picture("teal"))
    path = await shown(front, other, one, in_one)
    stranger, foreign = await front.clinic.patient(), await elsewhere.patient()
    nothing = f"/api/channels/{one}/members/{in_one}/picture/{'0' * 32}"
    swapped = (path or "").replace(in_one, in_two)
    answers = [await fetch(front, stranger, path), await fetch(front, await front.clinic.team_member("SUPERUSER"), path),
               await front.send(front.token(foreign, elsewhere), "GET", path or "")]  # fmt: skip
    assert {(one.status_code, one.json()["error"]["message"]) for one in answers} == {
        (404, "There is no such channel.")
    }
    for wrong in (nothing, swapped):
        assert (await fetch(front, other, wrong)).status_code == 404
    assert (await front.send(None, "GET", path or "")).status_code == 401
    late = await front.clinic.patient()
    await front.clinic.remove(one, patient)
    await front.clinic.add(one, late)
    assert (await fetch(front, late, path)).status_code == 404, "who left before is nobody they know"
    assert (await fetch(front, other, path)).status_code == 200
    await front.clinic.remove(one, other)
    assert (await fetch(front, other, path)).status_code == 404


async def test_what_is_given_wrongly_is_told(front: Front, scene: Scene, elsewhere: Clinic) -> None:
    patient, other, one, *_ = scene
    svg = await give(front, patient, b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert (svg.status_code, "JPEG, PNG, WebP or GIF" in svg.json()["error"]["message"]) == (422, True)
    assert (await give(front, patient, bytes(9 * 1024 * 1024))).status_code == 413
    assert (await give(front, front.clinic.clinician, picture("red"))).status_code == 403
    assert (await give(front, await front.clinic.patient(), picture("red"), one)).status_code == 404
    assert (await give(front, await elsewhere.patient(), picture("red"), one, elsewhere)).status_code == 404
    await front.clinic.archive(patient)
    assert (await give(front, patient, picture("red"))).status_code == 403
    assert await front.clinic.sql("select id from pictures where person_id = any ($1)", [patient, other]) == []


async def test_at_rest_it_is_encrypted_and_goes_along_when_keys_change(
    front: Front, scene: Scene, owner: asyncpg.Connection
) -> None:
    patient, other, one, _, in_one, _ = scene
    await give(front, patient, picture("teal"))
    before = (await fetch(front, other, await shown(front, other, one, in_one))).content
    [row] = await owner.fetch("select * from pictures where person_id = $1", patient)
    assert b"WEBP" not in row["large"] + row["small"]
    async with front.clinic.database.transaction() as tx:
        key_id, wrapped = MASTER.make(front.clinic.organization_id)
        await tx.rows(
            "update organization_keys set retired_at = now() where organization_id = $1", front.clinic.organization_id
        )
        await tx.rows(
            "insert into organization_keys values ($1, $2, $3)", front.clinic.organization_id, key_id, wrapped
        )
    progress = reencryption.Progress()
    while await reencryption.next_batch(owner, KeyRing(MASTER, owner), progress):
        pass
    [row] = await owner.fetch("select key_id from pictures where person_id = $1", patient)
    assert (row["key_id"], progress.unopened, progress.changed >= 1) == (key_id, [], True)
    assert (await fetch(front, other, await shown(front, other, one, in_one))).content == before


@pytest.mark.catalogue("S31")
async def test_one_size_does_not_open_as_the_other(front: Front, scene: Scene, owner: asyncpg.Connection) -> None:
    patient, other, one, _, in_one, _ = scene
    await give(front, patient, picture("teal"))
    await owner.execute("update pictures set large = small, small = large where person_id = $1", patient)
    for size in ("large", "small"):
        assert (await fetch(front, other, await shown(front, other, one, in_one), size=size)).status_code == 503


@pytest.mark.catalogue("S14")
async def test_who_may_not_is_told_before_the_file_is_read(front: Front, scene: Scene) -> None:
    patient, _, one, *_ = scene
    stranger = await front.clinic.patient()

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("nobody asked for it")
        yield b""

    for person, path, status in (
        (front.clinic.clinician, "/api/profile/picture", 403),
        (stranger, f"/api/channels/{one}/picture", 404),
    ):
        assert (await front.send(front.token(person), "PUT", path, content=unread())).status_code == status
    await front.clinic.archive(patient)
    assert (await front.send(front.token(patient), "PUT", "/api/profile/picture", content=unread())).status_code == 403


@pytest.mark.catalogue("S14")
async def test_one_person_gives_one_picture_at_a_time(front: Front, scene: Scene) -> None:
    patient, other, *_ = scene
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        begun.set()
        await go_on.wait()
        yield picture("teal")

    first = asyncio.create_task(front.send(front.token(patient), "PUT", "/api/profile/picture", content=slowly()))
    await begun.wait()
    assert (await give(front, patient, picture("red"))).status_code == 429
    assert (await give(front, other, picture("red"))).status_code == 204
    go_on.set()
    assert (await first).status_code == 204
    assert (await give(front, patient, picture("red"))).status_code == 204

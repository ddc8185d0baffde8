"""Frames and requests made to hurt, at a real process: it says no in the protocol's words, stays small, and serves others."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect as dial
from websockets.exceptions import InvalidStatus

from tests.gateway.raw import Raw
from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.site import Gateway, Site
from tests.support.wire import Refused, Wire

MIB = 1024 * 1024
DEEP = b"[" * 100_000 + b"]" * 100_000


def resident(gateway: Gateway) -> int:
    """Bytes of memory that the process holds."""
    [line] = [it for it in Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines() if "VmRSS" in it]
    return int(line.split()[1]) * 1024


@asynccontextmanager
async def raw(gateway: Gateway, token: str) -> AsyncIterator[Raw]:
    """A signed-in connection without a library."""
    client, _ = await Raw.to(gateway)  # type: ignore[arg-type]  # it has a port, which is all that is asked for
    client.send(1, b'{"id":1,"connect":{"token":"%s"}}' % token.encode())
    await client.frame()
    try:
        yield client
    finally:
        client.writer.transport.abort()


async def announced(client: Raw) -> None:
    """100 MB that never come."""
    client.writer.write(b"\x81\xff" + (100 * MIB).to_bytes(8, "big") + os.urandom(4) + b"{")
    assert await client.close_code() == 3501


async def fragments(client: Raw) -> None:
    """A million fragments of one byte, as far as they get."""
    client.writer.write(b"\x01\x80abcd")
    for _ in range(100):
        client.writer.write(b"\x00\x81abcdx" * 10_000)
    assert await client.close_code() == 3501


async def pings(client: Raw) -> None:
    """WebSocket pings whose answers nobody reads: they pile up, and the connection is aborted."""
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        with suppress(ConnectionError):
            while not client.writer.transport.is_closing():
                client.writer.write((b"\x89\xfd" + b"mask" + b"x" * 125) * 1_000)
                await client.writer.drain()
                await asyncio.sleep(0)


async def frames(client: Raw) -> None:
    """The largest messages that are let in, again and again."""
    for number in range(2, 12):
        client.send(1, b'{"id":%d,"rpc":{"method":"me","data":"%s"}}' % (number, b"x" * (MIB - 100)))
        assert b'"code":107' in (await client.frame())[1]


@pytest.mark.catalogue("S22", "R23")
async def test_frames_made_to_fill_memory_do_not(strict: Gateway, site: Site, clinic: Clinic, connect: Connect) -> None:
    gateway = strict
    token = site.token(clinic.identity(clinic.clinician))
    neighbour = await connect(gateway, await clinic.team_member())
    async with raw(gateway, token) as client:
        await frames(client)
    before = resident(gateway)
    for attack in (announced, fragments, pings, frames):
        for _ in range(2):
            async with raw(gateway, token) as client:
                await attack(client)
            assert await neighbour.rpc("me")
    assert resident(gateway) - before < 20 * MIB


@pytest.mark.catalogue("S22")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (DEEP, 422), (b'{"text":' + DEEP + b"}", 422), (b'{"limit":' + b"9" * 100_000 + b"}", 422), (b'{"text":NaN}', 422),
        (b'{"text":"a","text":7,"client_id":"c"}', 422), (b'{"text":"\xff"}', 422), (b"[1]", 422), (b"", 422),
        (b"x" * 300 * 1024, 413),
    ],
)  # fmt: skip
async def test_json_made_to_hurt(
    pair: Pair, site: Site, clinic: Clinic, connect: Connect, body: bytes, status: int
) -> None:
    """Over HTTP and, where it fits into a command, as an operation's parameters."""
    channel = await clinic.care_team(await clinic.patient())
    headers = {"Authorization": f"Bearer {site.token(clinic.identity(clinic.clinician))}"}
    async with httpx.AsyncClient(base_url=pair.a.url, headers=headers) as http:
        answer = await http.post(f"/api/channels/{channel}/messages", content=body)
        assert (answer.status_code, answer.json()["error"]["temporary"]) == (status, False)
        assert (await http.get("/api/me")).status_code == 200
    neighbour = await connect(pair.a, clinic.clinician)
    async with raw(pair.a, site.token(clinic.identity(clinic.clinician))) as client:
        client.send(1, b'{"id":2,"rpc":{"method":"message.send","data":%s}}' % (body or b"{}"))
        kind, said = await client.frame()
        assert kind == 0x88 or b'"error"' in said
    assert await neighbour.rpc("me")
    assert await clinic.offsets(channel) == [1]


@pytest.mark.catalogue("S01")
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://app.clinic.example", 101), (None, 101), ("https://app.clinic.example.evil", 403), ("null", 403), ("", 403),
        ("http://app.clinic.example", 403), ("https://app.clinic.example:444", 403), ("https://evil.example", 403),
        ("https://appxclinic.example", 403), ("https://app.clinic.example/", 403), ("https://APP.clinic.example", 403),
        ("https://evil.example https://app.clinic.example", 403), ("https://app.clinic.example@evil.example", 403),
    ],
)  # fmt: skip
async def test_pages_of_other_origins_get_no_socket(
    strict: Gateway, site: Site, clinic: Clinic, origin: str | None, status: int
) -> None:
    """And what a browser sends by itself, a cookie, is no sign-in."""
    token = site.token(clinic.identity(clinic.clinician))
    headers = {"Cookie": f"token={token}; access_token={token}"} | ({} if origin is None else {"Origin": origin})
    if status == 101:
        async with dial(strict.socket_url, additional_headers=headers) as socket:
            await socket.send('{"id":1,"connect":{}}')
            await socket.wait_closed()
            assert socket.close_code in (3500, 3501)  # for good
        return
    with pytest.raises(InvalidStatus) as refused:
        async with dial(strict.socket_url, additional_headers=headers):
            pass
    assert refused.value.response.status_code == status


@pytest.fixture(scope="module")
async def strict(site: Site) -> Gateway:
    """A gateway that takes pages of one origin."""
    return await site.gateway(WARMLINE_ALLOWED_ORIGINS="https://app.clinic.example")


@pytest.mark.catalogue("S03")
async def test_a_token_in_a_url_opens_nothing_and_is_not_written_down(
    strict: Gateway, site: Site, clinic: Clinic
) -> None:
    token = site.token(clinic.identity(clinic.clinician))
    queries = [f"{name}={token}" for name in ("token", "access_token", "jwt", "authorization", "cf_connect")]
    async with httpx.AsyncClient(base_url=strict.url) as http:
        for query in queries:
            assert (await http.get(f"/api/me?{query}")).status_code == 401
            async with dial(f"{strict.socket_url}?{query}") as socket:
                await socket.send('{"id":1,"connect":{}}')
                await socket.wait_closed()
                assert socket.close_code in (3500, 3501)  # for good
        for path in (f"/api/me/{token}", f"/{token}", f"/static/{token}", f"/connection/websocket/{token}"):
            assert (await http.get(path)).status_code == 404
        for path in ("/connection/sse", "/connection/http_stream", "/connection/uni_sse", "/emulation"):
            for method in ("GET", "POST"):
                assert (await http.request(method, path, params={"token": token})).status_code == 404
    log = strict.log.read_text()
    assert token not in log
    assert not any(part in log for part in token.split(".")[1:])


@pytest.mark.catalogue("S25")
async def test_five_hundred_connections_of_one_person(
    start: Start, site: Site, clinic: Clinic, connect: Connect
) -> None:
    gateway = await start(WARMLINE_CONNECTIONS_PER_PERSON="10")
    channel = await clinic.care_team(await clinic.patient())
    flooder = site.token(clinic.identity(await clinic.team_member()))
    victim = await connect(gateway, clinic.clinician)
    held: list[Wire] = []
    told: list[int] = []

    async def come() -> None:
        try:
            held.append(await Wire.open(gateway.socket_url, flooder))
        except Refused as refused:
            told.append(refused.code if refused.temporary else 0)
        except InvalidStatus as refused:
            told.append(refused.response.status_code)

    sent = []
    for batch in range(10):
        await asyncio.gather(*(come() for _ in range(50)))
        sent.append(await victim.send(channel, f"m{batch}", f"c{batch}"))
    assert len(held) == 10
    assert len(told) == 490
    assert set(told) <= {111, 503}
    assert [one["offset"] for one in sent] == list(range(2, 12))
    for wire in held:
        await wire.close()

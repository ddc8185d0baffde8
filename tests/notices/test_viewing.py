"""Who is reading right now: said by pages, kept for half a minute, forgotten by itself; and nobody, where Redis is away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import redis.asyncio as redis

from server.dev.embedded import Redis
from server.dispatching import Dispatcher
from server.errors import Invalid, NotFound
from server.ids import now
from server.notices.viewing import KEPT, Pair, Viewing
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.wire import Wire


@pytest.fixture
async def viewing(redis_url: str) -> AsyncIterator[Viewing]:
    made = Viewing(redis_url)
    yield made
    await made.close()


@pytest.fixture
async def pair(clinic: Clinic) -> Pair:
    channel = await clinic.care_team(await clinic.patient())
    return clinic.organization_id, channel, clinic.clinician


async def say(clinic: Clinic, viewing: Viewing, pair: Pair, visible: bool = True, page: str = "one") -> None:
    dispatcher = Dispatcher(clinic.database, clinic.batcher, viewing=viewing)
    params = {"channel_id": pair[1], "visible": visible, "page": page}
    assert await dispatcher.call(clinic.identity(pair[2]), "channel.viewing", params) == b"{}"


async def reading(viewing: Viewing, pair: Pair, later: float = 0) -> bool:
    return pair in await viewing.lapses([pair], now() + timedelta(seconds=later))


async def test_whoever_says_so_is_reading_for_half_a_minute(clinic: Clinic, viewing: Viewing, pair: Pair) -> None:
    assert not await reading(viewing, pair)
    before = now()
    await say(clinic, viewing, pair)
    found = await viewing.lapses([pair], now())
    assert before + KEPT <= found[pair] + timedelta(milliseconds=1)
    assert found[pair] <= now() + KEPT
    assert await reading(viewing, pair, 29)
    assert not await reading(viewing, pair, 31)


async def test_who_goes_on_saying_so_goes_on_reading(viewing: Viewing, pair: Pair) -> None:
    start = now()
    for renewed in (0, 15, 30):
        await viewing.say(pair, "one", True, start + timedelta(seconds=renewed))
    found = await viewing.lapses([pair], start + timedelta(seconds=45))
    assert abs(found[pair] - (start + timedelta(seconds=60))) < timedelta(milliseconds=1)


async def test_a_page_that_goes_away_hides_no_other(clinic: Clinic, viewing: Viewing, pair: Pair) -> None:
    await say(clinic, viewing, pair, page="one")
    await say(clinic, viewing, pair, page="two")
    await say(clinic, viewing, pair, page="one", visible=False)
    assert await reading(viewing, pair)
    await say(clinic, viewing, pair, page="never said anything", visible=False)
    assert await reading(viewing, pair)
    await say(clinic, viewing, pair, page="two", visible=False)
    assert not await reading(viewing, pair)


async def test_the_page_that_said_so_last_counts(viewing: Viewing, pair: Pair) -> None:
    start = now()
    await viewing.say(pair, "one", True, start)
    await viewing.say(pair, "two", True, start + timedelta(seconds=20))
    await viewing.say(pair, "two", False, start + timedelta(seconds=25))
    assert pair in await viewing.lapses([pair], start + timedelta(seconds=29))
    assert pair not in await viewing.lapses([pair], start + timedelta(seconds=31))


async def test_each_is_asked_for_by_themselves(clinic: Clinic, viewing: Viewing, pair: Pair) -> None:
    organization, channel, person = pair
    await say(clinic, viewing, pair)
    others = [
        (organization, channel, f"tm_{'0' * 20}"),
        (organization, f"ch_{'0' * 20}", person),
        (f"org_{'0' * 20}", channel, person),
    ]
    assert set(await viewing.lapses([*others, pair, pair], now())) == {pair}
    assert await viewing.lapses([], now()) == {}


async def test_a_clock_that_is_ahead_keeps_nobody_reading_for_longer(viewing: Viewing, pair: Pair) -> None:
    await viewing.say(pair, "one", True, now() + timedelta(hours=1))
    at = now()
    assert await viewing.lapses([pair], at) == {pair: at + KEPT}


async def test_only_members_say_so(clinic: Clinic, viewing: Viewing, pair: Pair) -> None:
    stranger = await clinic.team_member()
    with pytest.raises(NotFound):
        await say(clinic, viewing, (pair[0], pair[1], stranger))
    assert not await reading(viewing, (pair[0], pair[1], stranger))


async def test_a_page_has_a_plain_name(clinic: Clinic, viewing: Viewing, pair: Pair) -> None:
    for page in ("", "x" * 65, "ä", "a\n", "\0"):
        with pytest.raises(Invalid, match="page"):
            await say(clinic, viewing, pair, page=page)
    assert not await reading(viewing, pair)


async def test_redis_holds_no_word_of_a_page_and_forgets_by_itself(
    clinic: Clinic, viewing: Viewing, pair: Pair, redis_url: str
) -> None:
    for number in range(60):
        await say(clinic, viewing, pair, page=f"Secret words {number}")
    async with redis.Redis.from_url(redis_url) as raw:
        name = "warmline:viewing:" + ":".join(pair)
        held = await raw.zrange(name, 0, -1)
        assert len(held) == 50
        assert all(len(page) == 8 and b"ecret" not in page for page in held)
        assert 0 < await raw.pttl(name) <= KEPT.total_seconds() * 1000


async def test_while_redis_is_away_nobody_is_reading_and_the_page_goes_on(
    clinic: Clinic, pair: Pair, own_redis: Redis
) -> None:
    viewing = Viewing(own_redis.url())
    await say(clinic, viewing, pair)
    assert await reading(viewing, pair)
    await own_redis.stop()
    await say(clinic, viewing, pair)
    assert not await reading(viewing, pair)
    await own_redis.start()
    async with asyncio.timeout(20):
        while not await reading(viewing, pair):
            await say(clinic, viewing, pair)
            await asyncio.sleep(0.1)
    await viewing.close()


async def test_a_redis_that_hangs_is_waited_for_once(pair: Pair) -> None:
    asked: list[asyncio.StreamWriter] = []

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1")
    viewing = Viewing(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with asyncio.timeout(20):
        assert await viewing.lapses([pair], now()) == {}
    waited = len(asked)
    assert await viewing.lapses([pair], now()) == {}
    assert len(asked) == waited > 0
    await viewing.close()
    server.close()
    for writer in asked:
        writer.close()


async def test_pages_say_it_over_the_socket_and_over_http(
    clinic: Clinic, viewing: Viewing, pair: Pair, site: Site
) -> None:
    _, channel, person = pair
    gateway, token = await site.gateway(), site.token(clinic.identity(person))
    wire = await Wire.open(gateway.socket_url, token)
    assert await wire.rpc("channel.viewing", channel_id=channel, visible=True, page="socket") == {}
    assert await reading(viewing, pair)
    await wire.cut()  # a connection that ends says nothing: it lapses
    assert not await reading(viewing, pair, 31)
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as http:
        path = f"/api/channels/{channel}/viewing"
        for page, visible, holds in (("http", True, True), ("socket", False, True), ("http", False, False)):
            answer = await http.put(path, json={"visible": visible, "page": page})
            assert (answer.status_code, answer.json()) == (200, {})
            assert await reading(viewing, pair) == holds

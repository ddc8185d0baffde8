"""The open gateway: it starts only where it can do no harm, and two of them are one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from websockets.asyncio.client import connect

from server.dev.embedded import free_port
from tests.gateway.wire import Wire
from tests.interop.open_gateway import SWITCH, arguments
from tests.support.wire import PATIENCE

SECRET = "a secret of the tests, long enough"


def token(**claims: Any) -> str:
    return str(jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET)))


@pytest.mark.parametrize(
    "given", [[], ["--host", "0.0.0.0", SWITCH], ["--host", "localhost", SWITCH], ["--host", "::", SWITCH]]
)
def test_it_starts_only_on_loopback_and_if_told_that_this_is_meant(
    given: list[str], capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        arguments(["--profile", "open", *given])
    assert ended.value.code == 2
    assert "lets anybody do anything" in capsys.readouterr().err
    assert arguments(["--profile", "open", SWITCH]).host == "127.0.0.1"


@asynccontextmanager
async def open_gateway(profile: str, database_url: str, redis_url: str, log: Path) -> AsyncIterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "tests.interop.open_gateway", SWITCH, "--profile", profile, "--port", str(port)]
    environment = os.environ | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, "--secret", SECRET, "--api-key", "key"], env=environment, stdout=out, stderr=out
        )
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()
                    await asyncio.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 20)


async def api(port: int, name: str, key: str = "key", **asked: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/{name}", json.dumps(asked).encode(), {"X-API-Key": key}
    )
    answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=10)
    return json.loads(answer.read())["result"]


@asynccontextmanager
async def connected(port: int, **introduction: Any) -> AsyncIterator[tuple[Wire, dict[str, Any]]]:
    """A client, and what the connect reply said."""
    async with connect(f"ws://127.0.0.1:{port}/connection/websocket", compression=None) as socket_:
        wire = Wire(socket_)
        yield wire, (await wire.ask(connect=introduction))["connect"]


async def code(wire: Wire, **asked: Any) -> int:
    return int((await wire.ask(**asked))["error"]["code"])


async def test_two_over_one_database_and_one_redis_are_one(empty_database_url: str, redis_url: str, tmp_path: Path):
    async with (
        open_gateway("open", empty_database_url, redis_url, tmp_path / "one") as one,
        open_gateway("open", empty_database_url, redis_url, tmp_path / "two") as two,
        connected(one) as (here, welcome),
        connected(two) as (far, theirs),
    ):
        assert "subs" not in welcome
        for number in range(3):
            await api(one, "publish", channel="smallhistory:x", data={"n": number})
        page = await api(two, "history", channel="smallhistory:x", limit=10)
        assert [pub["offset"] for pub in page["publications"]] == [2, 3]
        again = {"recover": True, "epoch": page["epoch"]}
        assert "recovered" not in await here.subscribe("smallhistory:x", offset=0, **again)
        recovered = await far.subscribe("smallhistory:x", offset=1, **again)
        assert [pub["data"]["n"] for pub in recovered["publications"]] == [1, 2]

        assert (await far.ask(publish={"channel": "smallhistory:x", "data": {"n": 3}}))["publish"] == {}
        heard = await here.find(lambda message: "pub" in message.get("push", {}))
        assert (heard["push"]["pub"]["offset"], heard["push"]["pub"]["info"]["client"]) == (4, theirs["client"])
        joined = await here.find(
            lambda message: message.get("push", {}).get("join", {}).get("info", {}).get("client") == theirs["client"]
        )
        assert joined
        async with asyncio.timeout(5):
            while len((await here.ask(presence={"channel": "smallhistory:x"}))["presence"]["presence"]) != 2:
                await asyncio.sleep(0.05)
        with pytest.raises(urllib.error.HTTPError):
            await api(one, "publish", key="wrong", channel="x", data=1)


async def test_a_subscription_token_is_enough_for_its_channel(empty_database_url: str, redis_url: str, tmp_path: Path):
    async with open_gateway("token", empty_database_url, redis_url, tmp_path / "log") as port:
        async with connected(port, token=token(sub="42")) as (wire, welcome):
            [(name, personal)] = welcome["subs"].items()
            assert (name, personal["positioned"], personal["recoverable"]) == ("#42", True, True)
            for refused in ("", "nonsense"):
                assert await code(wire, subscribe={"channel": "x", "token": refused}) == 103
            assert await code(wire, subscribe={"channel": "x", "token": token(sub="42", channel="x", exp=1)}) == 109
            for asked in ("presence", "history"):
                assert await code(wire, **{asked: {"channel": "x"}}) == 103
            lasting = token(sub="42", channel="x", exp=int(time.time()) + 60)
            assert (await wire.subscribe("x", token=lasting))["expires"]
            assert (await wire.ask(publish={"channel": "x", "data": 1}))["publish"] == {}
            assert (await wire.ask(history={"channel": "x", "limit": 1}))["history"]["offset"] == 1
            stats = (await wire.ask(presence_stats={"channel": "x"}))["presence_stats"]
            assert stats == {"num_clients": 1, "num_users": 1}
            assert (await wire.ask(sub_refresh={"token": lasting}))["sub_refresh"]["expires"]
            await wire.say({"id": 99, "subscribe": {"channel": "y", "token": token(sub="42", channel="x")}})
            assert await wire.closed() == (3500, "invalid token")
        async with connect(f"ws://127.0.0.1:{port}/connection/websocket", compression=None) as socket_:
            wire = Wire(socket_)
            await wire.say({"id": 1, "connect": {}})
            assert (await wire.closed())[0] == 3501


def publication(message: dict[str, Any]) -> bool:
    return "pub" in message.get("push", {})


async def test_the_personal_channel_is_one_like_others_and_there_from_the_start(
    empty_database_url: str, redis_url: str, tmp_path: Path
):
    async with (
        open_gateway("token", empty_database_url, redis_url, tmp_path / "token") as port,
        open_gateway("open", empty_database_url, redis_url, tmp_path / "open") as elsewhere,
    ):
        mine = token(sub="42", info={"name": "n"})
        async with connected(port, token=token(sub="")) as (_, nobody):
            assert "subs" not in nobody
        async with connected(port, token=mine) as (wire, welcome):
            epoch = welcome["subs"]["#42"]["epoch"]
            assert welcome["subs"] == {"#42": {"recoverable": True, "positioned": True, "epoch": epoch}}
            joined = await wire.find(lambda message: "join" in message.get("push", {}))
            me = {"user": "42", "client": welcome["client"], "conn_info": {"name": "n"}}
            assert joined["push"] == {"channel": "#42", "join": {"info": me}}
            assert await code(wire, subscribe={"channel": "#42"}) == 105
            assert await code(wire, publish={"channel": "#43", "data": 0}) == 103

            await api(elsewhere, "publish", channel="#42", data={"n": 1})
            assert (await wire.find(publication))["push"] == {"channel": "#42", "pub": {"data": {"n": 1}, "offset": 1}}
            assert (await wire.ask(publish={"channel": "#42", "data": {"n": 2}}))["publish"] == {}
            echo = {"data": {"n": 2}, "offset": 2, "info": me}
            assert (await wire.find(publication))["push"]["pub"] == echo
            page = (await wire.ask(history={"channel": "#42", "limit": 1, "reverse": True}))["history"]
            assert page == {"publications": [echo], "epoch": epoch, "offset": 2}
            assert (await wire.ask(presence={"channel": "#42"}))["presence"]["presence"] == {me["client"]: me}
            async with connected(port, token=token(sub="43")) as (other, theirs):
                assert list(theirs["subs"]) == ["#43"]
                assert await code(other, history={"channel": "#42", "limit": 1}) == 103
                assert await code(other, subscribe={"channel": "#42"}) == 103

        for number in (3, 4):
            await api(elsewhere, "publish", channel="#42", data={"n": number})
        back = {"recover": True, "offset": 2, "epoch": epoch}
        async with connected(port, token=mine, subs={"#42": back, "x": back}) as (wire, welcome):
            [(name, found)] = welcome["subs"].items()
            assert (name, found["offset"], found["was_recovering"], found["recovered"]) == ("#42", 2, True, True)
            assert [(pub["offset"], pub["data"]["n"]) for pub in found["publications"]] == [(3, 3), (4, 4)]
            await api(elsewhere, "publish", channel="#42", data={"n": 5})
            assert (await wire.find(publication))["push"]["pub"]["offset"] == 5
        async with connected(port, token=mine, subs={"#42": back | {"epoch": "other"}}) as (_, welcome):
            lost = {"recoverable": True, "positioned": True, "epoch": epoch, "offset": 5, "was_recovering": True}
            assert welcome["subs"] == {"#42": lost}

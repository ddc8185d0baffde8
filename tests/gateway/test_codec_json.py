"""The JSON codec: what comes in, what goes out, and what is no command."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway import protocol as p
from server.gateway.codec_json import JSON
from server.gateway.frames import BINARY, TEXT, frame
from server.gateway.meaning import MAX_COMMANDS
from server.gateway.settings import GatewaySettings

LIMIT = GatewaySettings().max_command


def decoded(data: bytes | str, limit: int = LIMIT) -> list[p.Command]:
    return JSON.decode(data.encode() if isinstance(data, str) else data, limit)


def encoded(message: p.Message) -> Any:
    data = JSON.frame(message)
    assert data[0] == TEXT
    start = {126: 4, 127: 10}.get(data[1], 2)
    assert b"\n" not in data[start:]
    return json.loads(data[start:])


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("{}", p.Pong()),
        ('{"id":1,"connect":{}}', p.Connect(1)),
        ('{"id":1,"connect":{"token":null}}', p.Connect(1)),
        ('{"connect":{"token":"t","name":"js","version":5,"headers":{"a":"b"},"subs":{}},"id":1}', p.Connect(1, "t")),
        ('{"id":2,"subscribe":{"channel":"c","flag":1,"data":{},"tf":3}}', p.Subscribe(2, "c", flag=1)),
        (
            '{"id":4294967295,"subscribe":{"channel":"c","recover":true,"epoch":"e","offset":18446744073709551615,"flag":3}}',
            p.Subscribe(2**32 - 1, "c", True, "e", 2**64 - 1, 3),
        ),
        (
            '{"id":2,"subscribe":{"channel":null,"recover":null,"epoch":null,"offset":null,"flag":null,"type":null}}',
            p.Subscribe(2, ""),
        ),
        ('{"id":2,"subscribe":{"channel":"c","type":1}}', p.Unavailable(2, "subscribe")),
        ('{"id":2,"subscribe":{}}', p.Subscribe(2, "")),
        ('{"id":3,"unsubscribe":{"channel":"c"}}', p.Unsubscribe(3, "c")),
        ('{"id":3,"unsubscribe":{}}', p.Unsubscribe(3, "")),
        ('{"id":4,"rpc":{"method":"m","data":{"a" : [1,"ü"]}}}', p.Rpc(4, "m", '{"a" : [1,"ü"]}'.encode())),
        ('{"id":4,"rpc":{"method":"m"}}', p.Rpc(4, "m", b"{}")),
        ('{"id":4,"rpc":{"data":null}}', p.Rpc(4, "", b"{}")),
        ('{"id":4,"rpc":{"method":"m","data":"\\u0000"}}', p.Rpc(4, "m", b'"\\u0000"')),
        ('{"id":5,"refresh":{"token":"t"}}', p.Refresh(5, "t")),
        ('{"id":5,"refresh":{}}', p.Refresh(5, "")),
        ('{"send":{"data":1}}', p.Send()),
        ('{"id":5,"send":{"data":1}}', p.Send()),
        (
            '{"id":2,"subscribe":{"channel":"c","token":"t","join_leave":true}}',
            p.Subscribe(2, "c", token="t", joins=True),
        ),
        ('{"id":6,"publish":{"channel":"c","data":1}}', p.PublishRequest(6, "c", b"1")),
        ('{"id":6,"publish":{"data":{}}}', p.PublishRequest(6, "", b"{}")),
        ('{"id":6,"publish":{"channel":"c","data":1,"type":2}}', p.Unavailable(6, "publish")),
        ('{"id":6,"presence":{}}', p.Presence(6, "")),
        ('{"id":6,"presence":{"channel":"c"}}', p.Presence(6, "c")),
        ('{"id":6,"presence_stats":{"channel":"c"}}', p.Presence(6, "c", stats=True)),
        ('{"id":6,"history":{"limit":0,"reverse":false}}', p.History(6, "")),
        (
            '{"id":6,"history":{"channel":"c","limit":-1,"since":{"offset":7,"epoch":"e"},"reverse":true}}',
            p.History(6, "c", -1, (7, "e"), True),
        ),
        ('{"id":6,"history":{"channel":"c","since":{}}}', p.History(6, "c", 0, (0, ""))),
        ('{"id":6,"ping":{}}', p.Unavailable(6, "ping")),
        ('{"id":6,"sub_refresh":{}}', p.SubRefresh(6, "", "")),
        ('{"id":6,"sub_refresh":{"channel":"c","token":"t"}}', p.SubRefresh(6, "c", "t")),
        (
            '{"id":7,"connect":{"subs":{"#p":{"recover":true,"epoch":"e","offset":7},"#q":null,"#r":{},"#s":{"recover":true}}}}',
            p.Connect(7, None, {"#p": (7, "e"), "#s": (0, "")}),
        ),
        ('{"id":7,"connect":{},"rpc":null}', p.Connect(7)),
        ('{"id":7,"connect":{},"surprise":[1]}', p.Connect(7)),
        ('{"id":7,"id":8,"connect":{}}', p.Connect(8)),
        (' {"id":9,"connect":{}} \r', p.Connect(9)),
    ],
)
def test_commands(line: str, command: p.Command):
    assert decoded(line) == [command]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "\n",
        " ",
        "null",
        "1",
        '"x"',
        "[]",
        '{"id":1,"connect":{}}\n\n{}',
        '{"id":1,"connect":{}}{}',
        "{",
        "not json",
        '{"id":1}',
        '{"id":1,"surprise":{}}',
        '{"connect":{}}',
        '{"id":0,"connect":{}}',
        '{"id":-1,"connect":{}}',
        '{"id":4294967296,"connect":{}}',
        '{"id":' + "9" * 5000 + ',"connect":{}}',
        '{"id":1.5,"connect":{}}',
        '{"id":"1","connect":{}}',
        '{"id":true,"connect":{}}',
        '{"id":1e400,"connect":{}}',
        '{"id":1,"connect":[]}',
        '{"id":1,"connect":{"token":5}}',
        '{"id":1,"connect":{},"subscribe":{"channel":"c"}}',
        '{"id":1,"rpc":{"method":"m"},"send":{}}',
        '{"id":1,"subscribe":{"channel":"c","offset":-1}}',
        '{"id":1,"subscribe":{"channel":"c","offset":18446744073709551616}}',
        '{"id":1,"subscribe":{"channel":"c","offset":1.0}}',
        '{"id":1,"subscribe":{"channel":"c","offset":"1"}}',
        '{"id":1,"subscribe":{"channel":"c","recover":1}}',
        '{"id":1,"history":{"since":{"offset":-1}}}',
        '{"id":1,"rpc":{"method":"m","data":NaN}}',
        '{"id":1,"rpc":{"method":"m","data":-Infinity}}',
        '{"id":1,"rpc":{"method":"m","data":}}',
        '{"id":1,"rpc":{"method":"m","data":' + "[" * 100_000 + "]" * 100_000 + "}}",
        '{"id":1,"surprise":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
        '{"id":1,"rpc":{"method":"m","data":"a\tb"}}',
        b'{"id":1,"rpc":{"method":"m","data":"\xff"}}',
        b'{"id":1,"rpc":{"method":"\xc3","data":1}}',
        b'\xef\xbb\xbf{"id":1,"connect":{}}',
        b"\x00",
        b"\xff\xfe",
        '["\\ud800"]',
        '{"rpc":{"data":"\\ud800"}}',
        '{"id":true,"rpc":{"data":"\\ud800"}}',
        '{"id":0,"rpc":{"data":"\\ud800"}}',
        '{"id":1,"rpc":{"data":["\\ud800",NaN]}}',
        '{"id":1,"rpc":{"data":["\\ud800",' + "[" * 100_000 + "]" * 100_000 + "]}}",
        "{}\n" * (MAX_COMMANDS + 1),
    ],
)
def test_no_commands(data: str | bytes):
    commands = decoded(data)
    assert isinstance(commands[-1], p.Malformed)
    assert commands[-1].reason


@pytest.mark.parametrize("data", ["{}", '{"data":null}', '{"channel":"c"}'])
def test_a_publication_of_nothing_is_told_to_its_sender(data: str):
    (told,) = decoded(f'{{"id":6,"publish":{data}}}')
    assert isinstance(told, p.BadRequest)
    assert told.id == 6


def test_a_frame_of_several_is_taken_in_order_up_to_what_is_no_command():
    data = '{"id":1,"connect":{}}\n{"id":2,"rpc":{"method":"m"}}\n{}\noops\n{"id":3,"rpc":{"method":"m"}}'
    assert decoded(data) == [p.Connect(1), p.Rpc(2, "m", b"{}"), p.Pong(), p.Malformed("not JSON")]


def test_one_newline_at_the_end_is_allowed():
    assert decoded('{"id":1,"connect":{}}\n') == [p.Connect(1)]
    assert isinstance(decoded('{"id":1,"connect":{}}\n\n')[-1], p.Malformed)


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00", "a\\ud83d\\ud83db", "\\ud800\\n"])
def test_half_a_character_is_told_to_its_sender(text: str):
    (command,) = decoded('{"id":4,"rpc":{"method":"m","data":{"text":"TEXT"}}}'.replace("TEXT", text))
    assert isinstance(command, p.BadRequest)
    assert command.id == 4
    assert "surrogate" in command.reason


def test_a_command_over_the_limit_is_told_to_its_sender_and_its_neighbours_are_taken():
    big = '{"id":4,"rpc":{"method":"m","data":"%s"}}' % ("x" * 200)
    small = '{"id":5,"rpc":{"method":"m"}}'
    first, second = decoded(f"{big}\n{small}", limit=100)
    assert isinstance(first, p.BadRequest)
    assert (first.id, second) == (4, p.Rpc(5, "m", b"{}"))
    assert decoded(big, limit=len(big)) == [p.Rpc(4, "m", b'"%s"' % (b"x" * 200))]
    assert isinstance(decoded("{" + " " * 200 + "}", limit=100)[0], p.Malformed)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_nothing_raises(data: bytes):
    assert decoded(data)


_keys = st.sampled_from(
    [
        "id",
        "connect",
        "subscribe",
        "rpc",
        "refresh",
        "channel",
        "offset",
        "flag",
        "epoch",
        "token",
        "data",
        "method",
        "type",
        "recover",
    ]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(_keys, _json, max_size=3), min_size=1, max_size=3))
def test_no_json_raises(objects: list[Any]):
    assert decoded("\n".join(json.dumps(one) for one in objects))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (p.Ping(), {}),
        (p.Reply(1, p.Error(102, "unknown channel")), {"id": 1, "error": {"code": 102, "message": "unknown channel"}}),
        (p.Reply(1, p.Error(100, "m", True)), {"id": 1, "error": {"code": 100, "message": "m", "temporary": True}}),
        (
            p.Reply(1, p.ConnectResult("c", "v", 25)),
            {"id": 1, "connect": {"client": "c", "version": "v", "ping": 25, "pong": True}},
        ),
        (
            p.Reply(1, p.ConnectResult("c", "v", 25, 600, b'{"a":1}', {"#p": p.SubscribeResult()})),
            {
                "id": 1,
                "connect": {
                    "client": "c", "version": "v", "expires": True, "ttl": 600, "data": {"a": 1}, "subs": {"#p": {}}, "ping": 25,
                    "pong": True,
                },
            },
        ),
        (p.Reply(2, p.SubscribeResult()), {"id": 2, "subscribe": {}}),
        (
            p.Reply(2, p.SubscribeResult(True, "e", 6, True, True, (p.Publication(b"[7]", 7), p.Publication(b"8", 8)))),
            {
                "id": 2,
                "subscribe": {
                    "recoverable": True, "positioned": True, "epoch": "e", "offset": 6, "was_recovering": True, "recovered": True,
                    "publications": [{"data": [7], "offset": 7}, {"data": 8, "offset": 8}],
                },
            },
        ),
        (p.Reply(3, p.UnsubscribeResult()), {"id": 3, "unsubscribe": {}}),
        (p.Reply(4, p.RpcResult(b'{"a":\n1}')), {"id": 4, "rpc": {"data": {"a": 1}}}),
        (p.Reply(4, p.RpcResult(b"null")), {"id": 4, "rpc": {"data": None}}),
        (p.Reply(5, p.RefreshResult("c", "v")), {"id": 5, "refresh": {"client": "c", "version": "v"}}),
        (
            p.Reply(5, p.RefreshResult("c", "v", 9)),
            {"id": 5, "refresh": {"client": "c", "version": "v", "expires": True, "ttl": 9}},
        ),
        (p.Publish("c", p.Publication(b'{"t":1}', 7)), {"push": {"channel": "c", "pub": {"data": {"t": 1}, "offset": 7}}}),
        (p.Reply(6, p.PublishResult()), {"id": 6, "publish": {}}),
        (
            p.Reply(6, p.HistoryResult((p.Publication(b"7", 7, p.ClientInfo("u", "c")),), "e", 9)),
            {
                "id": 6,
                "history": {
                    "publications": [{"data": 7, "info": {"user": "u", "client": "c"}, "offset": 7}], "epoch": "e", "offset": 9,
                },
            },
        ),
        (p.Reply(6, p.HistoryResult((), "", 0)), {"id": 6, "history": {"publications": [], "epoch": "", "offset": 0}}),
        (p.Reply(6, p.PresenceResult({})), {"id": 6, "presence": {"presence": {}}}),
        (
            p.Reply(6, p.PresenceResult({"c": p.ClientInfo("", "c", b'{"a":1}', b"2")})),
            {"id": 6, "presence": {"presence": {"c": {"user": "", "client": "c", "conn_info": {"a": 1}, "chan_info": 2}}}},
        ),
        (p.Reply(6, p.PresenceStatsResult(0, 0)), {"id": 6, "presence_stats": {"num_clients": 0, "num_users": 0}}),
        (p.Reply(6, p.SubRefreshResult()), {"id": 6, "sub_refresh": {}}),
        (p.Reply(6, p.SubRefreshResult(9)), {"id": 6, "sub_refresh": {"expires": True, "ttl": 9}}),
        (p.Reply(6, p.SubscribeResult(ttl=9)), {"id": 6, "subscribe": {"expires": True, "ttl": 9}}),
        (
            p.Join("c", p.ClientInfo("u", "x")),
            {"push": {"channel": "c", "join": {"info": {"user": "u", "client": "x"}}}},
        ),
        (
            p.Leave("c", p.ClientInfo("u", "x")),
            {"push": {"channel": "c", "leave": {"info": {"user": "u", "client": "x"}}}},
        ),
        (
            p.End("c", p.EndCode.EXPIRED),
            {"push": {"channel": "c", "unsubscribe": {"code": 2501, "reason": "subscription expired"}}},
        ),
        (p.Publish("c", p.Publication(b"0")), {"push": {"channel": "c", "pub": {"data": 0}}}),
        (p.End("c", p.EndCode.REMOVED), {"push": {"channel": "c", "unsubscribe": {"code": 2000, "reason": "removed"}}}),
        (
            p.End("c", p.EndCode.INSUFFICIENT_STATE),
            {"push": {"channel": "c", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}},
        ),
    ],
)  # fmt: skip
def test_messages(message: p.Message, expected: Any):
    assert encoded(message) == expected


@given(_json)
def test_payloads_pass_through_unchanged(value: Any):
    data = (
        json.dumps(value, allow_nan=False)
        if value == value and "nan" not in repr(value) and "inf" not in repr(value)
        else "1"
    )
    command = decoded('{"id":1,"rpc":{"method":"m","data":' + data + "}}")[0]
    if isinstance(command, p.Rpc):
        sent = encoded(p.Reply(1, p.RpcResult(command.data)))["rpc"]["data"]
        assert sent == ({} if data == "null" else json.loads(data))
    else:
        assert isinstance(command, p.BadRequest)  # half a character


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 70000])
def test_frames(size: int):
    made = frame(BINARY, b"x" * size)
    assert made[0] == 0x82
    head = 2 if size < 126 else 4 if size < 65536 else 10
    assert len(made) == head + size
    length = made[1] if head == 2 else int.from_bytes(made[2:head], "big")
    assert length == size


def test_close_reasons_are_plain_words():
    for code in p.CloseCode:
        assert 0 < len(code.reason.encode()) <= 123
        with pytest.raises(json.JSONDecodeError):
            json.loads(code.reason)
    for end in p.EndCode:
        assert end.reason

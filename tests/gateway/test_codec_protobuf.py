"""The Protobuf codec, against the reference SDK's own definitions; and bytes that are no command, or mean harm."""

import tracemalloc
from typing import Any

import pytest
from centrifuge.protocol import client_pb2 as theirs
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from server.gateway import codec_protobuf as codec
from server.gateway import fields
from server.gateway import protocol as p
from server.gateway.codec_protobuf import PROTOBUF
from server.gateway.frames import BINARY
from server.gateway.meaning import MAX_COMMANDS
from server.gateway.settings import GatewaySettings

LIMIT = GatewaySettings().max_command

NAMES = {
    fields.Connect: "ConnectRequest",
    fields.Subscribe: "SubscribeRequest",
    fields.Unsubscribe: "UnsubscribeRequest",
    fields.Publish: "PublishRequest",
    fields.Presence: "PresenceRequest",
    fields.Since: "StreamPosition",
    fields.History: "HistoryRequest",
    fields.Rpc: "RPCRequest",
    fields.Refresh: "RefreshRequest",
    fields.SubRefresh: "SubRefreshRequest",
    fields.RpcResult: "RPCResult",
    fields.Reason: "Unsubscribe",
    fields.Came: "Join",
}
KINDS = {bool: {8}, int: {3, 4, 5, 13, 14}, str: {9}, Raw: {12}}
"""Descriptor types that a field of ours may stand for: bool; int64, uint64, int32, uint32, enum; string; bytes."""


def sized(*messages: bytes) -> bytes:
    out = bytearray()
    for message in messages:
        codec._put_varint(out, len(message))
        out += message
    return bytes(out)


def command(**parts: Any) -> bytes:
    return sized(theirs.Command(**parts).SerializeToString())


def decoded(data: bytes, limit: int = LIMIT) -> list[p.Command]:
    return PROTOBUF.decode(data, limit)


def encoded(message: p.Message) -> Any:
    data = PROTOBUF.frame(message)
    assert data[0] == BINARY
    start = {126: 4, 127: 10}.get(data[1], 2)
    size, place = codec._varint(data[start:], 0)
    body = data[start + place :]
    assert len(body) == size
    return theirs.Reply.FromString(body)


@pytest.mark.parametrize("struct", [one for one in fields.NUMBERS if one not in (fields.Object, fields.Nothing)])
def test_the_table_is_that_of_the_sdk(struct: type[Struct]):
    described = getattr(theirs, NAMES.get(struct, struct.__name__)).DESCRIPTOR.fields_by_name
    kinds = codec._kinds(struct)
    assert set(kinds) == set(fields.NUMBERS[struct])
    for name, number in fields.NUMBERS[struct].items():
        if name == "type":
            continue  # newer than this SDK: 15 of a subscribe, 3 of a publish (protocol.md §1.1)
        assert described[name].number == number
        assert described[name].type in KINDS.get(kinds[name], {11})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x00", p.Pong()),
        (command(id=1, connect=theirs.ConnectRequest()), p.Connect(1)),
        (command(id=1, connect={"token": "t", "name": "x", "headers": {"a": "b"}, "data": b"{}"}), p.Connect(1, "t")),
        (sized(b"\x08\x01\x22\x02\x1a\x00"), p.Connect(1)),
        (command(id=2, subscribe={"channel": "c", "flag": 1, "tf": {}}), p.Subscribe(2, "c", flag=1)),
        (
            command(id=2**32 - 1, subscribe={"channel": "ü", "recover": True, "epoch": "e", "offset": 2**64 - 1, "flag": 3}),
            p.Subscribe(2**32 - 1, "ü", True, "e", 2**64 - 1, 3),
        ),
        (command(id=2, subscribe={"channel": "c", "flag": -1}), p.Subscribe(2, "c", flag=-1)),
        (sized(b"\x08\x02\x2a\x02\x78\x01"), p.Unavailable(2, "subscribe")),
        (command(id=3, unsubscribe={"channel": "c"}), p.Unsubscribe(3, "c")),
        (command(id=4, rpc={"method": "m", "data": b'{"a" : 1}'}), p.Rpc(4, "m", b'{"a" : 1}')),
        (command(id=4, rpc={"method": "m"}), p.Rpc(4, "m", b"{}")),
        (command(id=5, refresh={"token": "t"}), p.Refresh(5, "t")),
        (command(id=5, sub_refresh={"token": "t", "channel": "c"}), p.SubRefresh(5, "c", "t")),
        (command(id=2, subscribe={"channel": "c", "token": "t", "join_leave": True}), p.Subscribe(2, "c", token="t", joins=True)),
        (command(id=6, publish={"channel": "c", "data": b"[1]"}), p.PublishRequest(6, "c", b"[1]")),
        (command(id=6, presence={"channel": "c"}), p.Presence(6, "c")),
        (command(id=6, presence_stats={"channel": "c"}), p.Presence(6, "c", stats=True)),
        (
            command(id=6, history={"channel": "c", "limit": -1, "since": {"offset": 7, "epoch": "e"}, "reverse": True}),
            p.History(6, "c", -1, (7, "e"), True),
        ),
        (command(send={"data": b"1"}), p.Send()),
        (command(id=6, ping={}), p.Unavailable(6, "ping")),
        # What we do not know is skipped: a varint, eight bytes, four bytes, something sized.
        (sized(b"\x08\x07\x22\x00\xf8\x01\x05\xf9\x0188888888\xfd\x01four\xfa\x01\x01x"), p.Connect(7)),
        # So is a field we know with another kind than it has.
        (sized(b"\x08\x07\x22\x02\x08\x01"), p.Connect(7)),
        # The last one counts.
        (sized(b"\x08\x07\x08\x09\x22\x00"), p.Connect(9)),
    ],
)  # fmt: skip
def test_commands(data: bytes, expected: p.Command):
    assert decoded(data) == [expected]


def test_a_map_in_a_command():
    subs = {"#p": {"recover": True, "epoch": "e", "offset": 7}, "#q": {}, "": {"recover": True}}
    assert decoded(command(id=1, connect={"subs": subs})) == [p.Connect(1, None, {"#p": (7, "e"), "": (0, "")})]


@pytest.mark.catalogue("S24")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x80",
        b"\xff" * 10 + b"\x01",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xff\xff\xff\xff\x0f" + b"x" * 20,
        sized(b"\x08"),
        sized(b"\x08\x01\x22\x05ab"),
        sized(b"\x08\x01\x22\xff\xff\xff\xff\x0f"),
        sized(b"\x08\x01"),
        sized(b"\x22\x00"),
        sized(b"\x08\x00\x22\x00"),
        sized(b"\x08\x81\x80\x80\x80\x10\x22\x00"),
        sized(b"\x08\x01\x22\x00\x2a\x00"),
        sized(b"\x08\x01\x22\x03\x0a\x01\xff"),
        sized(b"\x08\x01\x23\x24"),
        sized(b"\x08\x01\x22\x00\x02\x00"),
        sized(b"\x08\x01\x22\x00\x01abc"),
        sized(b"\x08\x01\x22\x00" + b"\xff" * 9 + b"\x01\x00"),
        b"\x00" * (MAX_COMMANDS + 1),
        b'{"id":1,"connect":{}}',
    ],
)
def test_no_commands(data: bytes):
    commands = decoded(data)
    assert isinstance(commands[-1], p.Malformed)
    assert commands[-1].reason


@pytest.mark.catalogue("S24")
def test_a_length_that_lies_allocates_nothing():
    lies = [b"\xff\xff\xff\xff\x7f" + b"x" * 100, sized(b"\x08\x01\x6a\xff\xff\xff\xff\x7f"), b"\xff" * 9 + b"\x01"]
    tracemalloc.start()
    try:
        for data in lies:
            assert isinstance(decoded(data)[-1], p.Malformed)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.catalogue("S24")
def test_what_is_nested_deeper_than_the_table_is_not_entered():
    message = b""
    for _ in range(20_000):
        out = bytearray()
        codec._put_sized(out, b"\x0a", message[:60_000])
        message = bytes(out)
    assert decoded(sized(b"\x08\x01" + b"\x22" + sized(message))) != []
    (deep,) = decoded(command(id=1, rpc={"method": "m", "data": b"[" * 100_000 + b"]" * 100_000}))
    assert isinstance(deep, p.BadRequest)


@pytest.mark.parametrize("data", [b"no", b"{", b"\xff", b'"\xff"', b"1 2", b"NaN", b"\x00", b'"\\ud800"'])
def test_payloads_that_are_not_json_are_told_to_their_sender(data: bytes):
    (told,) = decoded(command(id=4, rpc={"method": "m", "data": data}))
    assert isinstance(told, p.BadRequest)
    assert told.id == 4
    assert "JSON" in told.reason
    (told,) = decoded(command(id=4, publish={"channel": "c", "data": data}))
    assert isinstance(told, p.BadRequest)


def test_several_in_a_frame_are_taken_in_order_up_to_what_is_no_command():
    data = (
        command(id=1, connect={})
        + command(id=2, rpc={"method": "m"})
        + b"\x00"
        + b"\x09abc"
        + command(id=3, connect={})
    )
    assert decoded(data) == [p.Connect(1), p.Rpc(2, "m", b"{}"), p.Pong(), p.Malformed("not a command")]


def test_a_command_over_the_limit_is_told_to_its_sender_and_its_neighbours_are_taken():
    first, second = decoded(
        command(id=4, rpc={"data": b'"%s"' % (b"x" * 200)}) + command(id=5, rpc={"method": "m"}), 100
    )
    assert isinstance(first, p.BadRequest)
    assert (first.id, second) == (4, p.Rpc(5, "m", b"{}"))


@given(st.binary(max_size=200))
def test_nothing_raises(data: bytes):
    assert decoded(data)
    assert decoded(sized(data))
    assert decoded(sized(b"\x08\x01\x2a" + sized(data)))


@given(st.binary(max_size=60), st.integers(0, 200))
def test_no_change_to_a_good_frame_raises(noise: bytes, place: int):
    good = command(id=1, subscribe={"channel": "c" * 20, "offset": 7, "epoch": "e"}) * 2
    assert decoded(good[:place] + noise + good[place + len(noise) :])
    assert decoded(good[:place])


PAGE = (p.Publication(b"[7]", 7), p.Publication(b"8", 8))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (p.Reply(1, p.Error(100, "m", True)), {"id": 1, "error": {"code": 100, "message": "m", "temporary": True}}),
        (
            p.Reply(300, p.ConnectResult(
                "c", "v", 25, 600, b'{"a":1}', {"#p": p.SubscribeResult(), "#q": p.SubscribeResult(True, "e", 3)},
            )),
            {
                "id": 300,
                "connect": {
                    "client": "c", "version": "v", "expires": True, "ttl": 600, "data": b'{"a":1}',
                    "subs": {"#p": {}, "#q": {"recoverable": True, "positioned": True, "epoch": "e", "offset": 3}},
                    "ping": 25, "pong": True,
                },
            },
        ),
        (
            p.Reply(2, p.SubscribeResult(True, "e", 2**53 - 1, True, True, PAGE)),
            {
                "id": 2,
                "subscribe": {
                    "recoverable": True, "positioned": True, "epoch": "e", "offset": 2**53 - 1, "was_recovering": True,
                    "recovered": True, "publications": [{"data": b"[7]", "offset": 7}, {"data": b"8", "offset": 8}],
                },
            },
        ),
        (p.Reply(2, p.SubscribeResult()), {"id": 2, "subscribe": {}}),
        (p.Reply(3, p.UnsubscribeResult()), {"id": 3, "unsubscribe": {}}),
        (p.Reply(4, p.RpcResult(b'{"a":1}')), {"id": 4, "rpc": {"data": b'{"a":1}'}}),
        (
            p.Reply(5, p.RefreshResult("c", "v", 9)),
            {"id": 5, "refresh": {"client": "c", "version": "v", "expires": True, "ttl": 9}},
        ),
        (p.Publish("c", p.Publication(b'"' + b"x" * 70_000 + b'"', 7)),
         {"push": {"channel": "c", "pub": {"data": b'"' + b"x" * 70_000 + b'"', "offset": 7}}}),
        (
            p.Reply(6, p.HistoryResult((p.Publication(b"7", 7, p.ClientInfo("u", "c")),), "e", 9)),
            {
                "id": 6,
                "history": {
                    "publications": [{"data": b"7", "info": {"user": "u", "client": "c"}, "offset": 7}],
                    "epoch": "e", "offset": 9,
                },
            },
        ),
        (
            p.Reply(6, p.PresenceResult({"c": p.ClientInfo("u", "c", b'{"a":1}', b"2"), "d": p.ClientInfo("", "d")})),
            {
                "id": 6,
                "presence": {
                    "presence": {
                        "c": {"user": "u", "client": "c", "conn_info": b'{"a":1}', "chan_info": b"2"}, "d": {"client": "d"},
                    },
                },
            },
        ),
        (p.Reply(6, p.PresenceStatsResult(3, 2)), {"id": 6, "presence_stats": {"num_clients": 3, "num_users": 2}}),
        (p.Reply(6, p.PublishResult()), {"id": 6, "publish": {}}),
        (p.Reply(6, p.SubRefreshResult(9)), {"id": 6, "sub_refresh": {"expires": True, "ttl": 9}}),
        (p.Join("c", p.ClientInfo("u", "x")), {"push": {"channel": "c", "join": {"info": {"user": "u", "client": "x"}}}}),
        (p.Leave("c", p.ClientInfo("u", "x")), {"push": {"channel": "c", "leave": {"info": {"user": "u", "client": "x"}}}}),
        (p.Publish("c", p.Publication(b"0")), {"push": {"channel": "c", "pub": {"data": b"0"}}}),
        (p.End("c", p.EndCode.REMOVED), {"push": {"channel": "c", "unsubscribe": {"code": 2000, "reason": "removed"}}}),
    ],
)  # fmt: skip
def test_messages(message: p.Message, expected: dict[str, Any]):
    sent: Message = encoded(message)
    assert sent == theirs.Reply(**expected)
    for name in expected:
        assert name == "id" or sent.HasField(name)


def test_a_ping_is_one_byte():
    assert PROTOBUF.frame(p.Ping()) == b"\x82\x01\x00"

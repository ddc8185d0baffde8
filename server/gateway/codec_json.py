"""The JSON codec: text frames of one or more JSON objects, joined by a newline (protocol.md §1).

A field that holds its zero value is left out, a result object never is. Payloads are embedded as they are.
"""

import json
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from server.gateway import protocol as p
from server.gateway.frames import TEXT, frame

MAX_COMMANDS = 4_096
"""Commands in one frame: four times what a client with all its subscriptions sends at once."""

_MAX_ID = 2**32 - 1
_MAX_OFFSET = 2**64 - 1
_NO_PARAMS = b"{}"


class _Object(Struct):
    """Any JSON object; what is in it is looked over, not looked at."""


class _Connect(Struct):
    token: str | None = None


class _Subscribe(Struct):
    channel: str | None = None
    recover: bool | None = None
    epoch: str | None = None
    offset: int | None = None
    flag: int | None = None
    type: int | None = None


class _Unsubscribe(Struct):
    channel: str | None = None


class _Rpc(Struct):
    method: str | None = None
    data: Raw = Raw(b"null")


class _Refresh(Struct):
    token: str | None = None


class _Command(Struct):
    id: int = 0
    connect: _Connect | None = None
    subscribe: _Subscribe | None = None
    unsubscribe: _Unsubscribe | None = None
    publish: _Object | None = None
    presence: _Object | None = None
    presence_stats: _Object | None = None
    history: _Object | None = None
    ping: _Object | None = None
    send: _Object | None = None
    rpc: _Rpc | None = None
    refresh: _Refresh | None = None
    sub_refresh: _Object | None = None


_REQUESTS = tuple(name for name in _Command.__struct_fields__ if name != "id")
_decoder = msgspec.json.Decoder(_Command)


def _decode(data: bytes, max_command: int) -> list[p.Command]:
    lines = data.removesuffix(b"\n").split(b"\n")
    if len(lines) > MAX_COMMANDS:
        return [p.Malformed("too many commands in one frame")]
    try:
        # Strings that are only passed on are not checked by the decoder.
        data.decode()
    except UnicodeDecodeError:
        return [p.Malformed("not UTF-8")]
    commands: list[p.Command] = []
    for line in lines:
        commands.append(_command(line, max_command))
        if isinstance(commands[-1], p.Malformed):
            break
    return commands


def _command(line: bytes, max_command: int) -> p.Command:
    try:
        command = _decoder.decode(line)
    except msgspec.ValidationError:
        return p.Malformed("not a command")
    except msgspec.DecodeError:
        return _halved(line)
    except (RecursionError, UnicodeDecodeError):
        return p.Malformed("not a command")
    asked = [name for name in _REQUESTS if getattr(command, name) is not None]
    if not asked and command.id == 0 and len(line) <= max_command:
        return p.Pong()
    if asked == ["send"]:
        return p.Send()
    if len(asked) != 1 or not 0 < command.id <= _MAX_ID:
        return p.Malformed("not a command")
    if len(line) > max_command:
        return p.BadRequest(command.id, f"The command is larger than {max_command} bytes. Send less at once.")
    return _meaning(command, asked[0])


def _halved(line: bytes) -> p.Command:
    """What to say to JSON that the decoder refuses: legal but for half a character (a lone surrogate), or not JSON."""
    try:
        whole = json.loads(line.decode(), parse_constant=_refuse)
        number = whole["id"]
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        return p.Malformed("not JSON")
    if type(number) is not int or not 0 < number <= _MAX_ID:
        return p.Malformed("not a command")
    return p.BadRequest(number, "The text contains half a character (a lone surrogate). Remove it and send again.")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _meaning(command: _Command, asked: str) -> p.Command:
    number = command.id
    if command.connect is not None:
        return p.Connect(number, command.connect.token)
    if command.rpc is not None:
        data = bytes(command.rpc.data)
        return p.Rpc(number, command.rpc.method or "", _NO_PARAMS if data == b"null" else data)
    if command.subscribe is not None:
        return _subscribe(number, command.subscribe)
    if command.unsubscribe is not None:
        return p.Unsubscribe(number, command.unsubscribe.channel or "")
    if command.refresh is not None:
        return p.Refresh(number, command.refresh.token or "")
    return p.Unavailable(number, asked)


def _subscribe(number: int, asked: _Subscribe) -> p.Command:
    offset = asked.offset or 0
    if not 0 <= offset <= _MAX_OFFSET:
        return p.Malformed("not a command")
    if asked.type:
        return p.Unavailable(number, "subscribe")
    return p.Subscribe(number, asked.channel or "", asked.recover or False, asked.epoch or "", offset, asked.flag or 0)


class _Wire(Struct, omit_defaults=True):
    """Zero values stay off the wire."""


class _Error(_Wire):
    code: int
    message: str
    temporary: bool = False


class _Publication(_Wire):
    data: Raw
    offset: int = 0


class _SubscribeResult(_Wire):
    recoverable: bool = False
    positioned: bool = False
    epoch: str = ""
    offset: int = 0
    was_recovering: bool = False
    recovered: bool = False
    publications: list[_Publication] = []


class _ConnectResult(_Wire):
    client: str
    version: str = ""
    expires: bool = False
    ttl: int = 0
    data: Raw | UnsetType = UNSET
    subs: dict[str, _SubscribeResult] = {}
    ping: int = 0
    pong: bool = False


class _RpcResult(_Wire):
    data: Raw


class _RefreshResult(_Wire):
    client: str
    version: str = ""
    expires: bool = False
    ttl: int = 0


class _Push(_Wire):
    channel: str
    pub: _Publication | UnsetType = UNSET
    unsubscribe: _Error | UnsetType = UNSET


def _raw(payload: bytes) -> Raw:
    """A payload on one line: in JSON a newline outside of strings is only space, and strings hold none."""
    return Raw(payload.replace(b"\n", b" ") if b"\n" in payload else payload)


def _publication(publication: p.Publication) -> _Publication:
    return _Publication(_raw(publication.data), publication.offset)


def _subscribed(result: p.SubscribeResult) -> _SubscribeResult:
    return _SubscribeResult(
        result.positioned,
        result.positioned,
        result.epoch,
        result.offset,
        result.was_recovering,
        result.recovered,
        [_publication(publication) for publication in result.publications],
    )


def _connected(result: p.ConnectResult) -> _ConnectResult:
    data = UNSET if result.data is None else _raw(result.data)
    subs = {name: _SubscribeResult() for name in result.subs}
    expires = result.ttl > 0
    return _ConnectResult(result.client, result.version, expires, result.ttl, data, subs, result.ping, result.ping > 0)


def _result(result: p.Result) -> tuple[str, Any]:
    match result:
        case p.Error():
            return "error", _Error(result.code, result.message, result.temporary)
        case p.ConnectResult():
            return "connect", _connected(result)
        case p.SubscribeResult():
            return "subscribe", _subscribed(result)
        case p.RpcResult():
            return "rpc", _RpcResult(_raw(result.data))
        case p.RefreshResult():
            return "refresh", _RefreshResult(result.client, result.version, result.ttl > 0, result.ttl)
    return "unsubscribe", {}


def _wire(message: p.Message) -> dict[str, Any]:
    match message:
        case p.Reply():
            name, result = _result(message.result)
            return {"id": message.id, name: result}
        case p.Publish():
            return {"push": _Push(message.channel, _publication(message.publication))}
        case p.End():
            end = {"code": int(message.code), "reason": message.code.reason}
            return {"push": {"channel": message.channel, "unsubscribe": end}}
    return {}  # a ping


class JsonCodec:
    """The codec of subprotocol `centrifuge-json`, and of clients that name none."""

    name = "json"

    def decode(self, data: bytes, max_command: int) -> list[p.Command]:
        """See Codec. Commands larger than `max_command` bytes become BadRequest."""
        return _decode(data, max_command)

    def frame(self, message: p.Message) -> bytes:
        """See Codec."""
        return frame(TEXT, msgspec.json.encode(_wire(message)))


JSON = JsonCodec()

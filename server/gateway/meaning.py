"""Between the wire and the plain values of protocol.py: what a command means, and what an answer looks like. For both codecs."""

from collections.abc import Mapping

from msgspec import UNSET, Raw, Struct, UnsetType

from server.gateway import fields as f
from server.gateway import protocol as p

MAX_COMMANDS = 4_096
"""Commands in one frame: four times what a client with all its subscriptions sends at once."""

MAX_ID = 2**32 - 1
_MAX_OFFSET = 2**64 - 1
_NO_PARAMS = b"{}"
_NULL = b"null"


def command(read: f.Command, size: int, max_command: int) -> p.Command:
    """What a client asks; `size` is that of the command, in bytes."""
    asked = [name for name in f.REQUESTS if getattr(read, name) is not None]
    if not asked and read.id == 0 and size <= max_command:
        return p.Pong()
    if asked == ["send"]:
        return p.Send()
    if len(asked) != 1 or not 0 < read.id <= MAX_ID:
        return p.Malformed("not a command")
    if size > max_command:
        return p.BadRequest(read.id, f"The command is larger than {max_command} bytes. Send less at once.")
    return _meaning(read.id, asked[0], getattr(read, asked[0]))


def _meaning(number: int, asked: str, request: Struct) -> p.Command:
    match request:
        case f.Connect():
            return p.Connect(number, request.token, _positions(request.subs or {}))
        case f.Rpc():
            return p.Rpc(number, request.method or "", _payload(request.data, _NO_PARAMS))
        case f.Subscribe():
            return _subscribe(number, request)
        case f.Unsubscribe():
            return p.Unsubscribe(number, request.channel or "")
        case f.Refresh():
            return p.Refresh(number, request.token or "")
        case f.Publish() if not request.type:
            return _publish(number, request)
        case f.History():
            return _history(number, request)
        case f.Presence():
            return p.Presence(number, request.channel or "", asked == "presence_stats")
        case f.SubRefresh():
            return p.SubRefresh(number, request.channel or "", request.token or "")
    return p.Unavailable(number, asked)


def _positions(subs: Mapping[str, f.Subscribe | None]) -> dict[str, tuple[int, str]]:
    return {name: (one.offset or 0, one.epoch or "") for name, one in subs.items() if one and one.recover}


def _payload(data: Raw, absent: bytes) -> bytes:
    given = bytes(data)
    return absent if given in (b"", _NULL) else given


def _subscribe(number: int, asked: f.Subscribe) -> p.Command:
    offset = asked.offset or 0
    if not 0 <= offset <= _MAX_OFFSET:
        return p.Malformed("not a command")
    if asked.type:
        return p.Unavailable(number, "subscribe")
    return p.Subscribe(
        number,
        asked.channel or "",
        asked.recover or False,
        asked.epoch or "",
        offset,
        asked.flag or 0,
        asked.token or "",
        asked.join_leave or False,
    )


def _publish(number: int, asked: f.Publish) -> p.Command:
    data = _payload(asked.data, b"")
    if not data:
        return p.BadRequest(number, "There is nothing in data. Publish some JSON.")
    return p.PublishRequest(number, asked.channel or "", data)


def _history(number: int, asked: f.History) -> p.Command:
    since = None
    if asked.since is not None:
        since = (asked.since.offset or 0, asked.since.epoch or "")
        if not 0 <= since[0] <= _MAX_OFFSET:
            return p.Malformed("not a command")
    return p.History(number, asked.channel or "", asked.limit or 0, since, asked.reverse or False)


def reply(message: p.Message) -> f.Reply:
    """What a message looks like."""
    match message:
        case p.Publish():
            return f.Reply(push=f.Push(message.channel, _publication(message.publication)))
        case p.Reply():
            return _result(message.id, message.result)
        case p.End():
            return f.Reply(push=f.Push(message.channel, unsubscribe=f.Reason(message.code, message.code.reason)))
        case p.Join():
            return f.Reply(push=f.Push(message.channel, join=f.Came(_info(message.info))))
        case p.Leave():
            return f.Reply(push=f.Push(message.channel, leave=f.Came(_info(message.info))))
    return f.Reply()  # a ping


def _result(number: int, result: p.Result) -> f.Reply:
    match result:
        case p.Error():
            return f.Reply(number, error=f.Error(result.code, result.message, result.temporary))
        case p.ConnectResult():
            return f.Reply(number, connect=_connected(result))
        case p.SubscribeResult():
            return f.Reply(number, subscribe=_subscribed(result))
        case p.RpcResult():
            return f.Reply(number, rpc=f.RpcResult(_raw(result.data)))
        case p.RefreshResult():
            refreshed = f.RefreshResult(result.client, result.version, result.ttl > 0, result.ttl)
            return f.Reply(number, refresh=refreshed)
        case p.UnsubscribeResult():
            return f.Reply(number, unsubscribe=f.Nothing())
    return _answer(number, result)


def _answer(number: int, result: p.Answer) -> f.Reply:
    match result:
        case p.HistoryResult():
            page = [_publication(publication) for publication in result.publications]
            return f.Reply(number, history=f.HistoryResult(page, result.epoch, result.offset))
        case p.PresenceResult():
            there = {client: _info(info) for client, info in result.clients.items()}
            return f.Reply(number, presence=f.PresenceResult(there))
        case p.PresenceStatsResult():
            return f.Reply(number, presence_stats=f.PresenceStatsResult(result.clients, result.users))
        case p.SubRefreshResult():
            return f.Reply(number, sub_refresh=f.SubRefreshResult(result.ttl > 0, result.ttl))
    return f.Reply(number, publish=f.Nothing())


def _raw(payload: bytes) -> Raw:
    """A payload on one line: in JSON a newline outside of strings is only space, and strings hold none."""
    return Raw(payload.replace(b"\n", b" ") if b"\n" in payload else payload)


def _if_given(payload: bytes | None) -> Raw | UnsetType:
    return UNSET if payload is None else _raw(payload)


def _info(info: p.ClientInfo) -> f.ClientInfo:
    return f.ClientInfo(info.user, info.client, _if_given(info.conn_info), _if_given(info.chan_info))


def _publication(publication: p.Publication) -> f.Publication:
    info = UNSET if publication.info is None else _info(publication.info)
    return f.Publication(_raw(publication.data), info, publication.offset)


def _subscribed(result: p.SubscribeResult) -> f.SubscribeResult:
    return f.SubscribeResult(
        result.ttl > 0,
        result.ttl,
        recoverable=result.positioned,
        epoch=result.epoch,
        publications=[_publication(publication) for publication in result.publications],
        recovered=result.recovered,
        offset=result.offset,
        positioned=result.positioned,
        was_recovering=result.was_recovering,
    )


def _connected(result: p.ConnectResult) -> f.ConnectResult:
    return f.ConnectResult(
        result.client,
        result.version,
        result.ttl > 0,
        result.ttl,
        _if_given(result.data),
        {name: _subscribed(one) for name, one in result.subs.items()},
        result.ping,
        result.ping > 0,
    )

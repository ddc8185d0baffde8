"""What stands on the wire, field by field: the one table of both codecs (protocol.md §1.1).

A struct is a message as the JSON codec reads and writes it; NUMBERS says under which number the Protobuf codec knows each
field. What is read may hold null anywhere; of what is written, a field with its zero value is left out, unless it has no
default here. Fields that we neither read nor write are not listed: both codecs skip what they do not know.
"""

from msgspec import UNSET, Raw, Struct, UnsetType


class Object(Struct):
    """Any object; what is in it is looked over, not looked at."""


class Subscribe(Struct):
    """SubscribeRequest."""

    channel: str | None = None
    token: str | None = None
    recover: bool | None = None
    epoch: str | None = None
    offset: int | None = None
    join_leave: bool | None = None
    flag: int | None = None
    type: int | None = None


class Connect(Struct):
    """ConnectRequest."""

    token: str | None = None
    subs: dict[str, Subscribe | None] | None = None


class Unsubscribe(Struct):
    """UnsubscribeRequest."""

    channel: str | None = None


class Publish(Struct):
    """PublishRequest."""

    channel: str | None = None
    data: Raw = Raw(b"")
    type: int | None = None


class Presence(Struct):
    """PresenceRequest and PresenceStatsRequest."""

    channel: str | None = None


class Since(Struct):
    """StreamPosition."""

    offset: int | None = None
    epoch: str | None = None


class History(Struct):
    """HistoryRequest."""

    channel: str | None = None
    limit: int | None = None
    since: Since | None = None
    reverse: bool | None = None


class Rpc(Struct):
    """RPCRequest."""

    data: Raw = Raw(b"")
    method: str | None = None


class Refresh(Struct):
    """RefreshRequest."""

    token: str | None = None


class SubRefresh(Struct):
    """SubRefreshRequest."""

    channel: str | None = None
    token: str | None = None


class Command(Struct):
    """What a client sends: an id, and one request."""

    id: int = 0
    connect: Connect | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    publish: Publish | None = None
    presence: Presence | None = None
    presence_stats: Presence | None = None
    history: History | None = None
    ping: Object | None = None
    send: Object | None = None
    rpc: Rpc | None = None
    refresh: Refresh | None = None
    sub_refresh: SubRefresh | None = None


REQUESTS = tuple(name for name in Command.__struct_fields__ if name != "id")


class _Written(Struct, omit_defaults=True):
    """Zero values stay off the wire."""


class Nothing(_Written):
    """A result that says only that it was done."""


class Error(_Written):
    """Error."""

    code: int
    message: str
    temporary: bool = False


class ClientInfo(_Written):
    """ClientInfo."""

    user: str
    client: str
    conn_info: Raw | UnsetType = UNSET
    chan_info: Raw | UnsetType = UNSET


class Publication(_Written):
    """Publication."""

    data: Raw
    info: ClientInfo | UnsetType = UNSET
    offset: int = 0


class SubscribeResult(_Written):
    """SubscribeResult."""

    expires: bool = False
    ttl: int = 0
    recoverable: bool = False
    epoch: str = ""
    publications: list[Publication] = []
    recovered: bool = False
    offset: int = 0
    positioned: bool = False
    was_recovering: bool = False


class ConnectResult(_Written):
    """ConnectResult."""

    client: str
    version: str = ""
    expires: bool = False
    ttl: int = 0
    data: Raw | UnsetType = UNSET
    subs: dict[str, SubscribeResult] = {}
    ping: int = 0
    pong: bool = False


class HistoryResult(_Written):
    """HistoryResult."""

    publications: list[Publication]
    epoch: str
    offset: int


class PresenceResult(_Written):
    """PresenceResult."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(_Written):
    """PresenceStatsResult."""

    num_clients: int
    num_users: int


class RpcResult(_Written):
    """RPCResult."""

    data: Raw


class RefreshResult(_Written):
    """RefreshResult."""

    client: str
    version: str = ""
    expires: bool = False
    ttl: int = 0


class SubRefreshResult(_Written):
    """SubRefreshResult."""

    expires: bool = False
    ttl: int = 0


class Reason(_Written):
    """Unsubscribe, the push."""

    code: int
    reason: str


class Came(_Written):
    """Join and Leave."""

    info: ClientInfo


class Push(_Written):
    """Push."""

    channel: str
    pub: Publication | UnsetType = UNSET
    join: Came | UnsetType = UNSET
    leave: Came | UnsetType = UNSET
    unsubscribe: Reason | UnsetType = UNSET


class Reply(_Written):
    """What we send: the answer to a command, a push, or nothing at all, which is a ping."""

    id: int = 0
    error: Error | UnsetType = UNSET
    push: Push | UnsetType = UNSET
    connect: ConnectResult | UnsetType = UNSET
    subscribe: SubscribeResult | UnsetType = UNSET
    unsubscribe: Nothing | UnsetType = UNSET
    publish: Nothing | UnsetType = UNSET
    presence: PresenceResult | UnsetType = UNSET
    presence_stats: PresenceStatsResult | UnsetType = UNSET
    history: HistoryResult | UnsetType = UNSET
    rpc: RpcResult | UnsetType = UNSET
    refresh: RefreshResult | UnsetType = UNSET
    sub_refresh: SubRefreshResult | UnsetType = UNSET


NUMBERS: dict[type[Struct], dict[str, int]] = {
    Object: {},
    Command: {
        "id": 1, "connect": 4, "subscribe": 5, "unsubscribe": 6, "publish": 7, "presence": 8, "presence_stats": 9,
        "history": 10, "ping": 11, "send": 12, "rpc": 13, "refresh": 14, "sub_refresh": 15,
    },
    Connect: {"token": 1, "subs": 3},
    Subscribe: {
        "channel": 1, "token": 2, "recover": 3, "epoch": 6, "offset": 7, "join_leave": 11, "flag": 14, "type": 15,
    },
    Unsubscribe: {"channel": 1},
    Publish: {"channel": 1, "data": 2, "type": 3},
    Presence: {"channel": 1},
    Since: {"offset": 1, "epoch": 2},
    History: {"channel": 1, "limit": 7, "since": 8, "reverse": 9},
    Rpc: {"data": 1, "method": 2},
    Refresh: {"token": 1},
    SubRefresh: {"channel": 1, "token": 2},
    Nothing: {},
    Error: {"code": 1, "message": 2, "temporary": 3},
    ClientInfo: {"user": 1, "client": 2, "conn_info": 3, "chan_info": 4},
    Publication: {"data": 4, "info": 5, "offset": 6},
    SubscribeResult: {
        "expires": 1, "ttl": 2, "recoverable": 3, "epoch": 6, "publications": 7, "recovered": 8, "offset": 9,
        "positioned": 10, "was_recovering": 12,
    },
    ConnectResult: {
        "client": 1, "version": 2, "expires": 3, "ttl": 4, "data": 5, "subs": 6, "ping": 7, "pong": 8,
    },
    HistoryResult: {"publications": 1, "epoch": 2, "offset": 3},
    PresenceResult: {"presence": 1},
    PresenceStatsResult: {"num_clients": 1, "num_users": 2},
    RpcResult: {"data": 1},
    RefreshResult: {"client": 1, "version": 2, "expires": 3, "ttl": 4},
    SubRefreshResult: {"expires": 1, "ttl": 2},
    Reason: {"code": 2, "reason": 3},
    Came: {"info": 1},
    Push: {"channel": 2, "pub": 4, "join": 5, "leave": 6, "unsubscribe": 7},
    Reply: {
        "id": 1, "error": 2, "push": 4, "connect": 5, "subscribe": 6, "unsubscribe": 7, "publish": 8, "presence": 9,
        "presence_stats": 10, "history": 11, "rpc": 13, "refresh": 14, "sub_refresh": 15,
    },
}  # fmt: skip

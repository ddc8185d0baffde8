"""AsyncAPI 3 of the WebSocket: the commands of the client protocol, each operation as an rpc, and what is pushed.

Read off the gateway's protocol structs, the operations table and the types of what is pushed: there is no second list.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from server.chat import pushed
from server.gateway import protocol
from server.operations import Operation

_REF = "#/components/schemas/{model}"
_CONNECTION = {"$ref": "#/channels/connection"}
_COMMANDS: dict[str, tuple[type[msgspec.Struct], type[msgspec.Struct]]] = {
    "connect": (protocol.Connect, protocol.ConnectResult),
    "subscribe": (protocol.Subscribe, protocol.SubscribeResult),
    "unsubscribe": (protocol.Unsubscribe, protocol.UnsubscribeResult),
    "refresh": (protocol.Refresh, protocol.RefreshResult),
    "history": (protocol.History, protocol.HistoryResult),
    "presence": (protocol.Presence, protocol.PresenceResult),
    "presence_stats": (protocol.Presence, protocol.PresenceStatsResult),
}
# What the codec makes of a struct's fields where that is something else (protocol.md §1): a payload is any JSON, two facts
# stand for one, or one has another name (None: it is not on the wire). Fields with zero values are left out, so none but
# those that are never zero is required.
_EXPIRES = {"expires": {"type": "boolean"}}
_POSITIONED = {"positioned": {"type": "boolean"}, "recoverable": {"type": "boolean"}}
_ON_THE_WIRE: dict[type[msgspec.Struct], tuple[dict[str, Any], list[str]]] = {
    protocol.Connect: ({"positions": None, "subs": {"type": "object"}}, []),
    protocol.ConnectResult: (
        _EXPIRES | {"pong": {"type": "boolean"}, "subs": {"type": "object"}},
        ["client", "version"],
    ),
    protocol.RefreshResult: (_EXPIRES, ["client", "version"]),
    protocol.SubscribeResult: (_POSITIONED, []),
    protocol.Publication: ({"data": {}}, ["data"]),
    protocol.ClientInfo: ({"conn_info": {}, "chan_info": {}}, ["user", "client"]),
    protocol.History: (
        {
            "since": {
                "type": "object",
                "properties": {"offset": {"type": "integer"}, "epoch": {"type": "string"}},
                "description": "A position, exclusive",
            }
        },
        ["channel"],
    ),
    protocol.HistoryResult: ({}, ["publications", "epoch", "offset"]),
    protocol.Presence: ({"stats": None}, ["channel"]),
    protocol.PresenceResult: (
        {
            "clients": None,
            "presence": {"type": "object", "additionalProperties": {"$ref": _REF.format(model="ClientInfo")}},
        },
        ["presence"],
    ),
    protocol.PresenceStatsResult: (
        {
            "clients": None,
            "users": None,
            "num_clients": {"type": "integer", "description": "Connections"},
            "num_users": {"type": "integer", "description": "Of how many"},
        },
        ["num_clients", "num_users"],
    ),
}
_PUSHES = (*(pushed.MessageItem, pushed.SystemItem, pushed.Void, pushed.Seen, pushed.NewProfile, pushed.ChannelHint),)
_COMES_AND_GOES = {"join": protocol.Join, "leave": protocol.Leave}
_ID = {
    "type": "integer",
    "minimum": 1,
    "maximum": 2**32 - 1,
    "description": "Chosen by the client; the reply carries it",
}
_INFO = (
    "The Centrifuge client protocol in JSON: a text frame is one or more objects, a line each. Connect first; "
    "`{}` is a ping, answered by `{}`. Field by field it is documented by the protocol; here is what this server takes and gives."
)


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document."""
    schemas = _schemas(operations)
    messages: dict[str, Any] = {"error": _message("A command refused", _reply_of("error", _ref("Error")))}
    described: dict[str, Any] = {}
    for name, (command, result) in _COMMANDS.items():
        messages[name] = _message(_first_line(command), _command(name, _ref(command.__name__)))
        messages[f"{name}.reply"] = _message(_first_line(result), _reply_of(name, _ref(result.__name__)))
        described[name] = _receive(name)
    for operation in operations:
        name = f"rpc.{operation.name}"
        data = _object({"data": _ref(operation.result.__name__)}, ["data"])
        call = _object({"method": {"const": operation.name}, "data": _ref(operation.params.__name__)}, ["method"])
        messages[name] = _message(operation.summary, _command("rpc", call))
        messages[f"{name}.reply"] = _message(_first_line(operation.result), _reply_of("rpc", data))
        described[name] = _receive(name) | {"x-permission": operation.permission}
    for each in _PUSHES:
        name = f"push.{each.__name__}"
        messages[name] = _message(_first_line(each), _push(_ref(each.__name__)))
        described[name] = {"action": "send", "channel": _CONNECTION, "messages": [_on_connection(name)]}
    for word, struct in _COMES_AND_GOES.items():
        info = _object({"info": _ref("ClientInfo")}, ["info"])
        push = _object({"channel": {"type": "string"}, word: info}, ["channel", word])
        messages[f"push.{word}"] = _message(_first_line(struct), _object({"push": push}, ["push"]))
        described[f"push.{word}"] = {
            "action": "send", "channel": _CONNECTION, "messages": [_on_connection(f"push.{word}")],
        }  # fmt: skip
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Warmline", "version": "0.1.0", "description": _INFO},
        "channels": {
            "connection": {
                "address": "/connection/websocket",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": described,
        "components": {"messages": messages, "schemas": schemas},
    }


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    models: list[type[BaseModel]] = [
        model for operation in operations for model in (operation.params, operation.result)
    ]
    schemas: dict[str, Any] = models_json_schema([(model, "validation") for model in models], ref_template=_REF)[1][
        "$defs"
    ]
    structs = [struct for pair in _COMMANDS.values() for struct in pair]
    found = msgspec.json.schema_components([*structs, protocol.Error], ref_template=_REF.replace("model", "name"))[1]
    for schema in found.values():
        schema.get("properties", {}).pop("id", None)  # it stands in the envelope
        schema["required"] = [name for name in schema.get("required", ()) if name != "id"]
    for struct, (fields, required) in _ON_THE_WIRE.items():
        properties = found[struct.__name__]["properties"] | fields
        found[struct.__name__]["properties"] = {name: one for name, one in properties.items() if one is not None}
        found[struct.__name__]["required"] = required
    for each in _PUSHES:
        schema = TypeAdapter(each).json_schema(ref_template=_REF)
        schemas |= schema.pop("$defs", {}) | {each.__name__: schema}
    return schemas | found


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(model=name)}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _command(name: str, body: dict[str, Any]) -> dict[str, Any]:
    return _object({"id": _ID, name: body}, ["id", name])


_reply_of = _command


def _push(data: dict[str, Any]) -> dict[str, Any]:
    offset = {"type": "integer", "description": "Its place in the log; absent where it moves no position"}
    publication = _object({"data": data, "offset": offset}, ["data"])
    return _object({"push": _object({"channel": {"type": "string"}, "pub": publication}, ["channel", "pub"])}, ["push"])


def _message(summary: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "contentType": "application/json", "payload": payload}


def _receive(name: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": _CONNECTION,
        "messages": [_on_connection(name)],
        "reply": {"channel": _CONNECTION, "messages": [_on_connection(f"{name}.reply"), _on_connection("error")]},
    }


def _on_connection(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/connection/messages/{name}"}


def _first_line(of: type) -> str:
    return (of.__doc__ or "").strip().splitlines()[0]

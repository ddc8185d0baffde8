"""The Protobuf codec: binary frames of messages, each behind its length as a varint (protocol.md §1).

The numbers are those of fields.py, the kinds those of its types. Our own coder, because it is one table for both codecs and
little else: no descriptors, no generated code, no second set of objects. It reads nothing by a length that the frame does not
hold, and no deeper than the table.
"""

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from server.gateway import fields, meaning
from server.gateway import protocol as p
from server.gateway.frames import BINARY, frame

_VARINT, _EIGHT, _SIZED, _FOUR = 0, 1, 2, 5
_UNSIGNED = frozenset({"id", "offset"})
"""Whole numbers that have no sign; the others are int32 or int64, whose negatives are written in two's complement."""

_json = msgspec.json.Decoder(Raw)


class _Bad(ValueError):
    """These bytes are no message."""


class _NotJson(_Bad):
    """The message is one, but a payload in it is not JSON."""


class ProtobufCodec:
    """The codec of subprotocol `centrifuge-protobuf`."""

    name = "protobuf"

    def decode(self, data: bytes, max_command: int) -> list[p.Command]:
        """See Codec. Commands larger than `max_command` bytes, or with payloads that are not JSON, become BadRequest."""
        commands: list[p.Command] = []
        place = 0
        while place < len(data) or not commands:
            if len(commands) == meaning.MAX_COMMANDS:
                return [p.Malformed("too many commands in one frame")]
            try:
                size, place = _varint(data, place)
                message, place = _sized(data, place, size)
                commands.append(_command(message, max_command))
            except _Bad:
                commands.append(p.Malformed("not a command"))
            if isinstance(commands[-1], p.Malformed):
                break
        return commands

    def frame(self, message: p.Message) -> bytes:
        """See Codec."""
        body = bytearray()
        _write(body, meaning.reply(message))
        head = bytearray()
        _put_varint(head, len(body))
        return frame(BINARY, bytes(head + body))


PROTOBUF = ProtobufCodec()


def _command(message: bytes, max_command: int) -> p.Command:
    command = _read(fields.Command, message)
    meant = meaning.command(command, len(message), max_command)
    if isinstance(meant, p.Rpc | p.PublishRequest):
        try:
            _check(meant.data)
        except _NotJson as wrong:
            return p.BadRequest(meant.id, str(wrong))
    return meant


def _check(payload: bytes) -> None:
    """Payloads reach those who speak JSON as they are, so they have to be JSON (protocol.md §1, payload fields)."""
    try:
        payload.decode()
        _json.decode(payload)
    except (ValueError, RecursionError):
        raise _NotJson("The data is not JSON. Encode it as JSON in UTF-8, also in Protobuf.") from None


# Reading


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = shift = 0
    while shift < 70:
        if place == len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
    raise _Bad("no varint")


def _sized(data: bytes, place: int, size: int) -> tuple[bytes, int]:
    end = place + size
    if end > len(data):
        raise _Bad("cut short")
    return data[place:end], end


def _read(struct: type[Struct], data: bytes) -> Any:
    return struct(**_fields(_READERS[struct], data))


def _entry(kind: type[Struct], data: bytes) -> dict[str, Any]:
    """One entry of a map (see _KEY)."""
    found = _fields({1: ("key", _SIZED, _text), 2: ("value", _SIZED, lambda value: _read(kind, value))}, data)
    return {found.get("key", ""): found.get("value") or kind()}


def _fields(readers: Mapping[int, tuple[str, int, Callable[[Any], Any]]], data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == _VARINT:
            value, place = _varint(data, place)
        elif kind == _SIZED:
            size, place = _varint(data, place)
            value, place = _sized(data, place, size)
        elif kind in (_EIGHT, _FOUR):
            value, place = _sized(data, place, 8 if kind == _EIGHT else 4)
        else:
            raise _Bad("a group")
        name, expected, reader = readers.get(number, ("", -1, bytes))
        if kind == expected:
            read = reader(value)
            if isinstance(read, dict):
                found.setdefault(name, {}).update(read)
            else:
                found[name] = read
        elif not 0 < number < 2**29:
            raise _Bad("no field")
    return found


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _Bad("not UTF-8") from None


def _reader(name: str, kind: Any) -> tuple[str, int, Callable[[Any], Any]]:
    if kind is bool:
        return name, _VARINT, bool
    if kind is int:
        return name, _VARINT, int if name in _UNSIGNED else _signed
    if kind is str:
        return name, _SIZED, _text
    if kind is Raw:
        return name, _SIZED, Raw
    if typing.get_origin(kind) is dict:
        return name, _SIZED, lambda data: _entry(_held(typing.get_args(kind)[1]), data)
    return name, _SIZED, lambda data: _read(kind, data)


# Writing


def _put_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _put_sized(out: bytearray, tag: bytes, data: bytes | bytearray) -> None:
    out += tag
    _put_varint(out, len(data))
    out += data


def _write(out: bytearray, message: Struct) -> None:
    for name, tag, put in _WRITERS[type(message)]:
        value = getattr(message, name)
        if value is not UNSET:
            put(out, tag, value)


def _put_number(out: bytearray, tag: bytes, value: int) -> None:
    if value:
        out += tag
        _put_varint(out, value)


def _put_text(out: bytearray, tag: bytes, value: str) -> None:
    if value:
        _put_sized(out, tag, value.encode())


def _put_payload(out: bytearray, tag: bytes, value: Raw) -> None:
    _put_sized(out, tag, bytes(value))


def _put_message(out: bytearray, tag: bytes, value: Struct) -> None:
    body = bytearray()
    _write(body, value)
    _put_sized(out, tag, body)


def _put_messages(out: bytearray, tag: bytes, value: list[Struct]) -> None:
    for each in value:
        _put_message(out, tag, each)


_KEY, _VALUE = b"\x0a", b"\x12"
"""A map is a list of entries: key under number 1, value under 2."""


def _put_map(out: bytearray, tag: bytes, value: dict[str, Struct]) -> None:
    for key, each in value.items():
        entry = bytearray()
        _put_sized(entry, _KEY, key.encode())
        _put_message(entry, _VALUE, each)
        _put_sized(out, tag, entry)


Put = Callable[[bytearray, bytes, Any], None]


def _writer(name: str, number: int, kind: Any) -> tuple[str, bytes, Put]:
    varint = kind in (int, bool)
    tag = bytearray()
    _put_varint(tag, number << 3 | (_VARINT if varint else _SIZED))
    return name, bytes(tag), _PUTS.get(kind) or _PUTS.get(typing.get_origin(kind)) or _put_message


_PUTS: dict[Any, Put] = {
    bool: _put_number,
    int: _put_number,
    str: _put_text,
    Raw: _put_payload,
    list: _put_messages,
    dict: _put_map,
}


# The table, made ready


def _kinds(struct: type[Struct]) -> dict[str, Any]:
    """What each field holds, when it holds something."""
    return {name: _held(hint) for name, hint in typing.get_type_hints(struct).items()}


def _held(hint: Any) -> Any:
    union = isinstance(hint, types.UnionType)
    [kind] = [one for one in typing.get_args(hint) if one not in (type(None), UnsetType)] if union else [hint]
    return kind


_READERS = {
    struct: {numbers[name]: _reader(name, kind) for name, kind in _kinds(struct).items()}
    for struct, numbers in fields.NUMBERS.items()
}
_WRITERS = {
    struct: [_writer(name, numbers[name], kind) for name, kind in _kinds(struct).items()]
    for struct, numbers in fields.NUMBERS.items()
}

"""The JSON codec: text frames of one or more JSON objects, joined by a newline (protocol.md §1).

A field that holds its zero value is left out, a result object never is. Payloads are embedded as they are.
"""

import json

import msgspec

from server.gateway import fields, meaning
from server.gateway import protocol as p
from server.gateway.frames import TEXT, frame

_decoder = msgspec.json.Decoder(fields.Command)
_encode = msgspec.json.Encoder().encode


class JsonCodec:
    """The codec of subprotocol `centrifuge-json`, and of clients that name none."""

    name = "json"

    def decode(self, data: bytes, max_command: int) -> list[p.Command]:
        """See Codec. Commands larger than `max_command` bytes become BadRequest."""
        lines = data.removesuffix(b"\n").split(b"\n")
        if len(lines) > meaning.MAX_COMMANDS:
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

    def frame(self, message: p.Message) -> bytes:
        """See Codec."""
        return frame(TEXT, _encode(meaning.reply(message)))


JSON = JsonCodec()


def _command(line: bytes, max_command: int) -> p.Command:
    try:
        command = _decoder.decode(line)
    except msgspec.ValidationError:
        return p.Malformed("not a command")
    except msgspec.DecodeError:
        return _halved(line)
    except (RecursionError, UnicodeDecodeError):
        return p.Malformed("not a command")
    return meaning.command(command, len(line), max_command)


def _halved(line: bytes) -> p.Command:
    """What to say to JSON that the decoder refuses: legal but for half a character (a lone surrogate), or not JSON."""
    try:
        whole = json.loads(line.decode(), parse_constant=_refuse)
        number = whole["id"]
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        return p.Malformed("not JSON")
    if type(number) is not int or not 0 < number <= meaning.MAX_ID:
        return p.Malformed("not a command")
    return p.BadRequest(number, "The text contains half a character (a lone surrogate). Remove it and send again.")


def _refuse(constant: str) -> None:
    raise ValueError(constant)

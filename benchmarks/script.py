"""What the load client's connections say, as the file it reads: "=" begins a connection, ">" is said once, "@" in turns."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from server.ids import ChannelId

FIRST_ID = 4_000_000_000
"""Ids of the commands at the start: the running numbers of the others begin at 1."""

_PLAIN = (
    "The next appointment is on Thursday at ten; please bring the list of what you take, and write here if you cannot. "
)


def body(length: int) -> str:
    """A message of so many characters (and bytes), none of them an @."""
    return "".join(itertools.islice(itertools.cycle(_PLAIN), length - 1)) + "."


@dataclass
class Script:
    """The connections of one load client. `name` goes into its client_ids: two must not use the same ones."""

    name: str
    lines: list[str] = field(default_factory=list)
    connections: int = 0

    def connection(
        self,
        token: str,
        subscribe: Sequence[ChannelId],
        send: Sequence[ChannelId],
        text: str,
        room: int = 0,
        port: int = 0,
    ) -> None:
        """One more: signs in, subscribes, and then sends to its channels in turn, each time under a new client_id.

        `room`: which connections get the same broadcasts; `port`: where it connects, if not where all do.
        """
        ids = itertools.count(FIRST_ID)
        self.lines.append(f"= {room} {port}")
        self._say(">", {"id": next(ids), "connect": {"token": token}})
        for channel in subscribe:
            self._say(">", {"id": next(ids), "subscribe": {"channel": channel}})
        for channel in send:
            data = {"channel_id": channel, "client_id": f"{self.name}-{self.connections}-@", "text": text}
            # A number in JSON is no string: the quotes around this one go.
            self._say("@", {"id": "@", "rpc": {"method": "message.send", "data": data}}, '"id":"@"', '"id":@')
        self.connections += 1

    def write(self, path: Path) -> Path:
        """Write it to a file, for its owner alone: there are tokens in it."""
        path.touch(mode=0o600)
        path.write_text("\n".join(self.lines) + "\n")
        return path

    def _say(self, mark: str, command: object, old: str = "", new: str = "") -> None:
        text = json.dumps(command, separators=(",", ":"))
        self.lines.append(f"{mark} {text.replace(old, new) if old else text}")


def reference_script(path: Path, rooms: int, members: int) -> Path:
    """For the reference: the first connection of each room asks for broadcasts, with one byte each; all listen."""
    path.write_text(
        "".join(f"= {room}\n{'' if place else '@ x' + chr(10)}" for place in range(members) for room in range(rooms))
    )
    return path


def reference_frame(path: Path, size: int) -> Path:
    """A WebSocket frame of a publication, of so many bytes in all."""
    head = 2 if size < 128 else 4
    start, end = b'{"push":{"channel":"ch_' + b"0" * 20 + b'","pub":{"data":"', b'"}}}'
    payload = start + b"x" * (size - head - len(start) - len(end)) + end
    length = bytes([len(payload)]) if head == 2 else b"\x7e" + len(payload).to_bytes(2)
    path.write_bytes(b"\x81" + length + payload)
    return path

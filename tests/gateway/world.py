"""A small world for the gateway: another Policy and another Log than the product's, and a bus that can fall silent.

Names are channels of one organisation; people are admitted by a token that is their name. It is a legal other
implementation of the ports, kept in memory: offsets without holes, memberships that begin and end in the log.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from server.errors import Forbidden, NotFound, TokenExpired, Unauthorized, Unavailable, WarmlineError
from server.gateway.ports import Admission, Grant, Hint, LogRow, Renewed
from server.gateway.protocol import ClientInfo


class Unknown(WarmlineError):
    """No such operation."""

    status, code, temporary = 404, 108, False


@dataclass
class Membership:
    id: str
    person: str
    audience: str
    floor: int
    active: bool = True


@dataclass
class Room:
    rows: list[LogRow] = field(default_factory=list)
    members: list[Membership] = field(default_factory=list)

    @property
    def top(self) -> int:
        return len(self.rows)


class Bus:
    """One process's end of the doorbell, with no Redis behind it."""

    def __init__(self) -> None:
        self.receiver: Callable[[str, bytes], None] = lambda topic, payload: None
        self.restored: Callable[[], None] = lambda: None
        self.wanted: set[str] = set()
        self.silent = False
        """While true, everything published is lost."""

    def listen(self, topic: str) -> None:
        assert topic not in self.wanted
        self.wanted.add(topic)

    def unlisten(self, topic: str) -> None:
        self.wanted.remove(topic)

    def publish(self, topic: str, payload: bytes) -> None:
        if topic in self.wanted and not self.silent:
            self.receiver(topic, payload)


class World:
    """Policy and Log in one."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.rooms: dict[str, Room] = {}
        self.bus = Bus()
        self.epoch = "e1"
        self.next_epoch = "e1"
        """The epoch that the log really has; a gateway learns of it with `lately`."""
        self.came: list[tuple[str, str]] = []
        self.ttl = 0
        self.calls: dict[str, int] = {}
        self.pause: Callable[[str], Awaitable[None]] = _no_pause
        """Awaited at the beginning and the end of every call, with its name."""
        self.failing: set[str] = set()
        self.lost_rows: set[tuple[str, int]] = set()
        """Rows whose publication cannot be made."""
        self.trimmed = 0
        self.gate = asyncio.Event()
        self.seen_rpc: list[str] = []
        self.out: list[tuple[str, float]] = []
        """Who was signed out, and when."""
        self.began = 0.0
        self.refusing: WarmlineError | None = None
        """What every token is refused with."""

    # Writing

    def room(self, name: str) -> Room:
        return self.rooms.setdefault(f"org/{name}", Room())

    def join(self, name: str, person: str, audience: str = "staff", hidden: bool = False) -> Membership:
        """A new member; `hidden`: sees only what comes from now on."""
        room = self.room(name)
        offset = room.top + 1
        membership = Membership(f"m{len(room.members)}-{name}", person, audience, offset if hidden else 1)
        room.members.append(membership)
        self.came.append((person, f"org/{name}"))
        self.write(name, "joined", opens=(membership.id,))
        self.bus.publish(self.person_topic(person), f"org/{name}".encode())
        return membership

    def remove(self, name: str, membership: Membership) -> int:
        membership.active = False
        return self.write(name, "left", ends=(membership.id,)).offset

    def write(self, name: str, text: str, **also: Any) -> LogRow:
        row = self.commit(name, text, **also)
        self.ring(row)
        return row

    def commit(
        self,
        name: str,
        text: str,
        audience: str | None = None,
        target: int | None = None,
        opens: tuple[str, ...] = (),
        ends: tuple[str, ...] = (),
        info: ClientInfo | None = None,
    ) -> LogRow:
        """Written, but nobody was told."""
        room = self.room(name)
        row = LogRow(f"org/{name}", room.top + 1, audience, target, opens, ends, text, info=info)
        room.rows.append(row)
        return row

    def signal(
        self, name: str, text: str, audience: str | None = None, target: int | None = None, after: int = 0
    ) -> None:
        self.ring(LogRow(f"org/{name}", 0, audience, target, (), (), text, after=after))

    def ring(self, row: LogRow) -> None:
        self.bus.publish(self.topic(row.key), self.payload(row))

    def renew(self, name: str, kept: int, *texts: str) -> None:
        """The log is set back to `kept` rows of this channel, has a new epoch, and was written to since. Nobody was told."""
        del self.room(name).rows[kept:]
        self.next_epoch = f"e{int(self.next_epoch[1:]) + 1}"
        for text in texts:
            self.commit(name, text)

    def payload(self, row: LogRow) -> bytes:
        fields = [self.next_epoch, row.offset, row.audience, row.target, row.opens, row.ends, row.content, row.after]
        return json.dumps([*fields, None if row.info is None else [row.info.user, row.info.client]]).encode()

    async def _call(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        await self.pause(name)
        if name in self.failing:
            raise Unavailable("The database is away. Try again.")
        if f"{name}!" in self.failing:
            raise RuntimeError("a defect")

    # Policy

    async def connect(self, token: str | None) -> Admission:
        await self._call("connect")
        if token == "expired":
            raise TokenExpired("The token has expired.")
        if not token or token.startswith("forged"):
            raise Unauthorized("Sign in.")
        if self.refusing is not None:
            raise self.refusing
        person, _, ttl = token.partition(":")
        return Admission(person, person, f"#{person}", int(ttl or self.ttl), b'{"hello":true}', self.began)

    async def signed_out(self) -> Sequence[tuple[str, float]]:
        await self._call("signed_out")
        return list(self.out)

    async def watched(self, identity: Any) -> Sequence[str]:
        await self._call("watched")
        return [key for key, room in self.rooms.items() if self._member(room, identity)]

    async def subscribe(
        self, identity: Any, client: str, asked: Sequence[tuple[str, str]]
    ) -> Sequence[Grant | WarmlineError]:
        await self._call("subscribe")
        answers = [self._grant(identity, client, name, token) for name, token in asked]
        await self.pause("subscribe")
        return answers

    async def resubscribe(self, identity: Any, name: str, token: str) -> tuple[str, int]:
        await self._call("resubscribe")
        if token == "expired":
            raise TokenExpired("The token has expired.")
        if token == "forged":
            raise Unauthorized("No token.")
        if token == "refused":
            raise Forbidden("Not for you.")
        named, _, ttl = token.partition(":")
        return name or named, int(ttl)

    async def history(self, identity: Any, client: str, name: str, subscribed: bool) -> Grant:
        await self._call("history")
        return self._granted(identity, client, name)

    async def presence(self, identity: Any, client: str, name: str, subscribed: bool) -> Grant:
        await self._call("presence")
        return self._granted(identity, client, name)

    async def publish(self, identity: Any, client: str, name: str, data: bytes, subscribed: bool) -> None:
        await self._call("publish")
        if not subscribed:
            raise Forbidden("Subscribe first.")
        self.write(name, json.loads(data), info=ClientInfo(identity, client))

    def _granted(self, person: str, client: str, name: str) -> Grant:
        answer = self._grant(person, client, name)
        if isinstance(answer, WarmlineError):
            raise answer
        return answer

    def _grant(self, person: str, client: str, name: str, token: str = "") -> Grant | WarmlineError:
        if token == "mismatched":
            return Unauthorized("The token is for another channel.")
        if token == "expired":
            return TokenExpired("The token has expired.")
        room = self.rooms.get(f"org/{name}")
        member = self._member(room, person) if room else None
        if room is None or member is None:
            return Forbidden("Not for you.") if name == "forbidden" else NotFound("No such channel.")
        info = ClientInfo(member.id, f"{client}@{name}") if member.audience == "staff" else None
        grant = Grant(f"org/{name}", member.id, member.audience, member.floor, room.top, info)
        return replace(grant, joins=name.startswith("noisy"), ttl=int(token or 0), epoch=self.next_epoch)

    @staticmethod
    def _member(room: Room, person: str) -> Membership | None:
        return next((member for member in room.members if member.person == person and member.active), None)

    async def rpc(self, identity: Any, method: str, data: bytes) -> bytes:
        self.seen_rpc.append(method)
        match method:
            case "echo":
                return data
            case "me":
                return json.dumps(identity).encode()
            case "pretty":
                return b'{\n "a": 1\n}'
            case "wait":
                await self.gate.wait()
                return data
            case "forbidden":
                raise Forbidden("You may not.")
            case "boom":
                raise RuntimeError("a defect")
        raise Unknown("There is no such operation.")

    async def hints(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Hint]:
        await self._call("hints")
        return [self._hint(person, key) for person, key in pairs]

    def _hint(self, person: str, key: str) -> Hint:
        room = self.rooms[key]
        member = self._member(room, person) is not None
        fact = {"channel": key, "member": member, "top": room.top}
        return Hint(person, key, json.dumps(fact).encode(), member)

    # Log

    async def since(self, wanted: Sequence[tuple[str, int, int]]) -> Sequence[Sequence[LogRow]]:
        await self._call("since")
        epoch = self.next_epoch
        pages = [
            [row for row in self.rooms[key].rows[after : after + limit] if row.offset > self.trimmed]
            for key, after, limit in wanted
        ]
        await self.pause("since")
        if epoch != self.epoch:
            raise Renewed
        return pages

    async def lately(self) -> tuple[Sequence[tuple[str, int]], Sequence[tuple[str, str]]]:
        await self._call("lately")
        self.epoch = self.next_epoch
        return [(key, room.top) for key, room in self.rooms.items()], list(self.came)

    def topic(self, key: str) -> str:
        return f"t:{key}"

    def person_topic(self, person: str) -> str:
        return f"p:{person}"

    def decode(self, key: str, payload: bytes) -> LogRow:
        epoch, offset, audience, target, opens, ends, content, after, whose = json.loads(payload)
        if offset and epoch != self.epoch:
            raise ValueError("of another epoch")
        info = None if whose is None else ClientInfo(*whose)
        return LogRow(key, offset, audience, target, tuple(opens), tuple(ends), content, after, info=info)

    def publication(self, row: LogRow, audience: str) -> bytes:
        if (row.key, row.offset) in self.lost_rows:
            raise RuntimeError("cannot be read")
        return json.dumps({"text": row.content, "for": audience}).encode()

    def void(self) -> bytes:
        return b'{"type":"void"}'


async def _no_pause(name: str) -> None:
    return

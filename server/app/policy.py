"""The gateway's Policy: tokens become people, membership becomes leave to listen, rpc becomes operations."""

import hashlib
import json
import logging
import re
import time
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from server import events, logs, sending
from server.app.log import ids as _ids
from server.app.log import key
from server.chat.channels import summaries
from server.chat.policy import NOT_FOUND
from server.db import Database
from server.dispatching import Dispatcher
from server.errors import Failed, Forbidden, NotFound, Unauthorized, WarmlineError
from server.gateway.ports import Admission, Grant, Hint
from server.gateway.protocol import ClientInfo
from server.gathering import Gathering
from server.ids import random_bytes, random_token
from server.operations import OPERATIONS
from server.people import actors, signing_out
from server.people.actors import Identity
from server.people.tokens import Verifier
from server.refusals import Refusal

log = logging.getLogger(__name__)

# Membership and top in one snapshot; opening a channel is an access, recorded in the same statement (domain.md §8).
_GRANTED = """
with granted as materialized (
  select w.place, w.person, w.request, c.organization_id, c.id, c.patient_id, c.top_offset, m.id as member_id, m.person_kind,
         m.visible_from
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality as w (org, person, channel, request, place)
    join channels c on (c.organization_id, c.id) = (w.org, w.channel)
    join memberships m
      on (m.organization_id, m.channel_id, m.person_id) = (c.organization_id, c.id, w.person) and m.left_at is null
    join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
   where p.kind = 'patient' or p.status = 'active'
)"""
_ALL = """
select *, (select log_epoch()) as epoch from granted"""
_GRANTS = f"""{_GRANTED}, recorded as (
  insert into audit_entries (organization_id, actor_id, operation, patient_id, channel_id, request_id)
  select organization_id, person, 'channel.open', patient_id, id, request from granted order by place){_ALL}"""
_WATCHED = """
select w.place, m.channel_id from unnest($1::text[], $2::text[]) with ordinality as w (org, person, place)
  join memberships m on (m.organization_id, m.person_id) = (w.org, w.person) and m.left_at is null"""
_AT_ONCE = 2_000
"""Channels that are judged by one statement, and people whose channels are read by one."""

_CHANNEL = re.compile("ch_[0-9a-z]{20}")
"""What could name a channel; anything else names nothing, and is not worth an entry in the access log."""


_Asked = tuple[Identity, Sequence[str]]
"""Who asks, and for which channels."""

PASSIVE = frozenset(operation.name for operation in OPERATIONS if operation.method == "GET") | {
    "channel.read",
    "channel.viewing",
}
"""What a page calls by itself as well, with nobody in front of it: no sign of life. Pages report those by `me.active`."""


class ChatPolicy:
    """See server.gateway.ports.Policy."""

    def __init__(self, database: Database, dispatcher: Dispatcher, verifier: Verifier, idle_minutes: int = 0) -> None:
        self._idle = idle_minutes * 60
        self._database = database
        self._dispatcher = dispatcher
        self._verifier = verifier
        self._checked = time.monotonic()
        self._secret = random_bytes(32)
        """Names of connections hold for the life of this process, as the connections do."""
        self._grants = Gathering(self._granted, _AT_ONCE, lambda asked: len(asked[1]))
        self._watches = Gathering(self._watched, _AT_ONCE)

    async def connect(self, token: str | None) -> Admission:
        """See Policy. The person is looked up, so that an archived team member's token opens nothing."""
        if not token:
            raise Unauthorized(actors.UNKNOWN)  # the protocol has it closed before
        identity, expires = await self._verifier.verify(token)
        await self._dispatcher.admit(identity)
        await self._database.keys.current(identity.organization_id)
        ttl = max(1, expires - int(time.time()))
        person = key(identity.organization_id, identity.person_id)
        personal = f"#{identity.person_id}"
        return Admission(identity, person, personal, ttl, began=identity.began, idle=self._idle, passive=PASSIVE)

    async def signed_out(self) -> Sequence[tuple[str, float]]:
        """See Policy. After a time without an answer it looks back further by as much."""
        started = time.monotonic()
        seconds = started - self._checked + events.LOOK_BACK_SECONDS
        found = await signing_out.lately(self._database, seconds)
        self._checked = started
        return [(key(organization_id, person_id), at) for organization_id, person_id, at in found]

    async def watched(self, identity: Identity) -> Sequence[str]:
        """See Policy."""
        return await self._watches.ask(identity)

    async def _watched(self, identities: Sequence[Identity]) -> list[list[str]]:
        people = ([one.organization_id for one in identities], [one.person_id for one in identities])
        keys: list[list[str]] = [[] for _ in identities]
        for row in await self._database.fetch(_WATCHED, *people):
            place = row["place"] - 1
            keys[place].append(key(identities[place].organization_id, row["channel_id"]))
        return keys

    async def subscribe(
        self, identity: Identity, client: str, asked: Sequence[tuple[str, str]]
    ) -> Sequence[Grant | WarmlineError]:
        """See Policy. Membership is all it takes: subscription tokens are not asked for, nor looked at."""
        names = [name for name, _ in asked]
        found = await self._grants.ask((identity, _clean(names)))
        missing = [name for place, name in enumerate(names, 1) if place not in found and _CHANNEL.fullmatch(name)]
        if missing:
            refused = [Refusal("channel.open", NotFound.status, {"channel_id": name}) for name in missing]
            await self._dispatcher.refusals.record(identity.organization_id, identity.person_id, refused)
        places = range(1, len(names) + 1)
        return [self._grant(found[place], client) if place in found else NotFound(NOT_FOUND) for place in places]

    async def _granted(self, asked: Sequence[_Asked]) -> list[dict[int, Any]]:
        """For each who asks, what they may listen to, by its place among what they asked for; from 1."""
        places = [(one, place) for one, (_, names) in enumerate(asked) for place in range(1, len(names) + 1)]
        found: list[dict[int, Any]] = [{} for _ in asked]
        for row in await self._database.fetch(_GRANTS, *_columns(asked)):
            one, place = places[row["place"] - 1]
            found[one][place] = row
        return found

    async def resubscribe(self, identity: Identity, name: str, token: str) -> tuple[str, int]:
        """See Policy."""
        raise Forbidden("Subscriptions need no token here.")

    async def history(self, identity: Identity, client: str, name: str, subscribed: bool) -> Grant:
        """See Policy. Whoever may subscribe may read, from their floor on; it is an access, and recorded."""
        [answer] = await self.subscribe(identity, client, [(name, "")])
        if isinstance(answer, WarmlineError):
            raise answer
        return answer

    async def presence(self, identity: Identity, client: str, name: str, subscribed: bool) -> Grant:
        """See Policy. For staff about staff (protocol.md §11), and no access to what was said."""
        rows = await self._database.fetch(_GRANTED + _ALL, *_columns([(identity, _clean([name]))]))
        if not rows:
            raise NotFound(NOT_FOUND)
        return self._grant(rows[0], client)

    async def publish(self, identity: Identity, client: str, name: str, data: bytes, subscribed: bool) -> None:
        """See Policy. Messages have an operation, which tells a retry from a second message (protocol.md §0)."""
        raise Forbidden("Nobody may publish here. Call an operation instead.")

    def _grant(self, row: Any, client: str) -> Grant:
        """Staff show to staff, under their membership and a name that is the connection's in this channel alone."""
        staff = row["person_kind"] == "team_member"
        channel = key(row["organization_id"], row["id"])
        info = ClientInfo(row["member_id"], self._alias(client, channel)) if staff else None
        audience = "staff" if staff else "patient"
        return Grant(
            channel, row["member_id"], audience, row["visible_from"], row["top_offset"], info, epoch=row["epoch"]
        )

    def _alias(self, client: str, channel: str) -> str:
        named = f"{channel}/{client}".encode()
        return hashlib.blake2b(named, key=self._secret, digest_size=12).hexdigest()

    def rpc(self, identity: Identity, method: str, data: bytes) -> Awaitable[bytes]:
        """See Policy. Sends are most of all that is asked, and need no task if nothing stands in their way."""
        long = partial(self._rpc, identity, method, data)
        return self._dispatcher.sends.begin(identity, data, long) if method == sending.NAME else long()

    async def _rpc(self, identity: Identity, method: str, data: bytes) -> bytes:
        request_id = random_token()
        logs.about(request=request_id)
        try:
            return await self._dispatcher.call(identity, method, data or b"{}", request_id)
        except WarmlineError:
            raise
        except Exception:
            log.exception("an operation failed, request %s", request_id)
            raise Failed(request_id) from None

    async def hints(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Hint]:
        """See Policy."""
        wanted = [(*_ids(person), _ids(channel)[1]) for person, channel in pairs]
        rows = await summaries(self._database.fetch, wanted)
        found = {(row["org"], row["person"], row["id"]): row for row in rows}
        facts = [(place[2], found.get(place)) for place in wanted]
        return [
            Hint(person, channel, _fact(channel_id, row), row is not None)
            for (person, channel), (channel_id, row) in zip(pairs, facts, strict=True)
        ]


def _columns(asked: Sequence[_Asked]) -> tuple[list[str], ...]:
    """Organisations, people, channels and requests, one for each name."""
    rows = [
        (who.organization_id, who.person_id, name, request)
        for who, names, request in [(*one, random_token()) for one in asked]
        for name in names
    ]
    return tuple(map(list, zip(*rows, strict=True))) if rows else ([], [], [], [])


def _clean(names: Sequence[str]) -> list[str]:
    """Names as Postgres can take them: one that it cannot is nobody's channel."""
    return ["" if "\0" in name else name for name in names]


def _fact(channel_id: str, row: dict[str, Any] | None) -> bytes:
    fact: dict[str, Any] = {"type": "channel", "channel": channel_id, "member": row is not None}
    if row is not None:
        told = (
            "name",
            "status",
            "unread",
            "read_offset",
            "top",
            "writable",
            "hidden",
            "unattended",
            "muted",
            "marked_unread",
        )
        fact |= {name: row[name] for name in told}
    return json.dumps(fact, separators=(",", ":")).encode()

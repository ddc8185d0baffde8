"""Databases with little and with much in them, and the product's operations on each, called in this process."""

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.bulk import filling
from benchmarks.clinic import founded
from benchmarks.rounds import Size
from benchmarks.script import body
from benchmarks.stack import Stack
from server.app.log import ChatLog, key
from server.app.policy import ChatPolicy
from server.chat.batcher import Batcher
from server.dispatching import Dispatcher
from server.ids import ChannelId, PersonId
from server.people.actors import Identity
from server.people.claims import Rules
from server.people.tokens import KeyedVerifier

MEMBERS = 4
RECENT = 20
"""Events since which a reader comes back, in each of their channels."""
BODY = 150

Deed = Callable[[], Awaitable[object]]


@dataclass
class Ledger:
    """One database, with one person's view of it: `own` channels with `top` events in each."""

    name: str
    identity: Identity
    own: Sequence[ChannelId]
    top: int
    colleague: PersonId
    dispatcher: Dispatcher
    policy: ChatPolicy
    log: ChatLog
    pid: int
    """Of Postgres."""

    async def call(self, operation: str, /, **params: Any) -> Any:
        """Run it as this person."""
        return json.loads(await self.dispatcher.call(self.identity, operation, params))

    async def deeds(self) -> dict[str, Deed]:
        """What is timed, by name; each may be done any number of times, and leaves as much behind everywhere."""
        first, number, revisions = self.own[0], itertools.count(), itertools.count(1)
        keys = [key(self.identity.organization_id, channel) for channel in self.own]
        person = key(self.identity.organization_id, self.identity.person_id)
        message = (await self.call("message.history", channel_id=first))["items"][0]["id"]

        async def member() -> None:
            added = await self.call("member.add", channel_id=first, person_id=self.colleague)
            await self.call("member.remove", channel_id=first, member_id=added["member_id"])

        async def edit() -> None:
            revision = next(revisions)
            await self.call(
                "message.edit",
                channel_id=first,
                message_id=message,
                expected_revision=revision,
                text=f"Text {revision}",
            )

        return {
            "message.send": lambda: self.call(
                "message.send", channel_id=first, client_id=f"{next(number)}", text=body(BODY)
            ),
            "message.edit": edit,
            "message.history, newest": lambda: self.call("message.history", channel_id=first),
            "message.history, from the middle": lambda: self.call(
                "message.history", channel_id=first, before=self.top // 2
            ),
            "message.revisions": lambda: self.call("message.revisions", channel_id=first, message_id=message),
            "channel.list": lambda: self.call("channel.list"),
            "channel.read": lambda: self.call("channel.read", channel_id=first, offset=self.top),
            "channel.directory": lambda: self.call("channel.directory", channel_id=first),
            "channel.open": lambda: self.call("channel.open", kind="group", name="Another"),
            "member.add and member.remove": member,
            "me": lambda: self.call("me"),
            "team_member.list": lambda: self.call("team_member.list"),
            "team_member.get": lambda: self.call("team_member.get", team_member_id=self.colleague),
            "audit.list of a channel": lambda: self.call("audit.list", channel_id=first),
            "subscribe to all of one's channels": lambda: self.policy.subscribe(
                self.identity, "somebody", [(channel, "") for channel in self.own]
            ),
            "recovery of all of one's channels": lambda: self.log.since(
                [(each, self.top - RECENT, 500) for each in keys]
            ),
            "badges of all of one's channels": lambda: self.policy.hints([(person, each) for each in keys]),
            "tops check": self.log.lately,
        }


@contextlib.asynccontextmanager
async def opened(parts: Stack, name: str, size: Size, channels: int, messages: int) -> AsyncIterator[Ledger]:
    """A database with so many channels, and so many messages in each; the person is in a few of these, whatever their number."""
    settings = await parts.settings(name)
    async with founded(settings) as clinic:
        own_key = await clinic.database.keys.current(clinic.organization_id)
        async with filling(settings.database_url, clinic.organization_id) as bulk:
            [me, colleague] = await bulk.staff(2)
            await bulk.connection.execute("update team_members set role = 'ADMIN' where id = $1", me)
            others = await bulk.staff(size.grown_people)
            members = [
                [
                    *([me] if at < size.own_channels else []),
                    *(others[(at + place) % len(others)] for place in range(MEMBERS)),
                ]
                for at in range(channels)
            ]
            made = await bulk.channels(members)
            await bulk.history(made, messages, own_key, body(BODY), but=me)
        batcher = Batcher(clinic.database, lambda _topic, _payload: None)
        await batcher.start()
        dispatcher = Dispatcher(clinic.database, batcher)
        log = ChatLog(clinic.database)
        await log.lately()
        identity = Identity(clinic.organization_id, me)
        policy = ChatPolicy(clinic.database, dispatcher, KeyedVerifier(settings, Rules(settings)))
        own, top = made[: size.own_channels], messages + 1
        ledger = Ledger(name, identity, own, top, colleague, dispatcher, policy, log, parts.postgres.child.pid)
        try:
            await ledger.call("message.send", channel_id=own[0], client_id="first", text=body(BODY))
            yield ledger
        finally:
            await dispatcher.refusals.stop()
            await batcher.stop()

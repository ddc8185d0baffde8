"""What a page read and what it heard since is what a fresh page reads, whatever happened meanwhile and whoever looks."""

import json
import random
from typing import Any

import pytest

from server.app.log import ChatLog, key
from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import WarmlineError
from server.gateway.ports import Grant
from server.gateway.recovery import View, view
from server.people.tokens import KeyedVerifier
from tests.support.cast import Clinic
from tests.support.issuer import Issuer


class Page:
    """What an open page holds of a channel: what it read when it opened, and what it heard since."""

    def __init__(self, clinic: Clinic, policy: ChatPolicy, log: ChatLog, person: str, channel: str) -> None:
        self.clinic, self.policy, self.log, self.person, self.channel = clinic, policy, log, person, channel
        self.items: dict[str, dict[str, Any]] = {}
        self.position = 0

    async def fresh(self) -> dict[str, dict[str, Any]]:
        page = await self.clinic.call(self.person, "message.history", channel_id=self.channel, limit=100)
        self.position = page["offset"]
        return {item.get("id") or str(item["offset"]): item for item in page["items"]}

    async def catch_up(self) -> None:
        """Take every event since, as the gateway would show it to this person: replaced by id, if the revision is newer."""
        [grant] = await self.policy.subscribe(self.clinic.identity(self.person), "connection", [(self.channel, "")])
        assert isinstance(grant, Grant)
        [rows] = await self.log.since([(key(self.clinic.organization_id, self.channel), self.position, 1000)])
        for row in rows:
            self.position = row.offset
            if view(row, grant) is View.SEE:  # type: ignore[arg-type]
                item = json.loads(self.log.publication(row, grant.audience))
                known = self.items.get(item.get("id", ""))
                if known is None or item["revision"] > known["revision"]:
                    self.items[item.get("id") or str(item["offset"])] = item


WHAT = ("send",) * 5 + (
    "edit",
    "edit",
    "moderate",
    "delete",
    "add",
    "remove",
    "rename",
    "close",
    "open",
    "open",
    "open",
)


class Play:
    """A group in which anything happens, in an order that a seed gives."""

    def __init__(self, clinic: Clinic, seed: int) -> None:
        self.clinic, self.by_chance = clinic, random.Random(seed)
        self.messages: dict[str, tuple[str, int]] = {}
        self.done: dict[str, int] = {}

    async def begin(self) -> "Play":
        self.doctor = await self.clinic.team_member()
        self.people = [await self.clinic.patient() for _ in range(3)]
        self.channel = await self.clinic.channel("group", self.clinic.clinician, self.doctor, *self.people[:2])
        await self.send()
        return self

    async def step(self) -> None:
        """Try one thing; where the rules refuse it, nothing happens."""
        name = self.by_chance.choice(WHAT)
        try:
            await getattr(self, name)()
        except (WarmlineError, IndexError):  # refused; or nothing is there to change
            return
        self.done[name] = self.done.get(name, 0) + 1

    async def send(self) -> None:
        who = self.by_chance.choice([self.clinic.clinician, self.doctor, *self.people])
        sent = await self.clinic.send(who, self.channel, f"Words {self.by_chance.random()}")
        self.messages[sent["message_id"]] = (who, 1)

    async def edit(self) -> None:
        await self._revise("message.edit", text=f"Edited {self.by_chance.random()}")

    async def moderate(self) -> None:
        words = f"Moderated {self.by_chance.random()}"
        await self._revise("message.edit", self.clinic.clinician, text=words, reason="Why")

    async def delete(self) -> None:
        await self._revise("message.delete", self.by_chance.choice([self.clinic.clinician, None]), reason="Why")

    async def _revise(self, how: str, by: str | None = None, **more: Any) -> None:
        """Change one of the messages: as its author, or by somebody else."""
        message = self.by_chance.choice(list(self.messages)[-4:])
        author, revision = self.messages[message]
        at = {"channel_id": self.channel, "message_id": message, "expected_revision": revision}
        done = await self.clinic.call(by or author, how, **at, **more)
        self.messages[message] = (author, done["revision"])
        if done["deleted"]:
            del self.messages[message]

    async def add(self) -> None:
        await self.clinic.add(self.channel, self.by_chance.choice([self.doctor, *self.people[1:]]))

    async def remove(self) -> None:
        person = self.by_chance.choice([self.doctor, *self.people[1:]])
        rows = await self.clinic.sql(
            "select id from memberships where channel_id = $1 and person_id = $2 and left_at is null",
            self.channel,
            person,
        )
        for row in rows:
            await self.clinic.call(self.clinic.clinician, "member.remove", channel_id=self.channel, member_id=row["id"])

    async def rename(self) -> None:
        name = f"Name {self.by_chance.random()}"
        await self.clinic.call(self.clinic.clinician, "channel.rename", channel_id=self.channel, name=name)

    async def close(self) -> None:
        await self.clinic.call(self.clinic.clinician, "channel.archive", channel_id=self.channel)

    async def open(self) -> None:
        await self.clinic.call(self.clinic.clinician, "channel.unarchive", channel_id=self.channel)


async def played(clinic: Clinic, policy: ChatPolicy, log: ChatLog, seed: int) -> set[str]:
    """Let things happen while pages are open, and compare them with fresh ones in the end; what happened."""
    play = await Play(clinic, seed).begin()
    for _ in range(15):
        await play.step()
    late = await clinic.patient()
    await clinic.call(clinic.clinician, "channel.unarchive", channel_id=play.channel)
    await clinic.add(play.channel, late)
    pages = [Page(clinic, policy, log, who, play.channel) for who in (clinic.clinician, play.people[0], late)]
    for page in pages:
        page.items = await page.fresh()
    for _ in range(65):
        await play.step()
        if play.by_chance.random() < 0.2:
            await play.by_chance.choice(pages).catch_up()
    for page in pages:
        await page.catch_up()
        assert page.items == await page.fresh(), f"seed {seed}"
    assert sum(play.done.values()) > 35
    return set(play.done)


@pytest.mark.catalogue("R34")
async def test_what_was_read_and_what_was_heard_is_what_a_fresh_page_reads(clinic: Clinic, issuer: Issuer) -> None:
    verifier = KeyedVerifier.read(issuer.settings("postgresql://nowhere"))
    dispatcher = Dispatcher(clinic.database, clinic.batcher)
    policy, log = ChatPolicy(clinic.database, dispatcher, verifier), ChatLog(clinic.database)
    await log.lately()
    happened = [await played(clinic, policy, log, seed) for seed in range(5)]
    assert set().union(*happened) == set(WHAT)

"""The clinic of one test of the pages: real rows in a real database, with names for the people and channels among them.

To the gateway, the test process is what a second gateway would be: it writes to the same database, through the product's own
operations wherever there is one, and rings the same doorbell.
"""

import asyncio
import itertools
from typing import Any

import asyncpg

from server.chat import bodies
from server.chat.append import append
from server.ids import ChannelId, MessageId, OrganizationId, now
from server.locks import lock
from server.notices import planning
from server.people import demo, organizations, patients, team
from server.people.patients import CreatePatient
from server.people.team import CreateTeamMember
from tests.support import cast
from tests.support.cast import MASTER

Json = dict[str, Any]


class Clinic:
    """`people` and `channels`: ids by the names that tests use. A person's name is also the key of their demo sign-in."""

    def __init__(self, words: cast.Clinic, owner: asyncpg.Connection) -> None:
        self.words = words
        self.people: dict[str, str] = {"demo-clinician": words.clinician}
        self.channels: dict[str, str] = {}
        self._owner = owner
        self._serial = itertools.count(1)

    @classmethod
    async def found(cls, database: Any, batcher: Any, owner: asyncpg.Connection) -> "Clinic":
        """An organisation with the doctor Demo Clinician, whose role may also manage messaging."""
        async with database.transaction() as tx:
            organization_id = await organizations.create(tx, MASTER, "Demo Clinic")
            wanted = CreateTeamMember(name="Demo Clinician", email="demo-clinician" + demo.DOMAIN, role="DOCTOR")
            clinician = await team.insert(tx, organization_id, wanted)
        await owner.execute(
            "update roles set permissions = permissions || '{messaging.manage}' where organization_id = $1 and name = 'DOCTOR'",
            organization_id,
        )
        return cls(cast.Clinic(database, batcher, OrganizationId(organization_id), clinician), owner)

    async def forget(self) -> None:
        """Nobody of this clinic can sign in by key any more: the next clinic has people of the same keys."""
        await self._owner.execute(
            "update people set email = id || '@clinic.invalid' where organization_id = $1", self.words.organization_id
        )

    async def colleague(self, key: str, name: str, role: str) -> None:
        """One more team member."""
        wanted = CreateTeamMember(name=name, email=key + demo.DOMAIN, role=role)
        async with self.words.database.transaction() as tx:
            self.people[key] = await team.insert(tx, self.words.organization_id, wanted)

    async def patient(self, key: str, name: str, display_name: str) -> None:
        """One more patient, with the name that other patients see."""
        wanted = CreatePatient(
            legal_name=name, email=key + demo.DOMAIN, allocation_clinician_id=self.words.clinician
        )  # fmt: skip
        async with self.words.database.transaction() as tx:
            self.people[key] = await patients.insert(tx, self.words.organization_id, wanted)
        await self.show_as(key, display_name)

    async def show_as(self, patient: str, display_name: str) -> None:
        """Give a patient another display name."""
        await self._owner.execute(
            "update patients set display_name = $2 where id = $1", self.people[patient], display_name
        )

    async def care_team(self, name: str, patient: str, *team: str) -> None:
        """The care-team channel of a patient, activated by the first of the team."""
        self.channels[name] = await self.words.care_team(self.people[patient], *(self.people[who] for who in team))

    async def channel(
        self, name: str, kind: str, *people: str, patient: str | None = None, title: str | None = None
    ) -> None:
        """A channel of a kind for which there is no operation yet."""
        about = self.people[patient] if patient else None
        members = [self.people[person] for person in people]
        self.channels[name] = await self.words.channel(kind, *members, patient=about, name=title)

    async def archive(self, name: str) -> None:
        """Archive a channel as the operation to come will: the status, and the event that tells."""
        organization, channel = self.words.organization_id, ChannelId(self.channels[name])
        async with self.words.database.transaction() as tx:
            await lock(tx, organization, channels=[channel])
            await tx.rows(
                "update channels set status = 'archived' where (organization_id, id) = ($1, $2) returning id",
                *(organization, channel),
            )
            await append(tx, organization, channel, "archived")

    async def status(self, person: str, status: str) -> None:
        """Archive a person, or bring them back."""
        await self.words.sql("update people set status = $2 where id = $1", self.people[person], status)

    async def say(self, channel: str, person: str, *texts: str) -> None:
        """Messages, one after the other."""
        for text in texts:
            await self.words.send(self.people[person], self.channels[channel], text)

    async def fill(self, channel: str, person: str, count: int) -> None:
        """Many messages at once, by the hot path: "message 0 …", "message 1 …"."""
        who = self.words.identity(self.people[person])
        texts = [f"message {number} " + "word " * (number % 40) for number in range(count)]
        sends = (
            self.words.batcher.send(who, self.channels[channel], f"fill-{next(self._serial)}", text, None)
            for text in texts
        )  # fmt: skip
        await asyncio.gather(*sends)

    async def spread(self, channel: str, minutes: int = 7) -> None:
        """Put the past of a channel further back, as if it had been written over hours: one event every so many minutes."""
        top = await self.top(channel)
        for table in ("messages", "events"):
            await self._owner.execute(
                f"""update {table} set created_at = created_at - ($2 + 1 - log_offset) * $3 * interval '1 min'
                     where channel_id = $1""",
                *(self.channels[channel], top, minutes),
            )

    async def revise(
        self, channel: str, item: Json, text: str, *, deleted: bool = False, damaged: bool = False
    ) -> None:
        """The author changes a message, as the operation to come will do it; or somebody damages what is written."""
        organization, channel_id, message = (
            self.words.organization_id, ChannelId(self.channels[channel]), MessageId(item["id"]),
        )  # fmt: skip
        key = await self.words.database.keys.current(organization)
        async with self.words.database.transaction() as tx:
            await lock(tx, organization, channels=[channel_id])
            [row] = await tx.rows(
                """update messages set revision = revision + 1, deleted_at = case when $4 then now() end
                    where (organization_id, channel_id, id) = ($1, $2, $3) returning revision, author_person_id as author""",
                *(organization, channel_id, message, deleted),
            )
            place = MessageId.new() if damaged else message
            await tx.rows(
                """insert into message_revisions (organization_id, channel_id, message_id, revision, author_person_id, key_id,
                   ciphertext, created_at) values ($1, $2, $3, $4, $5, $6, $7, now())""",
                *(organization, channel_id, message, row["revision"], row["author"], key.id),
                bodies.close(key, organization, channel_id, place, row["author"], text, row["revision"]),
            )
            offset = item["offset"]
            await append(tx, organization, channel_id, "revised", message_id=message, target_offset=offset)

    async def top(self, channel: str) -> int:
        """Where the log of a channel ends."""
        return await self.words.top(self.channels[channel])

    async def messages(self, channel: str) -> list[Json]:
        """What is written in a channel as the clinician reads it, oldest first; the newest hundred."""
        page = await self.words.call(
            self.words.clinician, "message.history", channel_id=self.channels[channel], limit=100
        )
        return [item for item in reversed(page["items"]) if item["type"] == "message"]

    async def read_offset(self, channel: str, person: str) -> int:
        """Where somebody's read mark stands."""
        [row] = await self.words.sql(
            "select read_offset from memberships where channel_id = $1 and person_id = $2 and left_at is null",
            *(self.channels[channel], self.people[person]),
        )
        return int(row["read_offset"])

    async def read(self, channel: str, offset: int | None = None) -> None:
        """Everybody in a channel has read it, up to an offset or to its end."""
        await self.words.sql(
            "update memberships set read_offset = $2 where channel_id = $1",
            *(self.channels[channel], offset or await self.top(channel)),
        )

    async def add(self, channel: str, person: str) -> None:
        """The clinician adds somebody."""
        await self.words.add(self.channels[channel], self.people[person])

    async def remove(self, channel: str, person: str) -> None:
        """The clinician removes somebody."""
        await self.words.remove(self.channels[channel], self.people[person])

    async def device(self, person: str, host: str) -> None:
        """Somebody takes pushes on another browser as well."""
        await self.words.device(self.people[person], host)

    async def plan(self) -> None:
        """Plan the notices of what was written."""
        async with self.words.database.transaction() as tx:
            await planning.plan(tx, now())

    async def new_epoch(self) -> None:
        """Positions mean nothing any more, as after a restore from a backup."""
        await self._owner.execute("update log_generation set generation = generation + 1")

    def row(self, channel: str) -> str:
        """The selector of a channel's row in the list."""
        return f'[data-channel-id="{self.channels[channel]}"]'

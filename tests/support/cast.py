"""The cast of the tests: an organisation and the people in it, by their parts, and the words to have them do things."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from server.chat.append import append
from server.chat.batcher import Batcher
from server.chat.memberships import join
from server.crypto import MasterKey
from server.db import Database
from server.dispatching import Dispatcher
from server.ids import ChannelId, DeviceId, MembershipId, OrganizationId, PatientId, PersonId, TeamMemberId
from server.people import organizations, patients, team
from server.people.actors import Identity
from server.people.patients import CreatePatient
from server.people.team import CreateTeamMember

MASTER = MasterKey(bytes(range(32)))
_serial = itertools.count(1)


@dataclass
class Clinic:
    """One organisation, with the means to act as anybody in it, without a gateway: operations over a real database."""

    database: Database
    batcher: Batcher
    organization_id: OrganizationId
    clinician: TeamMemberId
    published: list[tuple[str, bytes]] = field(default_factory=list)

    def identity(self, person: str) -> Identity:
        """Who a token for this person would name."""
        return Identity(self.organization_id, PersonId(person))

    async def team_member(self, role: str = "DOCTOR") -> TeamMemberId:
        """A new team member."""
        number = next(_serial)
        wanted = CreateTeamMember(name=f"Team Member {number}", email=f"team{number}@clinic.invalid", role=role)
        async with self.database.transaction() as tx:
            return await team.insert(tx, self.organization_id, wanted)

    async def patient(self) -> PatientId:
        """A new patient, allocated to the clinician."""
        number = next(_serial)
        wanted = CreatePatient(
            legal_name=f"Patient {number}",
            email=f"patient{number}@clinic.invalid",
            allocation_clinician_id=self.clinician,
        )
        async with self.database.transaction() as tx:
            return await patients.insert(tx, self.organization_id, wanted)

    async def call(self, person: str, name: str, /, **params: Any) -> Any:
        """Run an operation as this person."""
        found = await Dispatcher(self.database, self.batcher).call(
            self.identity(person), name, json.dumps(params).encode()
        )
        return json.loads(found)

    async def care_team(self, patient: str, *staff: str) -> ChannelId:
        """The patient's care-team channel, opened by the first of the staff."""
        members = list(staff or (self.clinician,))
        opened = await self.call(members[0], "channel.activate", patient_id=patient, team_member_ids=members)
        return ChannelId(opened["channel_id"])

    async def send(self, person: str, channel: str, text: str, client_id: str | None = None, **more: Any) -> Any:
        """Send a message as this person."""
        client_id = client_id or f"client-{next(_serial)}"
        return await self.call(person, "message.send", channel_id=channel, client_id=client_id, text=text, **more)

    async def membership(self, channel: str, person: str) -> str:
        """The id of this person's present membership."""
        found = await self.database.fetch(
            "select id from memberships where channel_id = $1 and person_id = $2 and left_at is null", channel, person
        )
        return str(found[0]["id"])

    async def channel(self, kind: str, *people: str, patient: str | None = None, name: str | None = None) -> ChannelId:
        """A channel of any kind with these people, made as an operation makes one: the first event, then who it opens.

        Args:
            kind: of the channel.
            people: its members from the start; patients of a group see it from there on, everybody else from 1.
            patient: whom a care_team, service_team or staff channel is about.
            name: of a staff or group channel, if it matters.
        """
        channel_id, number = ChannelId.new(), next(_serial)
        named = (name or f"Channel {number}") if kind in ("staff", "group") else None
        founding = f"set {number}" if kind == "direct" else None
        members = {person: MembershipId.new() for person in people}
        async with self.database.transaction() as tx:
            await tx.rows(
                """insert into channels (organization_id, id, kind, patient_id, name, founding_set)
                   values ($1, $2, $3, $4, $5, $6)""",
                *(self.organization_id, channel_id, kind, patient, named, founding),
            )
            event = await append(tx, self.organization_id, channel_id, "opened", {"opens": list(members.values())})
            for person, member in members.items():
                join(tx, event, kind, person, member, visible_from=1, source="manual")
            await tx.session.flush()
        return channel_id

    async def add(self, channel: str, person: str, by: str | None = None) -> dict[str, Any]:
        """Add a person to a channel, as the clinician or somebody else."""
        added = await self.call(by or self.clinician, "member.add", channel_id=channel, person_id=person)
        return dict(added)

    async def remove(self, channel: str, person: str, by: str | None = None) -> int:
        """End a person's membership, as the clinician or somebody else; the offset where it ended."""
        member = await self.membership(channel, person)
        done = await self.call(by or self.clinician, "member.remove", channel_id=channel, member_id=member)
        return int(done["offset"])

    async def archive(self, row_id: str) -> None:
        """Archive a person or a channel, past the operations."""
        table = "channels" if row_id.startswith("ch_") else "people"
        await self.sql(f"update {table} set status = 'archived' where id = $1", row_id)

    async def offsets(self, channel: str) -> list[int]:
        """The offsets of a channel's log, in order."""
        rows = await self.sql("select log_offset from events where channel_id = $1 order by log_offset", channel)
        return [row["log_offset"] for row in rows]

    async def top(self, channel: str) -> int:
        """The offset that the head of a channel's log stands at."""
        [row] = await self.sql("select top_offset from channels where id = $1", channel)
        return int(row["top_offset"])

    async def device(self, person: str, host: str = "push.invalid") -> str:
        """A browser of theirs takes pushes, at an endpoint where nobody does; its id."""
        made = DeviceId.new()
        await self.sql(
            "insert into devices (organization_id, id, person_id, endpoint, p256dh, auth) values ($1, $2, $3, $4, $5, $6)",
            *(self.organization_id, made, person, f"https://{host}/{made}", bytes(65), bytes(16)),
        )
        return made

    async def sql(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Run SQL as the application."""
        return await self.database.fetch(query, *args)


async def found(database: Database, batcher: Batcher, published: list[tuple[str, bytes]] | None = None) -> Clinic:
    """Found an organisation, with one clinician in it."""
    async with database.transaction() as tx:
        organization_id = await organizations.create(tx, MASTER, f"Clinic {next(_serial)}")
        wanted = CreateTeamMember(name="Clinician", email=f"clinician{next(_serial)}@clinic.invalid", role="ADMIN")
        clinician = await team.insert(tx, organization_id, wanted)
    return Clinic(database, batcher, organization_id, clinician, published if published is not None else [])

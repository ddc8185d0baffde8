"""Who is there: an organisation with people and group channels, made with the product's own functions."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from server.chat.append import append
from server.chat.memberships import join
from server.chat.models import Channel
from server.config import Settings
from server.crypto import MasterKey
from server.db import Database, Transaction
from server.ids import ChannelId, MembershipId, OrganizationId, PersonId
from server.people import organizations, patients, team
from server.people.actors import Identity
from server.people.patients import CreatePatient
from server.people.team import CreateTeamMember
from server.people.tokens import DevIssuer

TOKEN_SECONDS = 3600
AT_ONCE = 40
"""Rows of one kind per transaction: none may last longer than ten seconds."""


@dataclass
class Clinic:
    """One organisation, and the means to fill it."""

    database: Database
    issuer: DevIssuer
    organization_id: OrganizationId

    async def staff(self, count: int) -> list[PersonId]:
        """New team members."""
        made: list[PersonId] = []
        while len(made) < count:
            async with self.database.transaction() as tx:
                for number in range(len(made), min(count, len(made) + AT_ONCE)):
                    new = CreateTeamMember(
                        name=f"Team Member {number}", email=f"t{number}@bench.invalid", role="DOCTOR"
                    )
                    made.append(PersonId(await team.insert(tx, self.organization_id, new)))
        return made

    async def patients(self, count: int, clinician: PersonId) -> list[PersonId]:
        """New patients of a team member."""
        made: list[PersonId] = []
        while len(made) < count:
            async with self.database.transaction() as tx:
                for number in range(len(made), min(count, len(made) + AT_ONCE)):
                    new = CreatePatient(
                        legal_name=f"Patient {number}",
                        email=f"p{number}@bench.invalid",
                        allocation_clinician_id=clinician,  # type: ignore[arg-type]
                    )
                    made.append(PersonId(await patients.insert(tx, self.organization_id, new)))
        return made

    async def channels(self, members: Sequence[Sequence[PersonId]]) -> list[ChannelId]:
        """New group channels, one for each list of members. Whoever is a patient needs a team member beside them."""
        made: list[ChannelId] = []
        for start in range(0, len(members), AT_ONCE):
            async with self.database.transaction() as tx:
                made += [await self._channel(tx, each) for each in members[start : start + AT_ONCE]]
        return made

    async def _channel(self, tx: Transaction, people: Sequence[PersonId]) -> ChannelId:
        channel = Channel(organization_id=self.organization_id, id=ChannelId.new(), kind="group", name="Benchmark")
        tx.session.add(channel)
        await tx.session.flush()
        ids = [MembershipId.new() for _ in people]
        opened = await append(tx, self.organization_id, channel.id, "opened", {"opens": ids})
        for person, membership_id in zip(people, ids, strict=True):
            join(tx, opened, "group", person, membership_id, visible_from=1, source="roster")
        await tx.session.flush()
        return channel.id

    def token(self, person: PersonId) -> str:
        """A token that signs this person in for the length of any benchmark."""
        return self.issuer.issue(Identity(self.organization_id, person), TOKEN_SECONDS)

    async def messages(self) -> int:
        """How many messages the database holds."""
        return int((await self.database.fetch("select count(*) from messages"))[0][0])


@contextlib.asynccontextmanager
async def founded(settings: Settings) -> AsyncIterator[Clinic]:
    """A clinic with nobody in it yet, on an empty database with the schema."""
    master = MasterKey.read(*settings.master_key_files)
    database = Database(settings.database_url, master, lambda _topic, _payload: None)
    await database.start()
    try:
        async with database.transaction() as tx:
            organization_id = await organizations.create(tx, master, "Benchmark")
        yield Clinic(database, DevIssuer(settings), organization_id)
    finally:
        await database.stop()

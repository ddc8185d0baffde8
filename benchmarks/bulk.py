"""Many people, channels and messages at once: copied into the tables as they would have come to stand there.

The product's own functions take a millisecond for each (clinic.py uses them); this takes microseconds, and skips what they
check. What is made has happened an hour ago, so that nothing takes it for new.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from server.chat.bodies import close
from server.crypto import DataKey
from server.ids import ChannelId, MembershipId, MessageId, OrganizationId, PersonId, TeamMemberId

_TABLES = {
    "people": "organization_id id kind email created_at",
    "team_members": "organization_id id name role",
    "channels": "organization_id id kind name top_offset created_at",
    "memberships": (
        "organization_id id channel_id channel_kind person_id person_kind source visible_from read_offset joined_offset joined_at"
    ),
    "events": "organization_id channel_id log_offset kind facts created_at message_id",
    "messages": "organization_id channel_id id log_offset author_id author_person_id client_id created_at",
    "message_revisions": "organization_id channel_id message_id revision author_person_id key_id ciphertext created_at",
}


@dataclass
class Bulk:
    """Fills one organisation's tables, as a superuser whose rows fire no trigger."""

    connection: asyncpg.Connection
    organization_id: OrganizationId
    at: datetime
    _emails: "itertools.count[int]"

    async def staff(self, count: int) -> list[PersonId]:
        """New team members."""
        ids = [TeamMemberId.new() for _ in range(count)]
        organization, at = self.organization_id, self.at
        emails = (f"b{next(self._emails)}@bench.invalid" for _ in ids)
        await self.copy(
            "people", ((organization, id, "team_member", email, at) for id, email in zip(ids, emails, strict=True))
        )
        await self.copy("team_members", ((organization, id, "Team Member", "DOCTOR") for id in ids))
        return [PersonId(id) for id in ids]

    async def channels(self, members: Sequence[Sequence[PersonId]]) -> list[ChannelId]:
        """New group channels of team members, one for each list of people; each has one event, its opening."""
        ids, organization, at = [ChannelId.new() for _ in members], self.organization_id, self.at
        places = [
            (id, MembershipId.new(), person) for id, people in zip(ids, members, strict=True) for person in people
        ]
        await self.copy("channels", ((organization, id, "group", "Benchmark", 1, at) for id in ids))
        await self.copy("events", ((organization, id, 1, "opened", "{}", at, None) for id in ids))
        await self.copy(
            "memberships",
            (
                (organization, membership, id, "group", person, "team_member", "roster", 1, 1, 1, at)
                for id, membership, person in places
            ),
        )
        return ids

    async def history(self, channels: Sequence[ChannelId], count: int, key: DataKey, text: str, but: PersonId) -> None:
        """So many messages in each of these channels, by one member who is not this one, encrypted as the product does it."""
        organization, at = self.organization_id, self.at
        authors = {
            row["channel_id"]: (row["id"], row["person_id"])
            for row in await self.connection.fetch(
                "select distinct on (channel_id) channel_id, id, person_id from memberships where channel_id = any ($1) "
                "and person_id <> $2",
                channels,
                but,
            )
        }
        rows = [
            (channel, MessageId.new(), offset, *authors[channel])
            for channel in channels
            for offset in range(2, count + 2)
        ]
        await self.copy(
            "messages",
            (
                (organization, channel, id, offset, author, person, f"{offset}", at)
                for channel, id, offset, author, person in rows
            ),
        )
        await self.copy(
            "message_revisions",
            (
                (organization, channel, id, 1, person, key.id, close(key, organization, channel, id, person, text), at)
                for channel, id, _, _, person in rows
            ),
        )
        await self.copy(
            "events", ((organization, channel, offset, "message", None, at, id) for channel, id, offset, _, _ in rows)
        )
        await self.connection.execute("update channels set top_offset = $2 where id = any ($1)", channels, count + 1)

    async def copy(self, table: str, rows: Iterable[Sequence[Any]], columns: str = "") -> None:
        """Copy rows into a table."""
        names = (columns or _TABLES[table]).split()
        await self.connection.copy_records_to_table(table, records=rows, columns=names)


@contextlib.asynccontextmanager
async def filling(url: str, organization_id: OrganizationId) -> AsyncIterator[Bulk]:
    """Fill an organisation of this database; when the block ends Postgres knows what is in its tables."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("set session_replication_role = replica")
        # Emails are unique in an organisation; this begins where another filling of it has ended.
        people = await connection.fetchval("select count(*) from people")
        yield Bulk(connection, organization_id, datetime.now(UTC) - timedelta(hours=1), itertools.count(people))
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()

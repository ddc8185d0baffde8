"""The observer: looks at committed snapshots all the time, through a connection of its own, and knows nothing of the product but
its tables."""

import asyncio
from collections.abc import Mapping

import asyncpg

UNSTAFFED = """
select c.id, c.kind, c.status from channels c
 where exists (select from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
                where (m.organization_id, m.channel_id) = (c.organization_id, c.id) and m.left_at is null
                  and p.kind = 'patient' and p.status = 'active')
   and not exists (select from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
                    where (m.organization_id, m.channel_id) = (c.organization_id, c.id) and m.left_at is null
                      and p.kind = 'team_member' and p.status = 'active')"""
"""Channels, archived ones too, with an active patient and no active team member: one statement, so one snapshot."""
JOINED_WHILE_PENDING = """
select m.id from memberships m join archivings a on (a.organization_id, a.person_id) = (m.organization_id, m.person_id)
 where m.joined_at > a.requested_at and m.joined_at < coalesce(a.settled_at, 'infinity')"""
ARCHIVED_IN_A_CHANNEL = """
select m.id from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
 where m.left_at is null and p.kind = 'team_member' and p.status = 'archived'"""
NEVER = {"unstaffed": UNSTAFFED, "archived in a channel": ARCHIVED_IN_A_CHANNEL}
_DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"


class Observer:
    """Counts the snapshots it looked at, and keeps what it found wrong."""

    def __init__(self, url: str, looks_for: Mapping[str, str]) -> None:
        self._url, self._looks_for = url, looks_for
        self.snapshots = 0
        self.found: list[str] = []
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Look until `stop`, and once more then."""
        connection = await asyncpg.connect(self._url)
        try:
            while True:
                last = self._stopped.is_set()
                for what, query in self._looks_for.items():
                    self.found += [f"{what}: {dict(row)}" for row in await connection.fetch(query)]
                self.snapshots += 1
                if last:
                    break
                await asyncio.sleep(0.02)
        finally:
            await connection.close()

    def stop(self) -> None:
        """Have it look a last time."""
        self._stopped.set()


async def deadlocks(connection: asyncpg.Connection) -> int:
    """How many deadlocks Postgres has counted in this database. Its sessions tell within a second or so."""
    await asyncio.sleep(1.5)
    await connection.execute("select pg_stat_clear_snapshot()")
    return int(await connection.fetchval(_DEADLOCKS))

"""Reads one clinic's committed situation, in one statement and so from one snapshot, under the names of the test."""

import asyncio
import json
from typing import Any

import asyncpg

from tests.property.situation import Channel, Clinic, Patient, Request, Rule, Seat, own

_EVERYTHING = """
select json_build_object(
  'staff', (select json_agg(json_build_array(p.id, case when exists (select from archivings a
              where (a.organization_id, a.person_id) = (p.organization_id, p.id) and a.status = 'pending')
              then 'pending' else p.status end))
            from people p where p.organization_id = $1 and p.kind = 'team_member'),
  'managers', (select json_agg(t.id) from team_members t join roles r on (r.organization_id, r.name) = (t.organization_id, t.role)
            where t.organization_id = $1 and 'messaging.manage' = any (r.permissions || t.extra_permissions)),
  'patients', (select json_agg(json_build_array(p.id, p.status, t.allocation_clinician_id, t.patient_group_id))
            from people p join patients t on (t.organization_id, t.id) = (p.organization_id, p.id) where p.organization_id = $1),
  'channels', (select json_agg(json_build_array(c.id, c.kind, c.status, c.patient_id, c.facilitator_id))
            from channels c where c.organization_id = $1),
  'seats', (select json_agg(json_build_array(m.id, m.channel_id, m.person_id, m.joined_offset, m.read_offset, m.visible_from,
              m.source) order by m.joined_offset, m.person_id)
            from memberships m where m.organization_id = $1 and m.left_at is null),
  'rules', (select json_agg(json_build_array(r.kind, r.automatic, r.include_allocation_clinician,
              array(select n.team_member_id from activation_nominees n
                     where (n.organization_id, n.kind) = (r.organization_id, r.kind) and n.is_nominated)))
            from activation_rules r where r.organization_id = $1),
  'cohorts', (select json_agg(json_build_array(g.id, array(select t.team_member_id from patient_group_team t
                where (t.organization_id, t.patient_group_id) = (g.organization_id, g.id) and t.is_listed)))
            from patient_groups g where g.organization_id = $1),
  'net', (select s.safety_net_id from organization_settings s where s.organization_id = $1))::text"""

_LEFT = """
select count(*) filter (where status in ('queued', 'picked')) as waiting, count(*) as all from jobs.pgqueuer
 where convert_from(payload, 'UTF8')::json ->> 'organization_id' = $1"""


class Names:
    """The test's names of what is in a clinic: the same in every run with the same seed, which ids are not."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.members: dict[tuple[str, str], str] = {}
        """The latest known membership of somebody in a channel."""

    def call(self, name: str, id: str) -> str:
        """Give an id a name."""
        self.ids[name], self.names[id] = id, name
        return name

    def of(self, id: str | None) -> str | None:
        """The name of an id."""
        return None if id is None else self.names.get(id, id)


async def read(connection: asyncpg.Connection, organization: str, names: Names) -> Clinic:
    """The clinic as committed now. Care and service channels get their names here."""
    rows: dict[str, Any] = json.loads(await connection.fetchval(_EVERYTHING, organization))
    rows = {what: row if row is not None or what == "net" else [] for what, row in rows.items()}
    of = _sure(names)
    channels: dict[str, Channel] = {}
    for id, kind, status, patient, facilitator in rows["channels"]:
        if patient is not None:
            names.call(own(of(patient), kind), id)
        channels[of(id)] = Channel(kind, status, names.of(patient), names.of(facilitator))
    for member, channel, person, since, mark, floor, source in rows["seats"]:
        names.members[of(channel), of(person)] = member
        channels[of(channel)].seats[of(person)] = Seat(since, mark, floor, source)
    staff = {of(id): status for id, status in rows["staff"]}
    rules = {"care_team": Rule(), "service_team": Rule()}
    rules |= {kind: Rule(on, inc, frozenset(map(of, who))) for kind, on, inc, who in rows["rules"]}
    return Clinic(
        dict(sorted(staff.items())),
        frozenset(map(of, rows["managers"])),
        {
            of(id): Patient(status, of(clinician), of(cohort))
            for id, status, clinician, cohort in sorted(rows["patients"])
        },
        dict(sorted(channels.items())),
        rules,
        {of(id): frozenset(map(of, team)) for id, team in rows["cohorts"]},
        names.of(rows["net"]),
        {who: Request(None, None) for who, status in staff.items() if status == "pending"},
    )


def _sure(names: Names) -> Any:
    return lambda id: names.of(id)


async def quiet(owner: asyncpg.Pool, organization: str, within: float = 60) -> None:
    """Wait until the workers have nothing left to do for a clinic."""
    async with asyncio.timeout(within):
        while True:
            row = await owner.fetchrow(_LEFT, organization)
            if row["all"] == 0:
                return
            assert row["waiting"], "a job is dead"
            await asyncio.sleep(0.02)

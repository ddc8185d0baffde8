"""What the planners of participation and activation need to know, read in a few statements whatever the number of channels."""

from collections.abc import Iterable
from typing import Any

from server.chat.participation import Place, Team
from server.db import Transaction
from server.ids import OrganizationId

# A channel (c), with its longest-standing active patient member, whether anybody else of the team is there, and, for where
# no membership of somebody who leaves is given, the membership of the team that ended last. $1 the organisation; $2 who leaves,
# or comes back; $3 a patient to count as active, as somebody who comes back is.
_PLACE = """
  left join lateral (
    select a.id, a.allocation_clinician_id, a.patient_group_id
      from memberships s join people p on (p.organization_id, p.id) = (s.organization_id, s.person_id)
      join patients a on (a.organization_id, a.id) = (s.organization_id, s.person_id)
     where (s.channel_id, s.organization_id) = (c.id, c.organization_id) and s.left_at is null and s.person_kind = 'patient'
       and (p.status = 'active' or p.id = $3)
     order by s.joined_offset, s.person_id limit 1) patient on true
  left join lateral (
    select s.id from memberships s join people p on (p.organization_id, p.id) = (s.organization_id, s.person_id)
     where (s.channel_id, s.organization_id) = (c.id, c.organization_id) and s.left_at is null
       and s.person_kind = 'team_member' and p.status = 'active' and s.person_id <> $2 limit 1) other on true"""
_LEAVING = f"""
select c.id as channel, c.kind, m.id as membership, m.read_offset as mark, c.facilitator_id as facilitator,
       patient.id is not null and other.id is null as needs,
       patient.allocation_clinician_id as clinician, patient.patient_group_id as patient_group
  from memberships m join channels c on (c.organization_id, c.id) = (m.organization_id, m.channel_id) {_PLACE}
 where (m.organization_id, m.person_id) = ($1, $2) and m.left_at is null
 order by c.id"""
_COMING_BACK = f"""
select c.id as channel, c.kind, last.id as membership, coalesce(last.read_offset, 0) as mark,
       c.facilitator_id as facilitator, patient.id is not null and other.id is null as needs,
       patient.allocation_clinician_id as clinician, patient.patient_group_id as patient_group
  from memberships m join channels c on (c.organization_id, c.id) = (m.organization_id, m.channel_id) {_PLACE}
  left join lateral (
    select s.id, s.read_offset from memberships s
     where (s.channel_id, s.organization_id) = (c.id, c.organization_id) and s.person_kind = 'team_member'
     order by s.left_offset desc nulls first, s.read_offset, s.id limit 1) last on true
 where (m.organization_id, m.person_id) = ($1, $2) and m.left_at is null
 order by c.id"""
_ONE = f"""
select c.id as channel, c.kind, null as membership, $4::bigint as mark, c.facilitator_id as facilitator,
       patient.id is not null and other.id is null as needs,
       patient.allocation_clinician_id as clinician, patient.patient_group_id as patient_group
  from channels c {_PLACE}
 where (c.organization_id, c.id) = ($1, $5)"""

_TEAM = """
select 'nominee' as what, kind as where_, team_member_id as person from activation_nominees
 where organization_id = $1 and is_nominated
union all select 'patient_group', patient_group_id, team_member_id from patient_group_team
 where organization_id = $1 and is_listed
union all select 'safety_net', '', safety_net_id from organization_settings
 where organization_id = $1 and safety_net_id is not null"""
_AVAILABLE = """
select p.id from people p where p.organization_id = $1 and p.id = any ($2) and p.kind = 'team_member' and p.status = 'active'
   and not exists (select from archivings a where (a.person_id, a.organization_id) = (p.id, p.organization_id)
                                              and a.status = 'pending')"""


async def leaving(tx: Transaction, organization_id: OrganizationId, person_id: str) -> list[Place]:
    """Every channel that a team member is in."""
    return [_place(row) for row in await tx.rows(_LEAVING, organization_id, person_id, None)]


async def coming_back(tx: Transaction, organization_id: OrganizationId, patient_id: str) -> list[Place]:
    """Every channel that a patient is in, as it will be once they are active."""
    return [_place(row) for row in await tx.rows(_COMING_BACK, organization_id, patient_id, patient_id)]


async def of_channel(tx: Transaction, organization_id: OrganizationId, channel_id: str, mark: int) -> Place:
    """One channel that is there, with the read mark that whoever is added to it starts from."""
    [row] = await tx.rows(_ONE, organization_id, "", None, mark, channel_id)
    return _place(row)


def _place(row: dict[str, Any]) -> Place:
    return Place(**row)


async def team(tx: Transaction, organization_id: OrganizationId, others: Iterable[str | None] = ()) -> Team:
    """Whom the chain may use.

    Args:
        others: the allocation clinicians and facilitators in question, to learn whether they are available.
    """
    nominees: dict[str, list[str]] = {}
    groups: dict[str, list[str]] = {}
    safety_net = None
    named = {person for person in others if person is not None}
    for row in await tx.rows(_TEAM, organization_id):
        named.add(row["person"])
        if row["what"] == "safety_net":
            safety_net = row["person"]
        else:
            (nominees if row["what"] == "nominee" else groups).setdefault(row["where_"], []).append(row["person"])
    rows = await tx.rows(_AVAILABLE, organization_id, sorted(named))
    return Team(frozenset(row["id"] for row in rows), nominees, groups, safety_net)

"""A patient's groups: those they are or were in, as a patient or, before that, as a guest (domain.md §5)."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from server.db import Transaction
from server.ids import GroupId, GroupMemberId
from server.people import patients
from server.people.actors import Actor
from server.people.patients import GetPatient
from server.roster.groups import Status, Type
from server.roster.members import MemberType


class PatientsGroup(BaseModel):
    """One time that the patient is or was in a group; of member_type guest, before they were a patient."""

    group_id: GroupId
    name: str
    type: Type
    group_status: Status
    group_member_id: GroupMemberId
    member_type: MemberType
    status: Literal["active", "left"]
    joined_at: datetime
    left_at: datetime | None


class PatientsGroups(BaseModel):
    """A patient's groups, those that they are in first, then the latest first."""

    groups: list[PatientsGroup]


async def groups_of(tx: Transaction, actor: Actor, params: GetPatient) -> PatientsGroups:
    """The groups that a patient is or was in. Raises NotFound."""
    await patients.get(tx, actor, params)
    rows = await tx.rows(
        """select g.id as group_id, g.name, g.type, g.status as group_status, m.id as group_member_id, m.member_type, m.status,
                  m.joined_at, m.left_at
             from group_members m join groups g on (g.organization_id, g.id) = (m.organization_id, m.group_id)
            where m.organization_id = $1 and (m.patient_id = $2 or m.guest_id in (
              select h.id from guests h where (h.patient_id, h.organization_id) = ($2, $1)))
            order by m.status, m.joined_at desc, m.id""",
        actor.organization_id,
        params.patient_id,
    )
    return PatientsGroups(groups=[PatientsGroup(**row) for row in rows])

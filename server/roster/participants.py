"""Who takes part in an encounter: its patient, or those on the group's roster at the time (domain.md §5)."""

from typing import Any

from pydantic import BaseModel

from server.db import Transaction
from server.errors import Invalid
from server.ids import GroupMemberId, GuestId, OrganizationId, PatientId
from server.people.actors import Actor
from server.roster import encounters, policy
from server.roster.encounters import OfEncounter
from server.roster.members import MemberType
from server.roster.policy import Key


class Participant(BaseModel):
    """Somebody who takes part; with a row of the roster where it is a group's encounter."""

    participant_type: MemberType
    patient_id: PatientId | None
    guest_id: GuestId | None
    name: str
    display_name: str | None
    group_member_id: GroupMemberId | None


class Participants(BaseModel):
    """Those who take part, by name."""

    participants: list[Participant]


# On the roster when it took place, or, where it was recorded later, by then; and not gone before it took place.
_OF_GROUP = """
select distinct on (name, m.patient_id, m.guest_id) m.member_type as participant_type, m.patient_id, m.guest_id,
       coalesce(a.preferred_name, a.legal_name, g.display_name) as name, a.display_name, m.id as group_member_id
  from encounters e
  join group_members m on (m.organization_id, m.group_id) = (e.organization_id, e.group_id)
   and m.joined_at <= greatest(e.encounter_date, e.created_at) and (m.left_at is null or m.left_at > e.encounter_date)
  left join patients a on (a.organization_id, a.id) = (m.organization_id, m.patient_id)
  left join guests g on (g.organization_id, g.id) = (m.organization_id, m.guest_id)
 where (e.organization_id, e.id) = ($1, $2)
 order by name, m.patient_id, m.guest_id, m.joined_at desc"""
_OF_PATIENT = """
select 'patient' as participant_type, a.id as patient_id, null as guest_id, coalesce(a.preferred_name, a.legal_name) as name,
       a.display_name, null as group_member_id
  from encounters e join patients a on (a.organization_id, a.id) = (e.organization_id, e.patient_id)
 where (e.organization_id, e.id) = ($1, $2)"""


async def list_all(tx: Transaction, actor: Actor, params: OfEncounter) -> Participants:
    """Who takes part in an encounter. Raises NotFound."""
    found = await encounters.row(tx, actor.organization_id, params.encounter_id)
    return Participants(participants=await taking_part(tx, found))


async def taking_part(tx: Transaction, encounter: dict[str, Any]) -> list[Participant]:
    """Who takes part in an encounter that was found."""
    select = _OF_GROUP if encounter["subject_type"] == "group" else _OF_PATIENT
    rows = await tx.rows(select, encounter["organization_id"], encounter["id"])
    return [Participant(**row) for row in rows]


async def require(
    tx: Transaction,
    encounter: dict[str, Any],
    kind: MemberType | None,
    patient_id: PatientId | None,
    guest_id: GuestId | None,
) -> Key:
    """Whom a note or a submission is about: the encounter's patient, or somebody who is or was in its group. Raises Invalid."""
    key = policy.reference(kind or ("guest" if guest_id and not patient_id else "patient"), patient_id, guest_id)
    if isinstance(key, str):
        raise Invalid(key)
    if not await _belongs(tx, encounter["organization_id"], encounter, key):
        raise Invalid(f"{key[0]}_id: this {key[0]} takes no part in the encounter.")
    return key


async def _belongs(tx: Transaction, organization_id: OrganizationId, encounter: dict[str, Any], key: Key) -> bool:
    if encounter["subject_type"] == "patient":
        return key == ("patient", encounter["patient_id"])
    rows = await tx.rows(
        f"select id from group_members where (organization_id, group_id, {key[0]}_id) = ($1, $2, $3) limit 1",
        *(organization_id, encounter["group_id"], key[1]),
    )
    return bool(rows)

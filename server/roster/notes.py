"""Notes of an encounter: of the whole of it, or about one participant, and then in nobody else's view (domain.md §5).

Encrypted, written once and never changed; who wrote and who read them is in the access log, on each patient's record.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from server.chat.bodies import trimmed
from server.db import Transaction
from server.errors import Conflict
from server.ids import EncounterId, GuestId, NoteId, PatientId, TeamMemberId
from server.people import sealed
from server.people.actors import Actor
from server.people.wording import Slug
from server.roster import encounters, participants, policy, records
from server.roster.members import MemberType

MAX_CODE_POINTS = 20_000


class CreateNote(BaseModel):
    """A new note. Without a participant it is about the encounter as a whole."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"participant_type": None, "patient_id": None, "guest_id": None}]}
    )
    encounter_id: EncounterId
    note_type: Slug = Field(examples=["session_note"], description="addendum is what can be added once it is finalised")
    content: str = Field(max_length=MAX_CODE_POINTS + 1_000, description="1 to 20,000 characters; encrypted")
    participant_type: MemberType | None = Field(None, description="Whom it is about, if it is about one participant")
    patient_id: PatientId | None = None
    guest_id: GuestId | None = None


class ListNotes(BaseModel):
    """The notes of an encounter; with a participant, what is in that one's view: those of the whole, and those about them."""

    encounter_id: EncounterId
    patient_id: PatientId | None = None
    guest_id: GuestId | None = None


class NoteShape(BaseModel):
    """A note."""

    id: NoteId
    encounter_id: EncounterId
    note_type: str
    participant_type: MemberType | None
    patient_id: PatientId | None
    guest_id: GuestId | None
    participant_name: str | None
    author_id: TeamMemberId
    author_name: str
    content: str
    created_at: datetime


class Notes(BaseModel):
    """Notes, in the order in which they were written."""

    notes: list[NoteShape]


_SELECT = """
select n.*, t.name as author_name, coalesce(a.preferred_name, a.legal_name, g.display_name) as participant_name
  from encounter_notes n
  join team_members t on (t.organization_id, t.id) = (n.organization_id, n.author_id)
  left join patients a on (a.organization_id, a.id) = (n.organization_id, n.patient_id)
  left join guests g on (g.organization_id, g.id) = (n.organization_id, n.guest_id)
 where (n.organization_id, n.encounter_id) = ($1, $2)"""
# In the view of a patient who was a guest once is also what was written about the guest.
_IN_VIEW = """ and ($3::text is null and $4::text is null or n.participant_type is null or n.patient_id = $3 or n.guest_id = $4
   or n.guest_id in (select h.id from guests h where (h.patient_id, h.organization_id) = ($3, $1)))"""


async def create(tx: Transaction, actor: Actor, params: CreateNote) -> NoteShape:
    """A new note of an encounter. The first one begins its documentation.

    Raises:
        NotFound: no such encounter. Conflict: it is finalised, and this is no addendum.
        Invalid: no text, or somebody who takes no part.
    """
    organization_id = actor.organization_id
    encounter = await encounters.locked(tx, organization_id, params.encounter_id)
    if refused := policy.may_write(encounter["finalized_at"] is not None, params.note_type):
        raise Conflict(refused)
    text, kind, who = trimmed(params.content, "content", MAX_CODE_POINTS), None, None
    if params.participant_type or params.patient_id or params.guest_id:
        named = (params.participant_type, params.patient_id, params.guest_id)
        kind, who = await participants.require(tx, encounter, *named)
    row = {"id": NoteId.new(), "encounter_id": params.encounter_id, "author_id": actor.person_id}
    key_id, record = await sealed.close(tx.keys, "encounter_notes", organization_id, row, text)
    await tx.rows(
        """insert into encounter_notes (organization_id, id, encounter_id, note_type, participant_type, patient_id, guest_id,
                                        author_id, key_id, content)
           values ($1, $2, $3, $4, $5::text, case when $5 = 'patient' then $6::text end, case when $5 = 'guest' then $6 end,
                   $7, $8, $9)""",
        *(
            organization_id,
            row["id"],
            params.encounter_id,
            params.note_type,
            kind,
            who,
            actor.person_id,
            key_id,
            record,
        ),
    )
    await tx.rows(
        """update encounters set documentation_status = 'in_progress'
            where (organization_id, id) = ($1, $2) and documentation_status = 'not_started'""",
        *(organization_id, params.encounter_id),
    )
    tx.concerns(patient_id=who if kind == "patient" else None)
    [made] = await tx.rows(_SELECT + " and n.id = $3", organization_id, params.encounter_id, row["id"])
    return await _shape(tx, made)


async def list_all(tx: Transaction, actor: Actor, params: ListNotes) -> Notes:
    """The notes of an encounter, or what is in one participant's view. Raises NotFound."""
    encounter = await encounters.row(tx, actor.organization_id, params.encounter_id)
    rows = await tx.rows(
        _SELECT + _IN_VIEW + " order by n.created_at, n.id",
        *(actor.organization_id, params.encounter_id, params.patient_id, params.guest_id),
    )
    about = await records.became(tx, actor.organization_id, rows)
    facts = {"encounter_id": params.encounter_id}
    await records.seen(tx, actor, "encounter_note.read", about, facts, encounter["patient_id"])
    return Notes(notes=[await _shape(tx, row) for row in rows])


async def _shape(tx: Transaction, row: dict[str, Any]) -> NoteShape:
    content = await sealed.open_(tx.keys, "encounter_notes", row["organization_id"], row)
    return NoteShape(**row | {"content": content})

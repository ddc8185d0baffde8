"""Guests: people in groups who are no patients, and how they become one without losing their history (domain.md §1, §5)."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from server.db import Transaction
from server.errors import Conflict, Invalid, NotFound
from server.ids import GuestId, OrganizationId, PatientId, TeamMemberId
from server.locks import lock
from server.people import sealed
from server.people.actors import Actor
from server.people.wording import Data, Name, Prose
from server.roster import asking, members
from server.roster.groups import loaded

NOT_FOUND = "There is no such guest."
LINKED = "This guest has become a patient. Add the patient instead."


class CreateGuest(BaseModel):
    """A new guest."""

    display_name: Name = Field(examples=["A member's spouse"])
    contact: Data = Field({}, description="How to reach them: an object of at most 10,000 bytes")
    notes: Prose | None = Field(None, description="Encrypted, and shown to those who read session notes")


class OfGuest(BaseModel):
    """One guest."""

    guest_id: GuestId


class UpdateGuest(OfGuest):
    """Change what is given of a guest, and nothing else; null takes the notes away."""

    display_name: Name | None = None
    contact: Data | None = Field(None, description="Replaces the object")
    notes: Prose | None = None


class LinkGuest(OfGuest):
    """Say which patient a guest has become."""

    patient_id: PatientId


class ListGuests(BaseModel):
    """A page of guests, in the order of names."""

    is_active: bool | None = None
    after: GuestId | None = Field(None, description="The id of the last one of the page before")
    limit: int = Field(50, ge=1, le=200)


class GuestShape(BaseModel):
    """A guest. `patient_id`: whom they have become. `notes` is null for whoever may not read session notes."""

    id: GuestId
    display_name: str
    contact: dict[str, Any]
    notes: str | None
    is_active: bool
    patient_id: PatientId | None
    created_by_user: TeamMemberId
    created_at: datetime


class Guests(BaseModel):
    """A page of guests."""

    guests: list[GuestShape]
    more: bool


_SELECT = "select * from guests g where g.organization_id = $1"


async def create(tx: Transaction, actor: Actor, params: CreateGuest) -> GuestShape:
    """A new guest."""
    guest_id = GuestId.new()
    row = {"id": guest_id, "created_by_user": actor.person_id}
    key_id, notes = await sealed.close(tx.keys, "guests", actor.organization_id, row, params.notes)
    await tx.rows(
        """insert into guests (organization_id, id, display_name, contact, key_id, notes, created_by_user)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        *(actor.organization_id, guest_id, params.display_name, json.dumps(params.contact), key_id, notes),
        actor.person_id,
    )
    return await get(tx, actor, OfGuest(guest_id=guest_id))


async def get(tx: Transaction, actor: Actor, params: OfGuest) -> GuestShape:
    """One guest. Raises NotFound."""
    return await _shape(tx, actor, await _row(tx, actor.organization_id, params.guest_id))


async def list_all(tx: Transaction, actor: Actor, params: ListGuests) -> Guests:
    """The guests, by name; all of them, or those who are active, or those who are not."""
    rows = await tx.rows(
        f"""{_SELECT} and ($2::boolean is null or g.is_active = $2)
              and ($3::text is null or (lower(g.display_name), g.id) >
                (select lower(a.display_name), a.id from guests a where (a.organization_id, a.id) = ($1, $3)))
            order by lower(g.display_name), g.id limit $4""",
        *(actor.organization_id, params.is_active, params.after, params.limit + 1),
    )
    return Guests(guests=[await _shape(tx, actor, row) for row in rows[: params.limit]], more=len(rows) > params.limit)


async def update(tx: Transaction, actor: Actor, params: UpdateGuest) -> GuestShape:
    """Change a guest. Raises NotFound; Invalid where the name or the contact is taken away."""
    organization_id, given = actor.organization_id, params.model_fields_set
    await lock(tx, organization_id, guests=[params.guest_id])
    row = await _row(tx, organization_id, params.guest_id)
    if wrong := [name for name in ("display_name", "contact") if name in given and getattr(params, name) is None]:
        raise Invalid(f"{wrong[0]}: every guest has one. Give another one, or leave it out.")
    contact = json.dumps(params.contact) if params.contact is not None else None
    key_id, notes = row["key_id"], row["notes"]
    if "notes" in given:
        key_id, notes = await sealed.close(tx.keys, "guests", organization_id, row, params.notes)
    await tx.rows(
        """update guests set display_name = coalesce($3, display_name), contact = coalesce($4, contact), key_id = $5, notes = $6
            where (organization_id, id) = ($1, $2)""",
        *(organization_id, params.guest_id, params.display_name, contact, key_id, notes),
    )
    return await get(tx, actor, params)


async def deactivate(tx: Transaction, actor: Actor, params: OfGuest) -> GuestShape:
    """Retire a guest: their places in groups end, and all that was written stays. Raises NotFound."""
    await lock(tx, actor.organization_id, guests=[params.guest_id])
    await _row(tx, actor.organization_id, params.guest_id)
    places = await _places(tx, actor.organization_id, params.guest_id)
    await members.end(tx, actor.organization_id, [row["id"] for row in places])
    await _set_active(tx, actor.organization_id, params.guest_id, False)
    return await get(tx, actor, params)


async def reactivate(tx: Transaction, actor: Actor, params: OfGuest) -> GuestShape:
    """Take a guest back; they are added to groups anew. Raises NotFound; Conflict where they have become a patient."""
    await lock(tx, actor.organization_id, guests=[params.guest_id])
    row = await _row(tx, actor.organization_id, params.guest_id)
    if row["patient_id"] is not None:
        raise Conflict(LINKED)
    await _set_active(tx, actor.organization_id, params.guest_id, True)
    return await get(tx, actor, params)


async def link(tx: Transaction, actor: Actor, params: LinkGuest) -> GuestShape:
    """Say which patient a guest has become: the patient takes their places, and what was written about the guest stays.

    Raises:
        NotFound: no such guest. Invalid: no such patient.
        Conflict: the patient is archived, or the guest has become a patient already.
    """
    organization_id = actor.organization_id
    await lock(tx, organization_id, people=[params.patient_id], guests=[params.guest_id])
    row = await _row(tx, organization_id, params.guest_id)
    key = ("patient", str(params.patient_id))
    if wrong := (await members.unusable(tx, organization_id, [key])).get(key):
        raise Conflict(wrong) if "archived" in wrong else Invalid("patient_id: there is no such patient.")
    if row["patient_id"] is not None:
        raise Conflict(LINKED)
    places = await _places(tx, organization_id, params.guest_id)
    await members.end(tx, organization_id, [place["id"] for place in places])
    for place in places:  # one leaves and one comes: it takes no further place
        if key not in await members.active(tx, organization_id, place["group_id"]):
            await members.insert(tx, organization_id, place["group_id"], [(key, None)])
    await tx.rows(
        "update guests set is_active = false, patient_id = $3 where (organization_id, id) = ($1, $2)",
        *(organization_id, params.guest_id, params.patient_id),
    )
    for place in places:
        await asking.ask(tx, organization_id, place["group_id"])
    tx.concerns(patient_id=params.patient_id)
    return await get(tx, actor, params)


async def _places(tx: Transaction, organization_id: OrganizationId, guest_id: GuestId) -> Sequence[dict[str, Any]]:
    """Their active rows, with the groups locked. The guest is locked, so that there will be no others."""
    rows = await tx.rows(
        "select id, group_id from group_members where (organization_id, guest_id, status) = ($1, $2, 'active') order by id",
        organization_id,
        guest_id,
    )
    await lock(tx, organization_id, groups=[row["group_id"] for row in rows])
    return rows


async def _set_active(tx: Transaction, organization_id: OrganizationId, guest_id: GuestId, active: bool) -> None:
    await tx.rows(
        "update guests set is_active = $3 where (organization_id, id) = ($1, $2)", organization_id, guest_id, active
    )


async def _row(tx: Transaction, organization_id: OrganizationId, guest_id: GuestId) -> dict[str, Any]:
    rows = await tx.rows(_SELECT + " and g.id = $2", organization_id, guest_id)
    if not rows:
        raise NotFound(NOT_FOUND)
    tx.concerns(patient_id=rows[0]["patient_id"])  # of whom this was written before they were a patient
    return rows[0]


async def _shape(tx: Transaction, actor: Actor, row: dict[str, Any]) -> GuestShape:
    may = members.READ_NOTES in actor.permissions
    notes = await sealed.open_(tx.keys, "guests", actor.organization_id, row) if may else None
    return GuestShape(**row | {"notes": notes, "contact": loaded(row["contact"])})

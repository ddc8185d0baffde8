"""Archiving and unarchiving a patient, with their channels (domain.md §1, §2)."""

from typing import Any

from server import jobs
from server.chat import situation, staffing
from server.chat.append import append_many
from server.chat.participation import Place, Team, staff
from server.db import Transaction
from server.errors import Conflict, NotFound, TooMany
from server.ids import OrganizationId
from server.locks import lock
from server.people import patients
from server.people.actors import Actor
from server.people.patients import GetPatient, PatientShape
from server.people.signing_out import sign_out

_CHANNELS = """
select c.id, c.kind, c.status, m.id as membership, mine.id as actor_membership
  from channels c
  left join memberships m on (m.organization_id, m.channel_id, m.person_id) = (c.organization_id, c.id, $2) and m.left_at is null
  left join memberships mine
    on (mine.organization_id, mine.channel_id, mine.person_id) = (c.organization_id, c.id, $3) and mine.left_at is null
 where c.organization_id = $1 and (m.id is not null or c.patient_id = $2 and c.kind in ('care_team', 'service_team'))
 order by c.id"""
_OWN = ("care_team", "service_team")


async def archive(tx: Transaction, actor: Actor, params: GetPatient) -> PatientShape:
    """Archive a patient: their care and service channels close, their places in groups end; staff channels stay.

    Their connections are closed, once. They still sign in, and only read. A worker ends their rows on rosters.

    Raises:
        NotFound: no such patient. Conflict: archived already.
    """
    organization_id, patient_id = actor.organization_id, params.patient_id
    before = await tx.rows(_CHANNELS, organization_id, patient_id, actor.person_id)
    await lock(tx, organization_id, people=[patient_id], channels=[row["id"] for row in before])
    await _require(tx, organization_id, patient_id, "active", "This patient is archived already.")
    channels = await tx.rows(_CHANNELS, organization_id, patient_id, actor.person_id)
    if not {row["id"] for row in channels} <= {row["id"] for row in before}:
        raise TooMany("Somebody is changing this patient's channels just now. Try again.")
    closing = [row for row in channels if row["kind"] in _OWN and row["status"] == "active"]
    await _set_status(tx, organization_id, "patient", patient_id, "archived")
    await _set_channels(tx, actor, closing, "archived")
    ends = [(row["id"], row["membership"]) for row in channels if row["kind"] not in _OWN]
    await staffing.apply(tx, organization_id, [], ends)
    await sign_out(tx, organization_id, patient_id)
    [row] = await tx.rows("select clock_timestamp()::text as at")
    args = {"organization_id": organization_id, "patient_id": patient_id, "at": row["at"]}
    await jobs.enqueue(tx, patients.ARCHIVED, args, key=f"{organization_id}:{patient_id}")
    return await patients.get(tx, actor, params)


async def unarchive(tx: Transaction, actor: Actor, params: GetPatient) -> PatientShape:
    """Take a patient back: first their channels get staff, then they are active, and their care and service channels open.

    Raises:
        NotFound: no such patient.
        Conflict: they are active; or nobody is left to staff a channel of theirs.
    """
    organization_id, patient_id = actor.organization_id, params.patient_id
    places, team = await _situation(tx, organization_id, patient_id)
    joins, _ = staff(places, team)
    people = {patient_id, *(join.person for join in joins)}
    channels = {place.channel for place in places}
    await lock(tx, organization_id, people=people, channels=channels)
    await _require(tx, organization_id, patient_id, "archived", "This patient is active already.")
    places, team = await _situation(tx, organization_id, patient_id)
    joins, unstaffed = staff(places, team)
    if not people.issuperset(join.person for join in joins) or not channels.issuperset(p.channel for p in places):
        raise TooMany("Somebody is changing this patient's channels just now. Try again.")
    if unstaffed:
        raise Conflict(
            f"Nobody is left to staff these channels of the patient: {', '.join(unstaffed)}. Give the patient an active "
            "allocation clinician, or add a team member to the channels, then do this again."
        )
    await staffing.apply(tx, organization_id, joins, [])
    await staffing.record(tx, organization_id, actor.person_id, actor.request_id, joins)
    await _set_status(tx, organization_id, "patient", patient_id, "active")
    found = await tx.rows(_CHANNELS, organization_id, patient_id, actor.person_id)
    opening = [row for row in found if row["kind"] in _OWN and row["status"] == "archived"]
    await _set_channels(tx, actor, opening, "active")
    return await patients.get(tx, actor, params)


async def _situation(tx: Transaction, organization_id: OrganizationId, patient_id: str) -> tuple[list[Place], Team]:
    places = await situation.coming_back(tx, organization_id, patient_id)
    named = [person for place in places for person in (place.clinician, place.facilitator)]
    return places, await situation.team(tx, organization_id, named)


async def _require(
    tx: Transaction, organization_id: OrganizationId, patient_id: str, status: str, otherwise: str
) -> None:
    rows = await tx.rows(
        "select status from people where (organization_id, id) = ($1, $2) and kind = 'patient'",
        organization_id,
        patient_id,
    )
    if not rows:
        raise NotFound("There is no such patient.")
    if rows[0]["status"] != status:
        raise Conflict(otherwise)


async def _set_status(tx: Transaction, organization_id: OrganizationId, kind: str, person_id: str, status: str) -> None:
    await tx.rows(
        "update people set status = $4 where (organization_id, id, kind) = ($1, $2, $3)",
        *(organization_id, person_id, kind, status),
    )


async def _set_channels(tx: Transaction, actor: Actor, channels: list[dict[str, Any]], status: str) -> None:
    """Close or open channels, each with its event."""
    await tx.rows(
        "update channels set status = $3 where organization_id = $1 and id = any ($2)",
        *(actor.organization_id, [row["id"] for row in channels], status),
    )
    kind = "archived" if status == "archived" else "unarchived"
    said = [
        (row["id"], kind, {"by": row["actor_membership"]} if row["actor_membership"] else {"person": actor.person_id})
        for row in channels
    ]
    await append_many(tx, actor.organization_id, said)

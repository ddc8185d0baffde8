"""Signing out: everything that began before is over, on every gateway, whoever asked for it (domain.md §1, reliability S06).

One column says it all: people.signed_out_at. Tokens of sign-ins that began before are refused from the commit on; the gateways
close the connections, woken by the doorbell, and without it by the check they make every second.
"""

from datetime import datetime

from pydantic import BaseModel

from server import events
from server.db import Database, Transaction
from server.errors import NotFound
from server.ids import OrganizationId, PersonId
from server.locks import lock
from server.people.actors import Actor
from server.people.team import Nothing


class OfPerson(BaseModel):
    """A patient or a team member."""

    person_id: PersonId


class SignedOut(BaseModel):
    """Done: sign-ins that began before this moment are over."""

    at: datetime


class Active(BaseModel):
    """Noted."""


async def sign_out(tx: Transaction, organization_id: OrganizationId, person_id: str) -> datetime:
    """End every sign-in of a person that has begun by now. Who may, was asked before. Raises NotFound, TooMany."""
    await lock(tx, organization_id, people=[person_id])
    rows = await tx.rows(
        """update people set signed_out_at = clock_timestamp() where (organization_id, id) = ($1, $2)
           returning signed_out_at as at""",
        organization_id,
        person_id,
    )
    if not rows:
        raise NotFound("There is no such person.")
    tx.announce(events.person_topic(organization_id, person_id), b"")
    return rows[0]["at"]  # type: ignore[no-any-return]


async def myself(tx: Transaction, actor: Actor, _params: Nothing) -> SignedOut:
    """Sign oneself out, everywhere: on this device and on all others."""
    if not actor.is_staff:
        tx.concerns(patient_id=actor.person_id)
    return SignedOut(at=await sign_out(tx, actor.organization_id, actor.person_id))


async def somebody(tx: Transaction, actor: Actor, params: OfPerson) -> SignedOut:
    """Sign somebody out, everywhere: a colleague with "team.manage", a patient with "patient.archive".

    It ends what has begun; it does not keep anybody from signing in again: that takes archiving, or the sign-in provider.

    Raises:
        Forbidden: not allowed for this kind of person.
        NotFound: there is no such person.
    """
    is_patient = params.person_id.startswith("pa_")
    actor.require("patient.archive" if is_patient else "team.manage")
    at = await sign_out(tx, actor.organization_id, params.person_id)
    if is_patient:
        tx.concerns(patient_id=params.person_id)
    return SignedOut(at=at)


async def active(_tx: Transaction, _actor: Actor, _params: Nothing) -> Active:
    """Somebody is at the page: it says so about once a minute while keys, pointer or touch are used, and at no other time.

    It changes nothing but the connection's idle limit (WARMLINE_SIGN_IN_IDLE_MINUTES), for which every operation counts that a
    person causes, and none that a page calls by itself.
    """
    return Active()


async def lately(database: Database, seconds: float) -> list[tuple[str, str, float]]:
    """Who was signed out within so many seconds, whoever they are: (organisation, person, when as Unix seconds)."""
    rows = await database.fetch(
        """select organization_id, id, extract(epoch from signed_out_at)::float8 as at from people
            where signed_out_at > now() - $1 * interval '1 s'""",
        seconds,
    )
    return [(row["organization_id"], row["id"], row["at"]) for row in rows]

"""What stands in the place of the composer where one cannot write: why, and other ways to reach the team (domain.md §2)."""

from typing import Literal

from pydantic import BaseModel

from server.chat.channels import InChannel, mine
from server.db import Transaction
from server.people.actors import Actor

_WHY = {
    "channel_archived": "This conversation is closed. Nobody reads new messages here.",
    "person_archived": "Your record with this clinic is closed. You can read here, and write no more.",
}


class Contact(BaseModel):
    """Whether and why the channel is closed to me, and how to reach the team otherwise. Empty where nothing is set.

    `contact_text` is the organisation's, `crisis_services` the patient group's: mine, or of the patient the channel is about.
    """

    closed: Literal["channel_archived", "person_archived"] | None
    why: str | None
    contact_text: str
    crisis_services: str


async def contact(tx: Transaction, actor: Actor, params: InChannel) -> Contact:
    """How a channel stands to the actor, and the ways around it: to be shown before anybody types. Raises NotFound."""
    channel = await mine(tx, actor, params.channel_id)
    [row] = await tx.rows(
        """select coalesce((select contact_text from organization_settings where organization_id = $1), '') as contact_text,
                  coalesce((select g.crisis_services from patients a join patient_groups g
                      on (g.organization_id, g.id) = (a.organization_id, a.patient_group_id)
                     where (a.organization_id, a.id) = ($1, $2)), '') as crisis_services""",
        actor.organization_id,
        channel["patient_id"] if actor.is_staff else actor.person_id,
    )
    closed: Literal["channel_archived", "person_archived"] | None = None
    if not channel["person_active"]:
        closed = "person_archived"
    elif channel["status"] == "archived":
        closed = "channel_archived"
    return Contact(closed=closed, why=_WHY[closed] if closed else None, **row)

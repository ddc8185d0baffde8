"""Unread emails switched off, and on again, by the code of a link in one of them: without signing in, and nothing else.

Who has the email has the code; it opens nothing, and tells nothing about the person (domain.md §8).
"""

from dataclasses import dataclass
from datetime import datetime

from server import audit
from server.db import Transaction
from server.ids import OrganizationId, PersonId
from server.notices import preferences


@dataclass(frozen=True, slots=True)
class Behind:
    """Whom a code belongs to, and whether they get emails now."""

    organization_id: OrganizationId
    person_id: PersonId
    wanted: bool


async def behind(tx: Transaction, code: str) -> Behind | None:
    """Whom a code belongs to; None of one that was in no email."""
    found = await tx.rows(
        """select m.organization_id, m.person_id, coalesce(p.unread_email, true) as wanted
             from mails m left join notice_preferences p using (organization_id, person_id)
            where m.unsubscribe_code = $1""",
        code,
    )
    return Behind(**found[0]) if found else None


async def switch(tx: Transaction, code: str, wanted: bool, at: datetime, request_id: str) -> Behind | None:
    """Switch them off or on; as the person's own doing. None, and nothing is changed, of a code that was in no email."""
    found = await behind(tx, code)
    if found is None or found.wanted == wanted:
        return found
    person_id = found.person_id
    await preferences.switch(tx, found.organization_id, person_id, person_id, at, unread_email=wanted)
    tx.concerns(patient_id=person_id if person_id.startswith("pa_") else None)
    facts = {"unread_email": wanted, "by": "link"}
    await audit.append(tx, found.organization_id, person_id, "notice.unsubscribe", request_id, facts)
    return Behind(found.organization_id, person_id, wanted)

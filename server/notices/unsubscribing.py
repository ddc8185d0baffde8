"""Unread emails switched off, and on again, by the code of a link in one of them: without signing in, and nothing else.

Who has the email has the code; it opens nothing, and tells nothing about the person (domain.md §8).
"""

from dataclasses import dataclass
from datetime import datetime

from server import audit
from server.db import Transaction
from server.ids import OrganizationId, PersonId


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
    await tx.rows(
        """insert into notice_preferences (organization_id, person_id, unread_email, unread_email_by, unread_email_at)
           values ($1, $2, $3, $2, $4)
           on conflict (person_id, organization_id) do update
              set unread_email = $3, unread_email_by = $2, unread_email_at = $4""",
        *(found.organization_id, found.person_id, wanted, at),
    )
    tx.concerns(patient_id=found.person_id if found.person_id.startswith("pa_") else None)
    facts = {"unread_email": wanted, "by": "link"}
    await audit.append(tx, found.organization_id, found.person_id, "notice.unsubscribe", request_id, facts)
    return Behind(found.organization_id, found.person_id, wanted)

"""The access log: who did what, when, on whose record; written in the transaction of the access itself.

Operations declare the word they are recorded under; the dispatcher in operations.py writes the entry. The application's role
can insert here and do nothing else. What is refused is recorded by server/refusals.py; the proof that nothing was changed
afterwards is server/sealing.
"""

import json
from typing import Any

from server.db import Transaction
from server.ids import OrganizationId


async def append(
    tx: Transaction,
    organization_id: OrganizationId,
    actor_id: str | None,
    operation: str,
    request_id: str,
    facts: dict[str, Any],
) -> None:
    """Record one access. `facts` holds ids and counts only; whose record it was comes from tx.concerns()."""
    await tx.rows(
        """insert into audit_entries (organization_id, actor_id, operation, patient_id, channel_id, facts, request_id)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        organization_id,
        actor_id,
        operation,
        tx.record.get("patient_id"),
        tx.record.get("channel_id"),
        json.dumps(facts),
        request_id,
    )

"""On whose record a reading stands: what shows several patients at once is recorded on the record of each (domain.md §8)."""

from collections.abc import Iterable
from typing import Any

from server import audit
from server.db import Transaction
from server.ids import OrganizationId
from server.people.actors import Actor


async def seen(
    tx: Transaction,
    actor: Actor,
    word: str,
    patients: Iterable[str | None],
    facts: dict[str, Any],
    own: str | None = None,
) -> None:
    """Record a reading on the record of each of these patients but `own`, on whose record the operation's own entry stands."""
    for patient in sorted({one for one in patients if one} - {own}):
        tx.record["patient_id"] = patient
        await audit.append(tx, actor.organization_id, actor.person_id, word, actor.request_id, facts)
    tx.record.pop("patient_id", None)
    tx.concerns(patient_id=own)


async def became(tx: Transaction, organization_id: OrganizationId, rows: Iterable[dict[str, Any]]) -> list[str]:
    """The patients whom these rows are about, also those of whom they were written while they were guests."""
    listed = list(rows)
    linked = await tx.rows(
        "select patient_id from guests where organization_id = $1 and id = any ($2) and patient_id is not null",
        *(organization_id, sorted({row["guest_id"] for row in listed if row["guest_id"]})),
    )
    return [row["patient_id"] for row in (*listed, *linked) if row["patient_id"]]

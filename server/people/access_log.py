"""Looking into the access log: who saw or changed whose record. For those with audit.read; looking is recorded as well.

It looks across memberships, in ids alone: an auditor learns that a record was seen, never what it says. The application itself
cannot read the log (schema.sql): this borrows the role warmline_auditor, which an operator gives to a gateway's login, or not.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from server.db import Transaction
from server.errors import Forbidden
from server.ids import ChannelId, PatientId, PersonId
from server.people.actors import Actor

_MAY = "select pg_has_role(session_user, 'warmline_auditor', 'set') as may"
_NOT_HERE = "The access log cannot be read from here. Ask your operator for it: warmline audit show."
_ENTRIES = """
select e.id, e.at, e.actor_id, e.operation, e.outcome, e.patient_id, e.channel_id, e.facts, e.request_id, s.sequence
  from audit_entries e
  left join audit_seals s on (s.entry_id, s.organization_id) = (e.id, e.organization_id)
 where e.organization_id = $1 and ($2::text is null or e.patient_id = $2) and ($3::text is null or e.channel_id = $3)
   and ($4::text is null or e.actor_id = $4) and ($5::text is null or e.outcome = $5)
   and ($6::timestamptz is null or e.at >= $6) and ($7::timestamptz is null or e.at < $7)
   and ($8::bigint is null or e.id < $8)
 order by e.id desc limit $9"""
_THERE = """select coalesce(t.id, c.patient_id) as patient_id, c.id as channel_id
  from organizations o
  left join patients t on (t.organization_id, t.id) = (o.id, $2)
  left join channels c on (c.organization_id, c.id) = (o.id, $3) where o.id = $1"""


class ListAudit(BaseModel):
    """Which part of the access log, newest first."""

    patient_id: PatientId | None = Field(None, description="Only what concerned this patient's record")
    channel_id: ChannelId | None = Field(None, description="Only what concerned this channel")
    actor_id: PersonId | None = Field(None, description="Only what this person did")
    outcome: Literal["done", "refused"] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: int | None = Field(None, ge=1, le=2**53 - 1, description="The id of the last entry of the page before")
    limit: int = Field(50, ge=1, le=200)


class AuditEntry(BaseModel):
    """One access: who did what when, on whose record; `facts` are ids and counts, `sequence` is its seal's number, if any."""

    id: int
    at: datetime
    actor_id: str | None
    operation: str
    outcome: Literal["done", "refused"]
    patient_id: str | None
    channel_id: str | None
    facts: dict[str, Any]
    request_id: str
    sequence: int | None


class AuditEntries(BaseModel):
    """A page of the access log."""

    entries: list[AuditEntry]
    more: bool


async def list_all(tx: Transaction, actor: Actor, params: ListAudit) -> AuditEntries:
    """Who did what, when, on whose record. Raises Forbidden where this server may not read the log."""
    [there] = await tx.rows(_THERE, actor.organization_id, params.patient_id, params.channel_id)
    tx.concerns(**there)
    [may] = await tx.rows(_MAY)
    if not may["may"]:
        raise Forbidden(_NOT_HERE)
    await tx.rows("set local role warmline_auditor")
    rows = await tx.rows(
        _ENTRIES, actor.organization_id, *(value for name, value in params if name != "limit"), params.limit + 1
    )
    await tx.rows("set local role warmline_app")
    return AuditEntries(entries=[AuditEntry(**row) for row in rows[: params.limit]], more=len(rows) > params.limit)

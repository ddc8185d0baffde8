"""The people of the demo clinic: whoever has an address under demo.invalid, a domain that cannot exist (RFC 2606)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.ids import OrganizationId, PersonId
from server.people.actors import Identity

DOMAIN = "@demo.invalid"


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody one can sign in as during development. `key` is what a link carries: a name, not a token."""

    label: str
    kind: str
    key: str
    identity: Identity


async def people(fetch: Callable[..., Awaitable[Sequence[Any]]]) -> list[DemoPerson]:
    """The people of the demo clinic who may sign in, patients first: an archived one still reads (domain.md §1)."""
    rows = await fetch(
        """select p.organization_id, p.id, p.kind, p.email, coalesce(t.name, a.legal_name) as name
             from people p
             left join team_members t on (t.organization_id, t.id) = (p.organization_id, p.id)
             left join patients a on (a.organization_id, a.id) = (p.organization_id, p.id)
            where p.email like '%' || $1 and (p.kind = 'patient' or p.status = 'active') order by p.kind, p.created_at, p.id""",
        DOMAIN,
    )
    return [
        DemoPerson(
            row["name"],
            row["kind"],
            row["email"].removesuffix(DOMAIN),
            Identity(OrganizationId(row["organization_id"]), PersonId(row["id"])),
        )
        for row in rows
    ]

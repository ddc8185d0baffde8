"""Who asks, and what they may do: read afresh for every operation, so that a change counts at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from server.db import Transaction
from server.errors import Forbidden, Unauthorized
from server.ids import OrganizationId, PersonId, random_token
from server.people.permissions import DENIALS

UNKNOWN = "You are not signed in here. Sign in again."
"""One and the same refusal for whoever is unknown, foreign or archived staff."""


_FACTS = """select p.kind, p.status, extract(epoch from p.signed_out_at)::float8 as signed_out,
       exists (select from archivings a where (a.person_id, a.organization_id) = (p.id, p.organization_id)
                  and a.status = 'pending') as pending,
       coalesce(r.permissions || t.extra_permissions, '{}') as permissions"""
_MORE = """
  left join team_members t on (t.organization_id, t.id) = (p.organization_id, p.id)
  left join roles r on (r.organization_id, r.name) = (t.organization_id, t.role)"""
_SELECT = f"{_FACTS} from people p {_MORE}"
_ALL = f"""{_FACTS}, w.place
  from unnest($1::text[], $2::text[]) with ordinality as w (org, person, place)
  join people p on (p.organization_id, p.id) = (w.org, w.person) {_MORE}"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token names: one person of one organisation. Nothing yet about what they may do.

    `began` is when the sign-in behind the token began, in Unix seconds; infinite where no sign-in is behind it (a worker,
    the command line), which therefore nobody can end.
    """

    organization_id: OrganizationId
    person_id: PersonId
    began: float = field(default=inf, compare=False)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `kind` is patient or team_member; an archived patient still reads (domain.md §1). `began` as of Identity."""

    organization_id: OrganizationId
    person_id: PersonId
    kind: str
    permissions: frozenset[str]
    request_id: str = field(default_factory=random_token)
    began: float = field(default=inf, compare=False)

    @property
    def is_staff(self) -> bool:
        """A team member, as opposed to a patient."""
        return self.kind == "team_member"

    def require(self, permission: str) -> None:
        """Refuse, in the permission's own words, who does not hold it. Raises Forbidden."""
        if permission not in self.permissions:
            raise Forbidden(DENIALS[permission])

    def require_staff(self) -> None:
        """Refuse patients. Raises Forbidden."""
        if not self.is_staff:
            raise Forbidden("This is for team members.")


async def load(tx: Transaction, identity: Identity) -> Actor:
    """The person behind an identity, as they are now.

    Raises:
        Unauthorized: no such person, a team member who is archived or about to be, or somebody who was signed out after this
            sign-in began.
    """
    return await find(tx.rows, identity)


async def find(rows_of: Callable[..., Awaitable[Sequence[Any]]], identity: Identity) -> Actor:
    """The same, for whoever has no transaction: by anything that runs a statement of ours, as Database.fetch does."""
    rows = await rows_of(
        f"{_SELECT} where (p.organization_id, p.id) = ($1, $2)", identity.organization_id, identity.person_id
    )
    return _actor(identity, rows)


async def find_all(
    rows_of: Callable[..., Awaitable[Sequence[Any]]], identities: Sequence[Identity]
) -> list[Actor | Unauthorized]:
    """The same for many at once, in one statement; who is nobody here is told so in their place."""
    named = ([one.organization_id for one in identities], [one.person_id for one in identities])
    found: dict[int, Any] = {row["place"]: row for row in await rows_of(_ALL, *named)}
    answers: list[Actor | Unauthorized] = []
    for place, identity in enumerate(identities, 1):
        try:
            answers.append(_actor(identity, [found[place]] if place in found else []))
        except Unauthorized as refused:
            answers.append(refused)
    return answers


def _actor(identity: Identity, rows: Sequence[Any]) -> Actor:
    if not rows or (rows[0]["kind"] == "team_member" and (rows[0]["status"] != "active" or rows[0]["pending"])):
        raise Unauthorized(UNKNOWN)
    if identity.began < (rows[0]["signed_out"] or 0):
        raise Unauthorized(UNKNOWN)
    return Actor(
        identity.organization_id,
        identity.person_id,
        rows[0]["kind"],
        frozenset(rows[0]["permissions"]),
        began=identity.began,
    )

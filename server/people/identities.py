"""Who a provider's subject is here: exactly one person of one organisation, or nobody.

A subject is linked by `warmline people link`; or, where the settings allow it, at the first sign-in by a verified email address
that belongs to exactly one person who never was linked with this issuer. Whatever does not come out at exactly one is one and
the same refusal (domain.md §1).
"""

from collections.abc import Mapping
from typing import Any

from server import audit
from server.config import Settings
from server.db import Database, Transaction, explain
from server.errors import Conflict, NotFound, Unauthorized
from server.ids import OrganizationId, PersonId, random_token
from server.locks import lock
from server.people.actors import UNKNOWN, Identity
from server.people.claims import is_name

explain(
    "identities_one_person",
    Conflict("This subject is somebody else in this organisation already. Unlink it there first."),
)

_FIND = """select organization_id, person_id from identities
 where (subject, issuer) = ($1, $2) and unlinked_at is null and ($3::text is null or organization_id = $3) limit 2"""
# Never linked with this issuer, not even formerly: who was unlinked by hand comes back by hand only.
_BY_EMAIL = """select p.organization_id, p.id as person_id from people p
 where lower(p.email) = lower($1) and ($2::text is null or p.organization_id = $2)
   and (p.kind = 'patient' or p.status = 'active')
   and not exists (select from identities i where (i.organization_id, i.person_id, i.issuer) = (p.organization_id, p.id, $3))
 limit 2"""


class Identities:
    """The look-up for one provider, as the settings have it."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def find(self, claims: Mapping[str, Any], began: float) -> Identity:
        """The person behind checked claims. Raises Unauthorized."""
        settings, subject = self._settings, claims["sub"]
        organization: str | None = settings.oidc_organization
        if settings.oidc_organization_claim is not None:
            organization = claims.get(settings.oidc_organization_claim)
            if not is_name(organization):
                raise Unauthorized(UNKNOWN)
        rows = await self._database.fetch(_FIND, subject, settings.token_issuer, organization)
        if not rows and settings.oidc_link_by_email:
            rows = await self._by_email(claims, organization)
        if len(rows) != 1:
            raise Unauthorized(UNKNOWN)
        return Identity(OrganizationId(rows[0]["organization_id"]), PersonId(rows[0]["person_id"]), began)

    async def _by_email(self, claims: Mapping[str, Any], organization: str | None) -> list[Any]:
        email = claims.get("email")
        if claims.get("email_verified") is not True or not is_name(email):
            return []
        issuer, by_email = self._settings.token_issuer, (_BY_EMAIL, email, organization, self._settings.token_issuer)
        try:
            async with self._database.transaction() as tx:
                found = await tx.rows(*by_email)
                if len(found) != 1:
                    return []
                who = OrganizationId(found[0]["organization_id"]), PersonId(found[0]["person_id"])
                await lock(tx, who[0], people=[who[1]])
                if await tx.rows(*by_email) != found:
                    return []  # somebody else was quicker
                await link(tx, *who, issuer, claims["sub"], by=who[1])
        except Conflict:
            return []
        return found


async def link(
    tx: Transaction,
    organization_id: OrganizationId,
    person_id: PersonId,
    issuer: str,
    subject: str,
    by: str | None = None,
) -> None:
    """Say that this subject is this person. `by`: who says so; None: the command line.

    Raises:
        NotFound: there is no such person.
        Conflict: the subject is somebody else in this organisation already.
    """
    await lock(tx, organization_id, people=[person_id])
    if not await tx.rows("select id from people where (organization_id, id) = ($1, $2)", organization_id, person_id):
        raise NotFound("There is no such person.")
    await tx.rows(
        """insert into identities (organization_id, person_id, issuer, subject) values ($1, $2, $3, $4)
           on conflict (subject, issuer, person_id, organization_id) do update set linked_at = now(), unlinked_at = null
            where identities.unlinked_at is not null""",
        *(organization_id, person_id, issuer, subject),
    )
    await audit.append(tx, organization_id, by, "identity.link", random_token(), {"person_id": person_id})


async def unlink(
    tx: Transaction, organization_id: OrganizationId, person_id: PersonId, issuer: str, subject: str
) -> None:
    """Say that this subject is this person no more. Raises NotFound when it was not."""
    await lock(tx, organization_id, people=[person_id])
    gone = await tx.rows(
        """update identities set unlinked_at = now()
            where (organization_id, person_id, issuer, subject) = ($1, $2, $3, $4) and unlinked_at is null
           returning true as unlinked""",
        *(organization_id, person_id, issuer, subject),
    )
    if not gone:
        raise NotFound("This person is not linked with this subject of this issuer.")
    await audit.append(tx, organization_id, None, "identity.unlink", random_token(), {"person_id": person_id})

"""`warmline people list`, `link`, `unlink`, `sign-out`: who signs in as whom, and ending what somebody has begun."""

import argparse
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from server.cli import within
from server.cli.commands import Commands

if TYPE_CHECKING:
    from server.db import Transaction
    from server.ids import OrganizationId, PersonId

_READS = f"{within.SETTINGS}. {within.BESIDE_DEV}"
_LIST = """select p.id, p.kind, p.status, coalesce(t.name, a.legal_name) as name, p.email, p.organization_id,
  (select string_agg(i.subject || ' at ' || i.issuer, ', ' order by i.linked_at) from identities i
    where (i.organization_id, i.person_id) = (p.organization_id, p.id) and i.unlinked_at is null) as linked
  from people p left join team_members t on (t.organization_id, t.id) = (p.organization_id, p.id)
  left join patients a on (a.organization_id, a.id) = (p.organization_id, p.id)
 where $1::text is null or p.organization_id = $1 order by p.organization_id, p.kind desc, name, p.id"""


def add(people: Commands) -> None:
    """Add them to `warmline people`."""
    made = people.add("list", show, "list who there is, and under which subjects they sign in", _READS, changes=False)
    made.add_argument("--organization", help="only this organisation's people, by its id")
    made = people.add("link", link, "say that a subject of the sign-in provider is this person", _READS, changes=True)
    _person_and_subject(made)
    made = people.add(
        "unlink", unlink, "say that a subject is this person no more, and sign them out", _READS, changes=True
    )
    _person_and_subject(made)
    what = "end every sign-in of a person: tokens of before are refused, connections closed within two seconds"
    made = people.add("sign-out", sign_out, what, _READS, changes=True)
    made.add_argument("person", help="the person's id")


def _person_and_subject(made: argparse.ArgumentParser) -> None:
    made.add_argument("person", help="the person's id")
    made.add_argument("subject", help="the `sub` of their tokens, as the provider knows it")
    made.add_argument("--issuer", help="of another issuer than WARMLINE_TOKEN_ISSUER")


def show(chosen: argparse.Namespace) -> None:
    """List people."""

    async def work(tx: "Transaction") -> None:
        for row in await tx.rows(_LIST, chosen.organization):
            linked = row["linked"] or "linked with no subject"
            print(f"{row['id']}  {row['kind']:<11} {row['status']:<8}  {row['name']} <{row['email']}>  {linked}")

    within.in_transaction(work)


def link(chosen: argparse.Namespace) -> None:
    """Link."""
    from server.people import identities

    async def work(tx: "Transaction", organization: "OrganizationId", person: "PersonId") -> None:
        await identities.link(tx, organization, person, _issuer(chosen), chosen.subject)

    _about(chosen, work, f"{chosen.person} signs in as {chosen.subject} of {_issuer(chosen)}")


def unlink(chosen: argparse.Namespace) -> None:
    """Unlink, and end what that subject may have begun."""
    from server.people import identities, signing_out

    async def work(tx: "Transaction", organization: "OrganizationId", person: "PersonId") -> None:
        await identities.unlink(tx, organization, person, _issuer(chosen), chosen.subject)
        await signing_out.sign_out(tx, organization, person)

    _about(chosen, work, f"{chosen.person} is {chosen.subject} of {_issuer(chosen)} no more, and signed out everywhere")


def sign_out(chosen: argparse.Namespace) -> None:
    """Sign out."""
    from server import audit
    from server.ids import random_token
    from server.people import signing_out

    async def work(tx: "Transaction", organization: "OrganizationId", person: "PersonId") -> None:
        await signing_out.sign_out(tx, organization, person)
        await audit.append(tx, organization, None, "person.sign_out", random_token(), {"person_id": person})

    _about(chosen, work, f"{chosen.person} is signed out everywhere")


def _issuer(chosen: argparse.Namespace) -> str:
    return str(chosen.issuer or within.settings().token_issuer)


def _about(
    chosen: argparse.Namespace, work: "Callable[[Transaction, OrganizationId, PersonId], Awaitable[None]]", done: str
) -> None:
    """Do something about the person named, in one transaction, and say so. Raises NotFound."""
    from server.errors import NotFound
    from server.ids import OrganizationId, PersonId

    async def whole(tx: "Transaction") -> None:
        found = await tx.rows("select organization_id from people where id = $1", chosen.person)
        if len(found) != 1:
            raise NotFound("There is no such person; `warmline people list` has their ids.")
        await work(tx, OrganizationId(found[0]["organization_id"]), PersonId(chosen.person))

    within.in_transaction(whole, chosen.dry_run)
    print(f"Would do: {done}." if chosen.dry_run else f"Done: {done}.")

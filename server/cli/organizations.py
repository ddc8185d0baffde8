"""`warmline organizations`: found one with its first administrator, who does the rest; list them."""

import argparse
import json
from typing import TYPE_CHECKING

from server.cli import within
from server.cli.commands import Commands

if TYPE_CHECKING:
    from server.db import Transaction

_READS = f"{within.SETTINGS}. {within.BESIDE_DEV}"


def add(commands: Commands) -> None:
    """Add them."""
    family = commands.family("organizations", "found an organisation with its first administrator, list them")
    what = "make an organisation: its roles, its first data key, its first patient group, and its first administrator"
    made = family.add("found", found, what, _READS, changes=True)
    made.add_argument("name", help="of the organisation, as people know it")
    made.add_argument("--administrator", required=True, metavar="NAME", help="the administrator's name")
    made.add_argument("--email", required=True, help="the administrator's email address, to sign in with")
    made = family.add("list", show, "list the organisations: id, name, when they were made", _READS, changes=False)
    made.add_argument("--json", action="store_true", help="for machines: one object per organisation")


def found(chosen: argparse.Namespace) -> None:
    """Found one."""
    from server.crypto import MasterKey
    from server.parameters import parse
    from server.people import organizations, team

    wanted = {"name": chosen.administrator, "email": chosen.email, "role": "ADMIN"}
    name = parse(organizations.Found, {"name": chosen.name}).name
    administrator = parse(team.CreateTeamMember, wanted)

    master = MasterKey.of(within.settings())

    async def run(tx: "Transaction") -> tuple[str, str]:
        organization_id = await organizations.create(tx, master, name)
        return organization_id, await team.insert(tx, organization_id, administrator)

    organization_id, person_id = within.in_transaction(run, chosen.dry_run)
    if chosen.dry_run:
        print(
            "Would make the organisation with its roles, a data key, the patient group General, and one administrator."
        )
        return
    print(f"{organization_id}  the organisation")
    print(
        f"{person_id}  its administrator: link their sign-in with `warmline people link`, or let them sign in by email"
    )


def show(chosen: argparse.Namespace) -> None:
    """List them."""

    async def run(tx: "Transaction") -> list[dict[str, str]]:
        rows = await tx.rows("select id, name, created_at from organizations order by created_at, id")
        return [{"id": row["id"], "name": row["name"], "made": row["created_at"].isoformat()} for row in rows]

    for each in within.in_transaction(run, dry_run=True):
        print(json.dumps(each) if chosen.json else f"{each['id']}  {each['made'][:10]}  {each['name']}")

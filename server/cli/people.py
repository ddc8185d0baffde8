"""`warmline people`: what operators do about people. It is recorded as an operator's: by nobody of the clinic."""

import argparse
from typing import TYPE_CHECKING

from server.cli import identities, within
from server.cli.commands import Commands

if TYPE_CHECKING:
    from server.db import Transaction

_BY_A_WORKER = "A worker (`warmline work`) carries it out."


def add(commands: Commands) -> None:
    """Add them."""
    people = commands.family("people", "say who signs in as whom, sign people out, archive team members")
    identities.add(people)
    what = "ask for a team member to be archived: signed out at once, their channels handed over or nothing done"
    reads = f"{within.SETTINGS}. {within.BESIDE_DEV} {_BY_A_WORKER}"
    made = people.add("archive", archive, what, reads, changes=True)
    made.add_argument("person", help="the team member's id")
    made.add_argument("--successor", help="the id of who becomes allocation clinician and facilitator where they were")


def archive(chosen: argparse.Namespace) -> None:
    """Preview it, or request it."""
    from server.chat import archiving
    from server.chat.archiving import ArchiveTeamMember
    from server.errors import NotFound
    from server.ids import OrganizationId
    from server.parameters import parse

    given = {"team_member_id": chosen.person, "successor_id": chosen.successor}
    params = parse(ArchiveTeamMember, given)

    async def work(tx: "Transaction") -> None:
        found = await tx.rows("select organization_id from people where id = $1", params.team_member_id)
        if not found:
            raise NotFound("There is no such team member.")
        organization_id = OrganizationId(found[0]["organization_id"])
        told = await archiving.foresee(tx, organization_id, params)
        for one in told.handovers:
            print(f"{one.channel_id}: {', '.join(one.team_member_ids)} would take over")
        for channel in told.unstaffed:
            print(f"{channel}: nobody is left to take over; it would be refused")
        charges = f"{len(told.patients)} patients and {len(told.groups)} groups"
        whose = f"go to {told.successor_id}" if told.successor_id else "would need somebody else"
        print(f"Leaves {len(told.leaves)} channels. {charges} {whose}.")
        if not chosen.dry_run:
            asked = await archiving.request(tx, organization_id, None, params)
            print(f"Asked for: {asked.id}. They are signed out. {_BY_A_WORKER}")

    within.in_transaction(work)

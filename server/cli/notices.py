"""`warmline why` and `warmline notices`: what became of a notice and why, and those that were given up."""

import argparse
from typing import TYPE_CHECKING

from server.cli import within
from server.cli.commands import Commands

if TYPE_CHECKING:
    from server.db import Transaction

_READS = f"{within.SETTINGS}. {within.BESIDE_DEV}"


def add(commands: Commands) -> None:
    """Add them."""
    does = "say why somebody was, or was not, told of a message: by push and email, when it was new and when it stood unattended"
    made = commands.add("why", why, does, _READS, changes=False)
    made.add_argument("person", help="the person's id")
    made.add_argument("message", help="the message's id")
    family = commands.family("notices", "look at pushes and emails that were given up, and have them tried after all")
    family.add("dead", dead, "list the notices that were given up", _READS, changes=False)
    made = family.add("requeue", requeue, "have dead notices decided and tried again", _READS, changes=True)
    made.add_argument("notice", nargs="+", help="ids of notices (see `warmline notices dead`)")


def why(chosen: argparse.Namespace) -> None:
    """One line per medium and cause, of each membership that the person has had in the message's channel."""
    from server.errors import NotFound
    from server.notices.why import AskWhy, explain

    async def work(tx: "Transaction") -> None:
        found = await tx.rows("select organization_id, channel_id from messages where id = $1", chosen.message)
        if not found:
            raise NotFound("There is no such message.")
        asked = AskWhy(channel_id=found[0]["channel_id"], message_id=chosen.message, skip=0, limit=200)
        members = (await explain(tx, found[0]["organization_id"], asked, chosen.person)).members
        if not members:
            raise NotFound("This person was never in the channel of that message.")
        for member in members:
            print(f"{member.member_id}{' (has left)' if member.left else ''}")
            for each in member.outcomes:
                moment = each.at or each.due_at or "-"
                print(
                    f"  {each.medium:<5}  {each.cause:<10}  {each.status:<10}  {moment:<24}  {each.why}: {each.explained}"
                )

    within.in_transaction(work)


def dead(_: argparse.Namespace) -> None:
    """List dead notices."""
    from server.notices import ledger

    async def work(tx: "Transaction") -> None:
        for row in await ledger.dead(tx):
            print(
                f"{row['id']}  {row['medium']:<6} {row['cause']:<11} {row['why']:<10} {row['attempts']:>3} attempts  "
                f"{row['settled_at']:%Y-%m-%d %H:%M:%S}  {row['person_id']}  {row['message_id']}"
            )

    within.in_transaction(work)


def requeue(chosen: argparse.Namespace) -> None:
    """Requeue dead notices."""
    from server.errors import NotFound
    from server.ids import now
    from server.notices import ledger

    async def work(tx: "Transaction") -> None:
        wanted = set(chosen.notice)
        if unknown := sorted(wanted - set(await ledger.requeue(tx, sorted(wanted), now()))):
            raise NotFound(f"{unknown[0]} is no dead notice. Nothing was changed.")
        print(f"{'Would requeue' if chosen.dry_run else 'Requeued'} {len(wanted)} notices.")

    within.in_transaction(work, chosen.dry_run)

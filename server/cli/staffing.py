"""`warmline channels backfill` and `warmline jobs`: the channels that the rules ask for, and the work that makes them."""

import argparse
from typing import TYPE_CHECKING

from server.cli import within
from server.cli.commands import Commands

if TYPE_CHECKING:
    from server.db import Transaction

_READS = f"{within.SETTINGS}. {within.BESIDE_DEV}"
_BY_A_WORKER = "A worker (`warmline work`) carries it out."


def add(commands: Commands) -> None:
    """Add them."""
    channels = commands.family("channels", "make the channels that the activation rules ask for")
    what = "apply an activation rule to the active patients who have no such channel yet"
    made = channels.add("backfill", backfill, what, f"{_READS} {_BY_A_WORKER}", changes=True)
    made.add_argument("organization", help="the organisation's id")
    made.add_argument("kind", choices=["care_team", "service_team"], help="of the channel")
    queue = commands.family("jobs", "look at work that failed for good, and have it done after all")
    queue.add("dead", dead, "list the jobs that were given up after several attempts", _READS, changes=False)
    made = queue.add("requeue", requeue, "have dead jobs done after all", f"{_READS} {_BY_A_WORKER}", changes=True)
    made.add_argument("job", nargs="+", type=int, help="numbers of jobs (see `warmline jobs dead`)")


def backfill(chosen: argparse.Namespace) -> None:
    """Say whom it touches, and begin unless it is a dry run."""
    from server.chat import activation_rules
    from server.chat.activation_rules import Backfill
    from server.errors import NotFound
    from server.ids import OrganizationId

    params = Backfill(kind=chosen.kind, dry_run=chosen.dry_run)

    async def work(tx: "Transaction") -> None:
        if not await tx.rows("select id from organizations where id = $1", chosen.organization):
            raise NotFound("There is no such organisation.")
        told = await activation_rules.apply_backfill(tx, OrganizationId(chosen.organization), params)
        for patient in told.patients:
            print(patient.id)
        would = "Would make" if chosen.dry_run else "Asked for"
        print(f"{would} the {chosen.kind} channel of {len(told.patients)} patients.")

    within.in_transaction(work)


def dead(_: argparse.Namespace) -> None:
    """List dead jobs."""
    from server import jobs

    async def work(tx: "Transaction") -> None:
        for job in await jobs.dead(tx):
            print(f"{job.id:<8} {job.entrypoint:<28} {job.created:%Y-%m-%d %H:%M:%S} {jobs.arguments(job)}")

    within.in_transaction(work)


def requeue(chosen: argparse.Namespace) -> None:
    """Requeue dead jobs."""
    from server import jobs
    from server.errors import NotFound

    async def work(tx: "Transaction") -> None:
        known = {int(job.id) for job in await jobs.dead(tx, 1000)}
        if unknown := sorted(set(chosen.job) - known):
            raise NotFound(f"No dead job has the number {unknown[0]}.")
        if not chosen.dry_run:
            await jobs.requeue(tx, chosen.job)
        print(f"{'Would requeue' if chosen.dry_run else 'Requeued'} {len(set(chosen.job))} jobs.")

    within.in_transaction(work)

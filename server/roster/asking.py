"""Asking for what a worker does about the roster: who has changed something says so here (server/roster/following.py)."""

from server import jobs
from server.db import Transaction
from server.ids import OrganizationId

JOB = "group.follow_channel"


async def ask(tx: Transaction, organization_id: OrganizationId, group_id: str) -> None:
    """Have the group's channel brought up to date, if one is to follow it. Comes last in a transaction."""
    found = await tx.rows(
        "select id from groups where (organization_id, id) = ($1, $2) and channel_follows", organization_id, group_id
    )
    if found:
        args = {"organization_id": organization_id, "group_id": group_id}
        await jobs.enqueue(tx, JOB, args, key=f"{organization_id}:{group_id}")

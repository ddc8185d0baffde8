"""Renaming, archiving and unarchiving a channel, and hiding a direct one (domain.md §2, archiving and leaving)."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from server.chat import policy
from server.chat.append import append
from server.chat.channels import InChannel, mine_to
from server.chat.memberships import tell
from server.db import Transaction
from server.errors import Conflict, NotFound
from server.ids import ChannelId
from server.locks import lock
from server.people.actors import Actor
from server.people.wording import Name

ARCHIVED = "This channel is archived and read-only. Unarchive it first."


class RenameChannel(BaseModel):
    """Give a staff or group channel another name."""

    channel_id: ChannelId
    name: Name = Field(max_length=100)


class HideChannel(BaseModel):
    """Hide a direct channel from your list until something new is written there, or show it again."""

    channel_id: ChannelId
    hidden: bool = True


class ChannelState(BaseModel):
    """How the channel stands now."""

    channel_id: ChannelId
    name: str | None
    status: Literal["active", "archived"]
    hidden: bool = False


async def rename(tx: Transaction, actor: Actor, params: RenameChannel) -> ChannelState:
    """Rename a channel. Raises NotFound, Forbidden (see policy.RULES), Conflict where it is archived."""
    await lock(tx, actor.organization_id, channels=[params.channel_id])
    channel = await mine_to("rename", tx, actor, params.channel_id)
    if channel["status"] == "archived":
        raise Conflict(ARCHIVED)
    if channel["name"] != params.name:
        await tx.rows(
            "update channels set name = $3 where (organization_id, id) = ($1, $2)",
            *(actor.organization_id, params.channel_id, params.name),
        )
        await append(tx, actor.organization_id, params.channel_id, "renamed", {"by": channel["member_id"]})
        await _tell_members(tx, actor, params.channel_id)
    return ChannelState(channel_id=params.channel_id, name=params.name, status=channel["status"])


async def archive(tx: Transaction, actor: Actor, params: InChannel) -> ChannelState:
    """Archive a channel for everybody in it: read-only from here on. Raises NotFound, Forbidden (see policy.RULES)."""
    await lock(tx, actor.organization_id, channels=[params.channel_id])
    channel = await mine_to("archive", tx, actor, params.channel_id)
    return await _set_status(tx, actor, channel, "archived")


async def unarchive(tx: Transaction, actor: Actor, params: InChannel) -> ChannelState:
    """Open an archived channel again: a team member of it, or with messaging.manage without being one.

    Raises:
        NotFound, Forbidden: see policy.RULES.
        Conflict: it is an archived patient's care-team or service-team channel, which comes back with them.
    """
    await lock(tx, actor.organization_id, channels=[params.channel_id])
    try:
        channel = await mine_to("unarchive", tx, actor, params.channel_id)
    except NotFound:
        channel = await _managed(tx, actor, params.channel_id)
    gone = await tx.rows(
        """select id from people where (organization_id, id) = ($1, $2) and status = 'archived'""",
        actor.organization_id,
        channel["patient_id"],
    )
    if gone and channel["kind"] in ("care_team", "service_team"):
        raise Conflict("The patient is archived. Unarchive the patient: their channels come back with them.")
    return await _set_status(tx, actor, channel, "active")


async def hide(tx: Transaction, actor: Actor, params: HideChannel) -> ChannelState:
    """Hide a direct channel, for the actor alone. Raises NotFound; Forbidden for the other kinds."""
    channel = await mine_to("hide", tx, actor, params.channel_id)
    await tx.rows(
        "update memberships set hidden_offset = $3 where (organization_id, id) = ($1, $2)",
        *(actor.organization_id, channel["member_id"], channel["top_offset"] if params.hidden else None),
    )
    tell(tx, actor.organization_id, params.channel_id, actor.person_id)
    return ChannelState(channel_id=params.channel_id, name=None, status=channel["status"], hidden=params.hidden)


async def _managed(tx: Transaction, actor: Actor, channel_id: ChannelId) -> dict[str, Any]:
    """An archived channel, for somebody who is not in it but manages messaging; they learn nothing else of it."""
    rows = await tx.rows(
        """select id, kind, null as name, status, patient_id, null as member_id from channels
            where (organization_id, id) = ($1, $2) and status = 'archived'""",
        actor.organization_id,
        channel_id,
    )
    outsider = policy.Standing(False, actor.is_staff, "messaging.manage" in actor.permissions)
    if not rows:
        raise NotFound(policy.NOT_FOUND)
    if refused := policy.refusal("unarchive", rows[0]["kind"], outsider):
        raise refused
    tx.concerns(channel_id=channel_id, patient_id=rows[0]["patient_id"])
    return rows[0]


async def _set_status(
    tx: Transaction, actor: Actor, channel: dict[str, Any], status: Literal["active", "archived"]
) -> ChannelState:
    """Write the status and the event that says so; where it stands so already, nothing happens."""
    channel_id = ChannelId(channel["id"])
    if channel["status"] != status:
        await tx.rows(
            "update channels set status = $3 where (organization_id, id) = ($1, $2)",
            *(actor.organization_id, channel_id, status),
        )
        by = {"by": channel["member_id"]} if channel["member_id"] else {"person": actor.person_id}
        kind = "archived" if status == "archived" else "unarchived"
        await append(tx, actor.organization_id, channel_id, kind, by)
    return ChannelState(channel_id=channel_id, name=channel["name"], status=status)


async def _tell_members(tx: Transaction, actor: Actor, channel_id: ChannelId) -> None:
    """Have every member's connections look at the channel again: its name is no part of any event."""
    rows = await tx.rows(
        "select person_id from memberships where (organization_id, channel_id) = ($1, $2) and left_at is null",
        actor.organization_id,
        channel_id,
    )
    for row in rows:
        tell(tx, actor.organization_id, channel_id, row["person_id"])

"""Archiving a team member: what it would change, the request, and the worker's part that carries it out (domain.md §2).

From the request on the person is signed out and can be added nowhere, and still counts as staff. Then, in one transaction,
all of what was planned happens, or nothing: where the situation has moved since, the request is refused and says so.
"""

from typing import Any

from pydantic import BaseModel, Field

from server import audit, jobs
from server.chat import situation, staffing
from server.chat.participation import Plan, plan_archiving
from server.db import Transaction
from server.errors import Conflict, TooMany
from server.ids import ArchivingId, ChannelId, OrganizationId, PatientId, PersonId, TeamMemberId
from server.locks import lock
from server.people import archivings
from server.people.actors import Actor
from server.people.archivings import ArchivingShape
from server.people.roles import require_somebody_manages

JOB = "team_member.archive"
MOVED = "The situation has changed since the preview. Look at a new one, and ask again."

FAILED = (
    "It failed again and again, and nothing was changed. Ask your operator to look at the log, then ask for it again."
)


class PreviewArchiving(BaseModel):
    """What archiving a team member would change."""

    team_member_id: TeamMemberId
    successor_id: PersonId | None = Field(
        None, description="A team member, who becomes allocation clinician and facilitator where they were"
    )


class ArchiveTeamMember(PreviewArchiving):
    """Archive a team member."""

    preview: str | None = Field(
        None, max_length=40, description="That of a preview: if anything else would change by now, nothing does"
    )


class Handover(BaseModel):
    """A channel that would be left without staff, and who would be added."""

    channel_id: ChannelId
    team_member_ids: list[TeamMemberId]


class ArchivingPreview(BaseModel):
    """What would change. Where `unstaffed` names any channel, there is nobody left for it, and archiving is refused.

    `patients` and `groups` are those whose allocation clinician or facilitator leaves: the successor's, or, without one, in
    need of reassignment.
    """

    preview: str
    leaves: list[ChannelId]
    handovers: list[Handover]
    unstaffed: list[ChannelId]
    patients: list[PatientId]
    groups: list[ChannelId]
    successor_id: PersonId | None


async def preview(tx: Transaction, actor: Actor, params: PreviewArchiving) -> ArchivingPreview:
    """What archiving a team member would change. Raises as `archive`, but for what would leave a channel unstaffed."""
    return await foresee(tx, actor.organization_id, params)


async def foresee(tx: Transaction, organization_id: OrganizationId, params: PreviewArchiving) -> ArchivingPreview:
    """The same, for whoever may."""
    await archivings.require_archivable(tx, organization_id, params.team_member_id, params.successor_id)
    plan = await _plan(tx, organization_id, params.team_member_id, params.successor_id)
    handovers: dict[str, list[TeamMemberId]] = {}
    for join in plan.joins:
        handovers.setdefault(join.channel, []).append(TeamMemberId(join.person))
    return ArchivingPreview(
        preview=plan.digest(),
        leaves=await _not_direct(tx, organization_id, [channel for channel, _ in plan.ends]),
        handovers=[Handover(channel_id=ChannelId(id), team_member_ids=team) for id, team in handovers.items()],
        unstaffed=[ChannelId(channel) for channel in plan.unstaffed],
        patients=[PatientId(patient) for patient in plan.patients],
        groups=[ChannelId(channel) for channel in plan.facilitated],
        successor_id=params.successor_id,
    )


async def _not_direct(tx: Transaction, organization_id: OrganizationId, channels: list[str]) -> list[ChannelId]:
    """A direct channel is visible to its members alone (domain.md §2); and nothing there has to be handed over."""
    rows = await tx.rows(
        "select id from channels where organization_id = $1 and id = any ($2) and kind <> 'direct' order by id",
        organization_id,
        channels,
    )
    return [ChannelId(row["id"]) for row in rows]


async def archive(tx: Transaction, actor: Actor, params: ArchiveTeamMember) -> ArchivingShape:
    """Ask for a team member to be archived. They are signed out at once; a worker does the rest, or refuses.

    Raises:
        NotFound: no such team member. Invalid: the successor is nobody here, or the same person.
        Conflict: they are archived already, or are being; the successor is; nobody would be left who manages the team, or a
            channel without staff; or the situation has changed since the preview.
    """
    return await request(tx, actor.organization_id, actor.person_id, params)


async def request(
    tx: Transaction, organization_id: OrganizationId, requested_by: PersonId | None, params: ArchiveTeamMember
) -> ArchivingShape:
    """The same, for whoever may. `requested_by` is None for an operator at the command line."""
    person, successor = params.team_member_id, params.successor_id
    await lock(tx, organization_id, people=[person, *([successor] if successor else [])])
    await archivings.require_archivable(tx, organization_id, person, successor)
    await require_somebody_manages(tx, organization_id, person)
    plan = await _plan(tx, organization_id, person, successor)
    if plan.unstaffed:
        raise Conflict(_nobody_left(plan))
    if params.preview is not None and params.preview != plan.digest():
        raise Conflict(MOVED)
    made = await archivings.insert(tx, organization_id, person, successor, requested_by, plan.digest())
    args = {"organization_id": organization_id, "archiving_id": made.id}
    await jobs.enqueue(tx, JOB, args, key=made.id)
    return made


async def carry_out(tx: Transaction, args: dict[str, Any]) -> None:
    """The worker's part: everything that was planned, or nothing and a refusal that says why."""
    organization_id = OrganizationId(args["organization_id"])
    asked = await archivings.find(tx, organization_id, ArchivingId(args["archiving_id"]))
    person, successor = asked["person_id"], asked["successor_id"]
    expected = await _plan(tx, organization_id, person, successor)
    locked = {person, *expected.people}
    await lock(tx, organization_id, people=locked, channels=expected.channels)
    asked = await archivings.find(tx, organization_id, ArchivingId(args["archiving_id"]))
    if asked["status"] != "pending":
        return
    plan = await _plan(tx, organization_id, person, successor)
    if plan.unstaffed:
        await _refuse(tx, asked, _nobody_left(plan))
    elif plan.digest() != asked["preview"] or not await archivings.may_follow(tx, organization_id, successor):
        await _refuse(tx, asked, MOVED)
    elif not (plan.people <= locked and plan.channels <= expected.channels):
        raise TooMany("It moved while the locks were taken. Try again.")  # and moved back: the job comes again
    else:
        await _do(tx, asked, plan)


async def give_up(tx: Transaction, args: dict[str, Any]) -> None:
    """Where the worker's part fails again and again: refused, so that nobody stays signed out for a request that nobody does."""
    organization_id = OrganizationId(args["organization_id"])
    asked = await archivings.find(tx, organization_id, ArchivingId(args["archiving_id"]))
    await lock(tx, organization_id, people=[asked["person_id"]])
    asked = await archivings.find(tx, organization_id, ArchivingId(args["archiving_id"]))
    if asked["status"] == "pending":
        await _refuse(tx, asked, FAILED)


async def _plan(tx: Transaction, organization_id: OrganizationId, person: str, successor: str | None) -> Plan:
    places = await situation.leaving(tx, organization_id, person)
    others = [named for place in places for named in (place.clinician, place.facilitator)]
    team = await situation.team(tx, organization_id, [*others, successor])
    patients, groups = await archivings.charges(tx, organization_id, person)
    return plan_archiving(person, successor, places, team, patients, groups)


async def _do(tx: Transaction, asked: dict[str, Any], plan: Plan) -> None:
    """Archive the person, pass on their charges, hand over their channels; one entry per channel in the access log."""
    organization_id = OrganizationId(asked["organization_id"])
    await archivings.settle(tx, asked, None)
    if plan.successor is not None:
        await archivings.pass_on(tx, organization_id, asked["person_id"], plan.successor)
    await staffing.apply(tx, organization_id, plan.joins, plan.ends)
    await staffing.record(tx, organization_id, asked["requested_by"], asked["id"], plan.joins, archiving_id=asked["id"])
    facts = {
        "archiving_id": asked["id"], "team_member_id": asked["person_id"], "successor_id": plan.successor,
        "left": len(plan.ends), "handed_over": len({join.channel for join in plan.joins}), "patients": len(plan.patients),
    }  # fmt: skip
    await audit.append(tx, organization_id, asked["requested_by"], "team_member.archived", asked["id"], facts)


async def _refuse(tx: Transaction, asked: dict[str, Any], why: str) -> None:
    await archivings.settle(tx, asked, why)
    facts = {"archiving_id": asked["id"], "team_member_id": asked["person_id"]}
    organization_id = OrganizationId(asked["organization_id"])
    await audit.append(tx, organization_id, asked["requested_by"], "team_member.archive_refused", asked["id"], facts)


def _nobody_left(plan: Plan) -> str:
    return (
        "Nobody is left who could take over these channels: "
        + ", ".join(plan.unstaffed)
        + ". Name a successor, or somebody for the activation rule, the patient group or the safety net, or add a colleague."
    )

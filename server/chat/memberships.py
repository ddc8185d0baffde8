"""Memberships: adding somebody to a channel, and ending a membership. Both are events in the channel's own log."""

from collections.abc import Sequence

from pydantic import BaseModel
from sqlalchemy import update

from server import events
from server.chat.append import append
from server.chat.channels import mine, require
from server.chat.models import Membership
from server.chat.names import require_distinct
from server.db import Transaction, explain
from server.errors import Conflict, Invalid, NotFound
from server.events import Event
from server.ids import ChannelId, MembershipId, OrganizationId, PersonId
from server.locks import lock
from server.people.actors import Actor

explain(
    "patient_channel_has_staff",
    Conflict(
        "A channel with a patient in it needs at least one active team member. Add a colleague first, then do this again."
    ),
)
explain("memberships_once_at_a_time", Conflict("This person is in the channel already."))


class AddMember(BaseModel):
    """Add somebody to a channel."""

    channel_id: ChannelId
    person_id: PersonId


class Added(BaseModel):
    """Their new membership, and where in the log it begins."""

    member_id: MembershipId
    offset: int


class RemoveMember(BaseModel):
    """End a membership: somebody else's, or one's own, which is leaving."""

    channel_id: ChannelId
    member_id: MembershipId


class Removed(BaseModel):
    """Where in the log it ended: nothing from there on reaches them."""

    offset: int


async def add(tx: Transaction, actor: Actor, params: AddMember) -> Added:
    """Add a person to a channel that the actor is in.

    A team member sees the whole history; a patient, what comes from now on (domain.md §2, what one sees).

    Raises:
        NotFound: not the actor's channel.
        Forbidden: this kind of channel takes nobody else, or takes a permission.
        Invalid: no such person. Conflict: archived, or in the channel already.
    """
    await lock(tx, actor.organization_id, people=[params.person_id], channels=[params.channel_id])
    channel = await mine(tx, actor, params.channel_id)
    patient = params.person_id.startswith("pa_")
    actor.require_staff()
    require("add_patient" if patient else "add", channel, actor)
    await require_active(tx, actor.organization_id, [params.person_id], "person_id")
    if patient:
        tx.concerns(patient_id=params.person_id)
        await require_distinct(tx, actor.organization_id, params.channel_id, [params.person_id])
    membership_id = MembershipId.new()
    facts = {"opens": [membership_id], "by": channel["member_id"]}
    event = await append(tx, actor.organization_id, params.channel_id, "joined", facts)
    floor = event.offset if patient else 1
    join(tx, event, channel["kind"], params.person_id, membership_id, visible_from=floor, source="manual")
    await tx.session.flush()
    return Added(member_id=membership_id, offset=event.offset)


async def remove(tx: Transaction, actor: Actor, params: RemoveMember) -> Removed:
    """End a membership in a channel that the actor is in.

    Raises:
        NotFound: not the actor's channel, or nobody of that id is in it now.
        Forbidden: domain.md §2 says who may remove whom.
        Conflict: the last active team member of a channel with a patient in it.
    """
    await lock(tx, actor.organization_id, channels=[params.channel_id])
    channel = await mine(tx, actor, params.channel_id)
    rows = await tx.rows(
        """select person_id, person_kind from memberships
            where (organization_id, channel_id, id) = ($1, $2, $3) and left_at is null""",
        actor.organization_id,
        params.channel_id,
        params.member_id,
    )
    if not rows:
        raise NotFound("There is no such member in this channel.")
    if rows[0]["person_kind"] == "patient":
        tx.concerns(patient_id=rows[0]["person_id"])
    if rows[0]["person_id"] == actor.person_id:
        require("leave", channel, actor)
    else:
        require("remove_patient" if rows[0]["person_kind"] == "patient" else "remove", channel, actor)
    facts = {"ends": [params.member_id], "by": channel["member_id"]}
    event = await append(tx, actor.organization_id, params.channel_id, "left", facts)
    await end(tx, event, params.member_id)
    tell(tx, actor.organization_id, params.channel_id, rows[0]["person_id"])
    return Removed(offset=event.offset)


async def require_active(
    tx: Transaction, organization_id: OrganizationId, people: Sequence[str], field: str = "person_ids"
) -> None:
    """Refuse whoever can be added nowhere; the people are locked. Raises Invalid, Conflict, naming the parameter."""
    rows = await tx.rows(
        "select id, status from people where organization_id = $1 and id = any ($2)", organization_id, list(people)
    )
    if len(rows) < len(set(people)):
        raise Invalid(f"{field}: there is no such {'person' if field.startswith('person') else 'team member'}.")
    if any(row["status"] != "active" for row in rows):
        raise Conflict("An archived person cannot join a channel. Unarchive them first, or name somebody else.")


def join(
    tx: Transaction,
    event: Event,
    channel_kind: str,
    person_id: str,
    membership_id: MembershipId,
    *,
    visible_from: int,
    source: str,
    read_offset: int | None = None,
) -> None:
    """Write a membership that an event opens, and tell the person's connections.

    Args:
        visible_from: the floor: the first offset they see.
        source: rule, manual, fallback or roster.
        read_offset: the read mark, for whoever takes over from somebody; otherwise it stands at the event itself.
    """
    tx.session.add(
        Membership(
            organization_id=OrganizationId(event.organization_id),
            id=membership_id,
            channel_id=ChannelId(event.channel_id),
            channel_kind=channel_kind,
            person_id=PersonId(person_id),
            person_kind="patient" if person_id.startswith("pa_") else "team_member",
            source=source,
            visible_from=visible_from,
            read_offset=event.offset if read_offset is None else read_offset,
            joined_offset=event.offset,
            joined_at=event.at,
        )
    )
    tell(tx, event.organization_id, event.channel_id, person_id)


def tell(tx: Transaction, organization_id: str, channel_id: str, person_id: str) -> None:
    """Have all connections of a person look at one of their channels again, once this is committed."""
    tx.announce(events.person_topic(organization_id, person_id), f"{organization_id}:{channel_id}".encode())


async def end(tx: Transaction, event: Event, membership_id: str) -> None:
    """End a membership where an event says so."""
    await tx.session.execute(
        update(Membership)
        .where(Membership.organization_id == event.organization_id, Membership.id == membership_id)  # type: ignore[arg-type]
        .values(left_offset=event.offset, left_at=event.at)
    )

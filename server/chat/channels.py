"""Channels: activate a care-team channel, my channels with what is unread, and who is in one."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel, Field
from sqlalchemy import update

from server import events
from server.chat.append import append
from server.chat.batcher import NOT_FOUND
from server.chat.models import Channel, Membership
from server.chat.policy import Kind, PersonKind
from server.chat.shapes import when
from server.db import Transaction
from server.errors import Conflict, Invalid, NotFound
from server.events import Event
from server.ids import ChannelId, MembershipId, OrganizationId, PatientId, PersonId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.team import Nothing

MOST_UNREAD = 100
"""Counts stop here: pages show it as "99+"."""


class Activate(BaseModel):
    """Activate a patient's care-team channel."""

    patient_id: PatientId
    team_member_ids: list[TeamMemberId] = Field([], max_length=100, description="Who joins; you, if nobody is named")


class Activated(BaseModel):
    """What came of it. Activating a channel that exists joins nobody (domain.md §2); its id is for its members."""

    created: bool
    channel_id: ChannelId | None


class OfPatient(BaseModel):
    """The patient a channel is about, for staff: the real name beside the display name."""

    id: PatientId
    name: str
    display_name: str | None


class ChannelShape(BaseModel):
    """One of my channels. `unread` counts others' messages after my read mark, up to 100, which means more than 99."""

    id: ChannelId
    kind: Kind
    name: str | None
    status: Literal["active", "archived"]
    member_id: MembershipId
    top: int
    read_offset: int
    unread: int
    last_at: str | None
    patient: OfPatient | None


class Channels(BaseModel):
    """All my channels."""

    channels: list[ChannelShape]


class InChannel(BaseModel):
    """A channel."""

    channel_id: ChannelId


class MemberShape(BaseModel):
    """Somebody in a channel, now or once. What is None for patients is for staff alone."""

    id: MembershipId
    kind: PersonKind
    name: str
    active: bool
    me: bool
    real_name: str | None = None
    role: str | None = None
    person_id: PersonId | None = None
    read_offset: int | None = None


class Directory(BaseModel):
    """Who is and was in a channel, as the actor may know them; and how far the team has read."""

    members: list[MemberShape]
    seen_offset: int


class Fetches(Protocol):
    """Anything that runs a statement of ours."""

    async def __call__(self, query: str, /, *args: Any) -> Sequence[Any]: ...


# What a member sees of a channel from outside, for any number of (organisation, person, channel); a null channel: all.
_SUMMARIES = """
select w.person, c.id, c.kind, c.name, c.status, m.id as member_id, c.top_offset as top, m.read_offset, m.person_kind,
       (select count(*) from (select from events e
          join messages x on (x.id, x.channel_id, x.organization_id) = (e.message_id, e.channel_id, e.organization_id)
         where (e.organization_id, e.channel_id) = (c.organization_id, c.id) and e.log_offset > m.read_offset
           and e.kind = 'message' and x.author_person_id <> m.person_id and x.deleted_at is null limit 100) u) as unread,
       (select e.created_at from events e where (e.organization_id, e.channel_id) = (c.organization_id, c.id)
           and e.log_offset >= m.visible_from and e.kind = 'message' order by e.log_offset desc limit 1) as last_at,
       a.id as patient_id, coalesce(a.preferred_name, a.legal_name) as patient_name, a.display_name
  from unnest($1::text[], $2::text[], $3::text[]) as w (org, person, channel)
  join memberships m on (m.organization_id, m.person_id) = (w.org, w.person) and m.left_at is null
    and (w.channel is null or m.channel_id = w.channel)
  join channels c on (c.organization_id, c.id) = (m.organization_id, m.channel_id)
  left join patients a on (a.organization_id, a.id) = (c.organization_id, c.patient_id)"""

_DIRECTORY = """
select m.id, m.person_kind as kind, m.person_id, m.left_at is null as active, m.read_offset, t.name as team_name, t.role,
       a.display_name, coalesce(a.preferred_name, a.legal_name) as real_name
  from memberships m
  left join team_members t on (t.organization_id, t.id) = (m.organization_id, m.person_id)
  left join patients a on (a.organization_id, a.id) = (m.organization_id, m.person_id)
 where (m.organization_id, m.channel_id) = ($1, $2) and (m.left_offset is null or m.left_offset >= $3)
 order by m.joined_offset, m.id"""


async def mine(tx: Transaction, actor: Actor, channel_id: ChannelId) -> dict[str, Any]:
    """The channel and my place in it: the only way to a channel, so that what is not mine is not found.

    Raises:
        NotFound: no such channel, or not a member: nobody can tell which (domain.md §2).
    """
    rows = await tx.rows(
        """select c.id, c.kind, c.status, c.top_offset, c.patient_id, m.id as member_id, m.visible_from, m.read_offset
             from channels c join memberships m on (m.organization_id, m.channel_id) = (c.organization_id, c.id)
            where (c.organization_id, c.id, m.person_id) = ($1, $2, $3) and m.left_at is null""",
        actor.organization_id,
        channel_id,
        actor.person_id,
    )
    if not rows:
        raise NotFound(NOT_FOUND)
    tx.concerns(channel_id=channel_id, patient_id=rows[0]["patient_id"])
    return rows[0]


async def summaries(fetch: Fetches, wanted: Sequence[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    """The channels of people, each as that person may see it, in one statement.

    Args:
        wanted: (organisation, person, channel), or None for all channels of the person.

    Returns:
        Shapes as of ChannelShape, and the `person` each is for; nothing where there is no membership.
    """
    rows = await fetch(_SUMMARIES, *(list(column) for column in zip(*wanted, strict=True)))
    found = []
    for row in rows:
        shape = {
            name: row[name]
            for name in ("person", "id", "kind", "name", "status", "member_id", "top", "read_offset", "unread")
        }
        shape["last_at"] = when(row["last_at"]) if row["last_at"] else None
        about = row["person_kind"] == "team_member" and row["patient_id"]
        shape["patient"] = (
            {"id": row["patient_id"], "name": row["patient_name"], "display_name": row["display_name"]}
            if about
            else None
        )
        found.append(shape)
    return found


async def list_mine(tx: Transaction, actor: Actor, _params: Nothing) -> Channels:
    """My channels, the latest written first."""
    found = await summaries(tx.rows, [(actor.organization_id, actor.person_id, None)])
    found.sort(key=lambda shape: (shape["last_at"] or "", shape["id"]), reverse=True)
    return Channels(channels=[ChannelShape.model_validate(shape) for shape in found])


async def directory(tx: Transaction, actor: Actor, params: InChannel) -> Directory:
    """Who is in a channel and who was, as far back as the actor sees. Raises NotFound."""
    channel = await mine(tx, actor, params.channel_id)
    # Staff know everybody who ever was here; a patient, only who was here while they could see it.
    floor = 1 if actor.is_staff else channel["visible_from"]
    rows = await tx.rows(_DIRECTORY, actor.organization_id, params.channel_id, floor)
    team = [row["read_offset"] for row in rows if row["active"] and row["kind"] == "team_member"]
    return Directory(members=[_member(row, actor) for row in rows], seen_offset=max(team, default=0))


def _member(row: dict[str, Any], actor: Actor) -> MemberShape:
    """One member, in the shape of the actor's audience (domain.md §1, names shown)."""
    me = row["person_id"] == actor.person_id
    real = row["real_name"]
    shown = row["team_name"] or row["display_name"] or (real if me or actor.is_staff else "Group member")
    shape = MemberShape(id=row["id"], kind=row["kind"], name=shown, active=row["active"], me=me)
    if not actor.is_staff:
        return shape
    return shape.model_copy(
        update={
            "real_name": real,
            "role": row["role"],
            "person_id": row["person_id"],
            "read_offset": row["read_offset"],
        }
    )


async def activate(tx: Transaction, actor: Actor, params: Activate) -> Activated:
    """Open a patient's care-team channel for them and the team members named.

    Raises:
        NotFound: no such patient.
        Invalid: somebody named is no team member here.
        Conflict: the patient or somebody named is archived.
    """
    team = sorted(set(params.team_member_ids) or {TeamMemberId(actor.person_id)})
    await lock(tx, actor.organization_id, people=[params.patient_id, *team])
    status = await _statuses(tx, actor.organization_id, [params.patient_id, *team])
    if params.patient_id not in status:
        raise NotFound("There is no such patient.")
    tx.concerns(patient_id=params.patient_id)
    existing = await tx.rows(
        """select c.id, m.id as member_id
             from channels c left join memberships m
               on (m.organization_id, m.channel_id) = (c.organization_id, c.id) and m.person_id = $3 and m.left_at is null
            where (c.organization_id, c.patient_id) = ($1, $2) and c.kind = 'care_team'""",
        actor.organization_id,
        params.patient_id,
        actor.person_id,
    )
    if existing:
        return Activated(created=False, channel_id=existing[0]["id"] if existing[0]["member_id"] else None)
    if any(member not in status for member in team):
        raise Invalid("team_member_ids: there is no such team member.")
    if any(status[person] != "active" for person in [params.patient_id, *team]):
        raise Conflict("An archived person cannot join a channel. Unarchive them first, or name somebody else.")
    return Activated(created=True, channel_id=await _open(tx, actor, params.patient_id, team))


async def _statuses(tx: Transaction, organization_id: OrganizationId, people: Sequence[str]) -> dict[str, str]:
    rows = await tx.rows(
        "select id, status from people where organization_id = $1 and id = any ($2)", organization_id, list(people)
    )
    return {row["id"]: row["status"] for row in rows}


async def _open(tx: Transaction, actor: Actor, patient_id: PatientId, team: Sequence[TeamMemberId]) -> ChannelId:
    channel = Channel(
        organization_id=actor.organization_id, id=ChannelId.new(), kind="care_team", patient_id=patient_id
    )
    tx.session.add(channel)
    await tx.session.flush()
    ids = {person: MembershipId.new() for person in (patient_id, *team)}
    by = {"by": ids[TeamMemberId(actor.person_id)]} if actor.person_id in ids else {}
    event = await append(tx, actor.organization_id, channel.id, "opened", {"opens": list(ids.values())} | by)
    for person, membership_id in ids.items():
        join(tx, event, "care_team", person, membership_id, visible_from=1, source="manual")
    await tx.session.flush()
    tx.concerns(channel_id=channel.id)
    return channel.id


def join(
    tx: Transaction,
    event: Event,
    channel_kind: str,
    person_id: str,
    membership_id: MembershipId,
    *,
    visible_from: int,
    source: str,
) -> None:
    """Write a membership that an event opens, and tell the person's connections."""
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
            read_offset=event.offset,
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

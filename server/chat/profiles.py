"""How a patient is shown: a display name and a picture on their profile, and others in a channel where they wish so.

Whoever uses another name and another picture in each of their groups cannot be recognised from one in the other.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from server import events
from server.chat import policy
from server.chat.channels import mine
from server.chat.names import others_names, staff_names
from server.db import Transaction
from server.errors import Conflict, Forbidden, Invalid
from server.events import Event
from server.ids import ChannelId, OrganizationId, PatientId, now
from server.locks import lock
from server.people import naming, patients
from server.people.actors import Actor
from server.people.team import Nothing
from server.people.wording import DisplayName

STAFF = "Team members are shown by their own names. An administrator can change them."


class UpdateProfile(BaseModel):
    """Choose the name that you are shown by, or none: then other patients see "Group member"."""

    display_name: DisplayName | None = Field(
        description=f"1–{naming.LONGEST} characters; not somebody else's name", examples=["Bluebird"]
    )


class ShowPatientAs(BaseModel):
    """Choose for a patient the name that they are shown by, or none: then other patients see "Group member"."""

    patient_id: PatientId
    display_name: DisplayName | None = Field(
        description=f"1–{naming.LONGEST} characters; not somebody else's name", examples=["Bluebird"]
    )


class UpdateChannelProfile(BaseModel):
    """Choose how you are shown in one channel alone. What is left out or null is as on your profile."""

    channel_id: ChannelId
    display_name: DisplayName | None = Field(
        None, description=f"1–{naming.LONGEST} characters; not somebody else's name"
    )
    picture: Literal["default", "own", "none"] = Field(
        "default", description='"own": the one you have given for this channel'
    )


class ChannelProfileShape(BaseModel):
    """How you are shown in one channel, where it differs from your profile."""

    channel_id: ChannelId
    display_name: str | None
    picture: Literal["default", "own", "none"]


class Profile(BaseModel):
    """How you are shown to other patients."""

    display_name: str | None
    has_picture: bool
    channels: list[ChannelProfileShape]


async def get(tx: Transaction, actor: Actor, _params: Nothing) -> Profile:
    """The actor's own profile; there is none where team members are concerned: they are shown by their own names."""
    rows = await tx.rows(
        "select display_name, picture_id is not null as has_picture from patients where (organization_id, id) = ($1, $2)",
        *(actor.organization_id, actor.person_id),
    )
    channels = await tx.rows(
        """select channel_id, display_name, picture from channel_profiles
            where (organization_id, person_id) = ($1, $2) and (display_name is not null or picture <> 'default')
            order by channel_id""",
        *(actor.organization_id, actor.person_id),
    )
    row = rows[0] if rows else {"display_name": None, "has_picture": False}
    return Profile(**row, channels=[ChannelProfileShape(**one) for one in channels])


async def update(tx: Transaction, actor: Actor, params: UpdateProfile) -> Profile:
    """Set or clear the actor's display name.

    Raises:
        Forbidden: team members; archived patients. Invalid: the name holds what it must not.
        Conflict: it could be taken for a team member's, or for another patient's in a channel of the actor's.
    """
    require_patient(actor)
    tx.concerns(patient_id=actor.person_id)
    await set_display_name(tx, actor.organization_id, actor.person_id, params.display_name)
    return await get(tx, actor, Nothing())


async def show_patient_as(tx: Transaction, actor: Actor, params: ShowPatientAs) -> patients.PatientShape:
    """Set or clear a patient's display name, for them: the *Profile* tab of their page (domain.md §1).

    Raises:
        NotFound: no such patient. Forbidden: they are archived. Invalid, Conflict: as `update`.
    """
    named = patients.GetPatient(patient_id=params.patient_id)
    await patients.get(tx, actor, named)
    await set_display_name(tx, actor.organization_id, params.patient_id, params.display_name)
    return await patients.get(tx, actor, named)


async def set_display_name(
    tx: Transaction, organization_id: OrganizationId, person_id: str, display_name: str | None
) -> None:
    """Set or clear a patient's display name, under the rules of `update`: for themselves, or by staff."""
    await lock(
        tx, organization_id, people=[person_id]
    )  # whoever is added somewhere is locked: so the channels stay these
    await require_active(tx, organization_id, person_id)
    channels = await shown_by_default(tx, organization_id, person_id)
    await lock(tx, organization_id, channels=channels)
    name = await fitting(tx, organization_id, channels, person_id, display_name)
    await tx.rows(
        "update patients set display_name = $3 where (organization_id, id) = ($1, $2)",
        *(organization_id, person_id, name),
    )
    await announce(tx, organization_id, channels, person_id)


async def update_in_channel(tx: Transaction, actor: Actor, params: UpdateChannelProfile) -> ChannelProfileShape:
    """Set or clear how the actor is shown in one channel. Raises what update raises; NotFound: not the actor's channel."""
    await lock(tx, actor.organization_id, people=[actor.person_id], channels=[params.channel_id])
    await mine(tx, actor, params.channel_id)
    require_patient(actor)
    tx.concerns(patient_id=actor.person_id)
    await require_active(tx, actor.organization_id, actor.person_id)
    name = await fitting(tx, actor.organization_id, [params.channel_id], actor.person_id, params.display_name)
    place = (actor.organization_id, params.channel_id, actor.person_id)
    [before] = await tx.rows(
        """select p.picture_id, p.display_name, a.display_name as default_name from patients a left join channel_profiles p
               on (p.organization_id, p.channel_id, p.person_id) = (a.organization_id, $2, a.id)
            where (a.organization_id, a.id) = ($1, $3)""",
        *place,
    )
    if name is None and before["display_name"] is not None:  # the profile's name is seen here from now on
        await fitting(tx, actor.organization_id, [params.channel_id], actor.person_id, before["default_name"])
    if params.picture == "own" and before["picture_id"] is None:
        raise Invalid("picture: you have given none for this channel. Upload one for it first.")
    await tx.rows(
        """insert into channel_profiles (organization_id, channel_id, person_id, display_name, picture, picture_id)
           values ($1, $2, $3, $4, $5, $6) on conflict (person_id, channel_id, organization_id)
           do update set display_name = excluded.display_name, picture = excluded.picture, picture_id = excluded.picture_id""",
        *(*place, name, params.picture, before["picture_id"] if params.picture == "own" else None),
    )
    await announce(tx, actor.organization_id, [params.channel_id], actor.person_id)
    return ChannelProfileShape(channel_id=params.channel_id, display_name=name, picture=params.picture)


async def fitting(
    tx: Transaction, organization_id: OrganizationId, channels: Sequence[str], person_id: str, name: str | None
) -> str | None:
    """A display name that nobody is mistaken by. Raises Conflict for whose it looks like."""
    if name is None:
        return None
    if naming.imitates(name, await staff_names(tx, organization_id, channels)):
        raise Conflict("display_name: this could be taken for a team member's name. Choose another one.")
    taken = await others_names(tx, organization_id, channels, person_id)
    if any(naming.same(name, other) for other in taken):
        raise Conflict(
            "display_name: somebody in a channel of yours is shown by this name, or by one that looks like it."
        )
    return name


async def announce(tx: Transaction, organization_id: OrganizationId, channels: Sequence[str], person_id: str) -> None:
    """Tell the open pages of these channels to read their directory again: which membership, and nothing else."""
    rows: list[dict[str, Any]] = await tx.rows(
        """select c.id, c.top_offset, m.id as member_id from memberships m
             join channels c on (c.organization_id, c.id) = (m.organization_id, m.channel_id)
            where m.organization_id = $1 and m.channel_id = any ($2) and m.person_id = $3 and m.left_at is null""",
        *(organization_id, list(channels), person_id),
    )
    for row in rows:
        facts = {"by": row["member_id"], "after": row["top_offset"]}
        event = Event("", organization_id, row["id"], 0, "profile", now(), facts=facts)
        tx.announce(events.topic(organization_id, row["id"]), events.encode(event))


async def require_active(tx: Transaction, organization_id: OrganizationId, person_id: str) -> None:
    """Refuse for a patient who is archived: they only read. Raises Forbidden."""
    rows = await tx.rows(
        "select id from people where (organization_id, id) = ($1, $2) and status = 'active'", organization_id, person_id
    )
    if not rows:
        raise Forbidden(policy.READ_ONLY)


def require_patient(actor: Actor) -> None:
    """Refuse team members. Raises Forbidden."""
    if actor.is_staff:
        raise Forbidden(STAFF)


async def shown_by_default(
    tx: Transaction,
    organization_id: OrganizationId,
    person_id: str,
    what: Literal["display_name", "picture"] = "display_name",
) -> list[str]:
    """The channels of a patient in which they are shown as on their profile, in id order."""
    default = "p.display_name is null" if what == "display_name" else "coalesce(p.picture, 'default') = 'default'"
    rows = await tx.rows(
        f"""select m.channel_id from memberships m left join channel_profiles p
               on (p.organization_id, p.channel_id, p.person_id) = (m.organization_id, m.channel_id, m.person_id)
             where (m.organization_id, m.person_id) = ($1, $2) and m.left_at is null and {default} order by 1""",
        *(organization_id, person_id),
    )
    return [row["channel_id"] for row in rows]

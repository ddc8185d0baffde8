"""Who shows which picture where: given for the profile or for one channel, and read through membership alone."""

from pydantic import BaseModel

from server.chat.channels import mine
from server.chat.directory import picture_word
from server.chat.profiles import announce, require_active, require_patient, shown_by_default
from server.db import Transaction
from server.errors import NotFound
from server.ids import ChannelId, MembershipId
from server.locks import lock
from server.people import pictures
from server.people.actors import Actor
from server.people.pictures import Size

NO_PICTURE = "There is no such picture."


class Place(BaseModel):
    """Where a picture is shown: in one channel, or wherever nothing else is said."""

    channel_id: ChannelId | None = None


class PictureOf(BaseModel):
    """A member's picture, by the word that the directory has for it."""

    channel_id: ChannelId
    member_id: MembershipId
    picture: str
    size: Size = "large"


async def require_may_give(tx: Transaction, actor: Actor, place: Place) -> None:
    """Refuse, before a picture is taken in, who may not show one there. Raises what give raises."""
    await _begin(tx, actor, place)


async def give(tx: Transaction, actor: Actor, place: Place, large: bytes, small: bytes) -> None:
    """Show this picture, made anew, from now on. Raises Forbidden for team members and archived patients; NotFound."""
    await _begin(tx, actor, place)
    picture_id = await pictures.keep(tx, actor.organization_id, actor.person_id, large, small)
    await _show(tx, actor, place, picture_id)


async def take_away(tx: Transaction, actor: Actor, place: Place) -> None:
    """Show none: in one channel, or on the profile. Raises what give raises."""
    await _begin(tx, actor, place)
    await _show(tx, actor, place, None)


async def read(tx: Transaction, actor: Actor, wanted: PictureOf) -> bytes:
    """A picture that a member shows in one of the actor's channels, or showed when they left. WebP.

    Raises:
        NotFound: not the actor's channel, nobody whom they see there, or another picture by now.
    """
    channel = await mine(tx, actor, wanted.channel_id)
    rows = await tx.rows(
        """select case coalesce(p.picture, 'default') when 'default' then a.picture_id when 'own' then p.picture_id end as id
             from memberships m join patients a on (a.organization_id, a.id) = (m.organization_id, m.person_id)
             left join channel_profiles p
               on (p.organization_id, p.channel_id, p.person_id) = (m.organization_id, m.channel_id, a.id)
            where (m.organization_id, m.channel_id, m.id) = ($1, $2, $3) and (m.left_offset is null or m.left_offset >= $4)""",
        *(actor.organization_id, wanted.channel_id, wanted.member_id),
        1 if actor.is_staff else channel["visible_from"],
    )
    if not rows or rows[0]["id"] is None or picture_word(rows[0]["id"], wanted.member_id) != wanted.picture:
        raise NotFound(NO_PICTURE)
    return await pictures.read(tx, actor.organization_id, rows[0]["id"], wanted.size)


async def _begin(tx: Transaction, actor: Actor, place: Place) -> None:
    channels = [] if place.channel_id is None else [place.channel_id]
    await lock(tx, actor.organization_id, people=[actor.person_id], channels=channels)
    if place.channel_id is not None:
        await mine(tx, actor, place.channel_id)
    require_patient(actor)
    tx.concerns(patient_id=actor.person_id)
    await require_active(tx, actor.organization_id, actor.person_id)


async def _show(tx: Transaction, actor: Actor, place: Place, picture_id: str | None) -> None:
    if place.channel_id is None:
        await tx.rows(
            "update patients set picture_id = $3 where (organization_id, id) = ($1, $2)",
            *(actor.organization_id, actor.person_id, picture_id),
        )
        channels = await shown_by_default(tx, actor.organization_id, actor.person_id, "picture")
        return await announce(tx, actor.organization_id, channels, actor.person_id)
    await tx.rows(
        """insert into channel_profiles (organization_id, channel_id, person_id, picture, picture_id)
           values ($1, $2, $3, $4, $5) on conflict (person_id, channel_id, organization_id)
           do update set picture = excluded.picture, picture_id = excluded.picture_id""",
        *(actor.organization_id, place.channel_id, actor.person_id, "own" if picture_id else "none", picture_id),
    )
    return await announce(tx, actor.organization_id, [place.channel_id], actor.person_id)

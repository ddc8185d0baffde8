"""The directory of a channel: who is in it and who was, in the shape of the reader's audience (domain.md §1, names shown)."""

import hashlib
from typing import Any, Literal

from pydantic import BaseModel

from server.chat.channels import InChannel, mine
from server.chat.having_read import HAS_READ
from server.chat.policy import PersonKind
from server.chat.shapes import when
from server.db import Transaction
from server.ids import MembershipId, PersonId
from server.people.actors import Actor


class MemberShape(BaseModel):
    """Somebody in a channel, now or once. What is None for patients is for staff alone.

    `picture` is there if they show one: GET /api/channels/{channel}/members/{member}/picture/{picture} with size small or large.
    It is another word in each channel, and for each picture. `read_offset` is how far they have read: 0 who only joined.
    """

    id: MembershipId
    kind: PersonKind
    name: str
    active: bool
    me: bool
    picture: str | None = None
    real_name: str | None = None
    role: str | None = None
    person_id: PersonId | None = None
    source: Literal["rule", "manual", "fallback", "roster"] | None = None
    read_offset: int | None = None
    joined_at: str | None = None


class Directory(BaseModel):
    """Who is and was in a channel, as the actor may know them; and how far the team has read."""

    members: list[MemberShape]
    seen_offset: int


# How far they have read, for who only joined 0: nothing.
_DIRECTORY = f"""
select t.id, t.person_kind as kind, t.person_id, t.left_at is null as active, t.joined_at, t.source,
       case when {HAS_READ} then t.read_offset else 0 end as read_offset,
       s.name as team_name, s.role, coalesce(p.display_name, a.display_name) as display_name,
       coalesce(a.preferred_name, a.legal_name) as real_name,
       case coalesce(p.picture, 'default') when 'default' then a.picture_id when 'own' then p.picture_id end as picture_id
  from memberships t
  left join team_members s on (s.organization_id, s.id) = (t.organization_id, t.person_id)
  left join patients a on (a.organization_id, a.id) = (t.organization_id, t.person_id)
  left join channel_profiles p on (p.organization_id, p.channel_id, p.person_id) = (t.organization_id, t.channel_id, a.id)
 where (t.organization_id, t.channel_id) = ($1, $2) and (t.left_offset is null or t.left_offset >= $3)
 order by t.joined_offset, t.person_kind, lower(coalesce(s.name, p.display_name, a.display_name, '')), t.id"""


async def directory(tx: Transaction, actor: Actor, params: InChannel) -> Directory:
    """Who is in a channel and who was, as far back as the actor sees. Raises NotFound."""
    channel = await mine(tx, actor, params.channel_id)
    # Staff know everybody who ever was here; a patient, only who was here while they could see it.
    floor = 1 if actor.is_staff else channel["visible_from"]
    rows = await tx.rows(_DIRECTORY, actor.organization_id, params.channel_id, floor)
    team = [row["read_offset"] for row in rows if row["active"] and row["kind"] == "team_member"]
    return Directory(members=[_member(row, actor) for row in rows], seen_offset=max(team, default=0))


def picture_word(picture_id: str, member_id: str) -> str:
    """What stands for a picture in one channel. Its id reaches nobody, so nobody can tell two channels' words as one's."""
    return hashlib.sha256(f"{picture_id}/{member_id}".encode()).hexdigest()[:32]


def _member(row: dict[str, Any], actor: Actor) -> MemberShape:
    """One member, in the shape of the actor's audience (domain.md §1, names shown)."""
    me = row["person_id"] == actor.person_id
    real = row["real_name"]
    shown = row["team_name"] or row["display_name"] or (real if me or actor.is_staff else "Group member")
    picture = picture_word(row["picture_id"], row["id"]) if row["picture_id"] else None
    shape = MemberShape(id=row["id"], kind=row["kind"], name=shown, active=row["active"], me=me, picture=picture)
    if not actor.is_staff:
        return shape
    return shape.model_copy(
        update={
            "real_name": real,
            "role": row["role"],
            "person_id": row["person_id"],
            "source": row["source"],
            "read_offset": row["read_offset"],
            "joined_at": when(row["joined_at"]),
        }
    )

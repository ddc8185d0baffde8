"""Channels: the way to one that is mine, what I may do there, and all of mine with what is unread."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from server.chat.having_read import HAS_READ
from server.chat.policy import NOT_FOUND, Kind, Standing, Verb, refusal
from server.chat.shapes import when
from server.db import Transaction
from server.errors import NotFound
from server.ids import ChannelId, MembershipId, PatientId
from server.people.actors import Actor
from server.people.team import Nothing


class OfPatient(BaseModel):
    """The patient a channel is about, for staff: the real name beside the display name."""

    id: PatientId
    name: str
    display_name: str | None


class ChannelShape(BaseModel):
    """One of my channels. `unread` counts others' messages after my read mark, up to 100, which means more than 99.

    `names` are the other people of a direct channel. `writable` says whether I may write there: not where it is archived, nor
    in a direct channel where nobody else is left. `hidden` is for direct channels, until something new is written.
    `unattended`, for staff: a patient has waited there for longer than the organisation allows, and nobody has read it.
    `marked_unread` is a mark of mine, to come back, until I read there. `nobody_told` is for staff: no team member of this
    patient's channel would get a push or an email about a message.
    """

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
    names: list[str] | None
    writable: bool
    hidden: bool
    muted: bool
    marked_unread: bool
    unattended: bool
    nobody_told: bool = False


class Channels(BaseModel):
    """All my channels."""

    channels: list[ChannelShape]


class InChannel(BaseModel):
    """A channel."""

    channel_id: ChannelId


class Fetches(Protocol):
    """Anything that runs a statement of ours."""

    async def __call__(self, query: str, /, *args: Any) -> Sequence[Any]: ...


# What a member sees of a channel from outside, for any number of (organisation, person, channel); a null channel: all.
# The order of the unread is nobody's affair; it keeps them from being looked for all through the table, as the first hundred of
# any order may be, and was, where few channels have long histories.
_SUMMARIES = f"""
select w.org, w.person, c.id, c.kind, c.name, c.status, m.id as member_id, c.top_offset as top, m.read_offset, m.person_kind,
       (select count(*) from (select from messages x where (x.organization_id, x.channel_id) = (c.organization_id, c.id)
          and x.log_offset > m.read_offset and x.author_person_id <> m.person_id and x.deleted_at is null
        order by x.log_offset limit 100) u) as unread,
       (select e.created_at from events e where (e.organization_id, e.channel_id) = (c.organization_id, c.id)
           and e.log_offset >= m.visible_from and e.kind = 'message' order by e.log_offset desc limit 1) as last_at,
       a.id as patient_id, coalesce(a.preferred_name, a.legal_name) as patient_name, a.display_name, o.names,
       c.status = 'active' and p.status = 'active' and (c.kind <> 'direct' or o.active > 0) as writable,
       coalesce(m.hidden_offset >= c.top_offset, false) as hidden, m.muted, m.marked_unread,
       m.person_kind = 'team_member' and c.status = 'active' and exists (
         select from unattended n where (n.channel_id, n.organization_id) = (c.id, c.organization_id)
            and n.stage in ('noticed', 'escalated') and n.log_offset > (
              select coalesce(max(t.read_offset), 0) from memberships t
               where (t.channel_id, t.organization_id) = (c.id, c.organization_id) and t.person_kind = 'team_member'
                 and {HAS_READ})) as unattended
  from unnest($1::text[], $2::text[], $3::text[]) as w (org, person, channel)
  join memberships m on (m.organization_id, m.person_id) = (w.org, w.person) and m.left_at is null
    and (w.channel is null or m.channel_id = w.channel)
  join channels c on (c.organization_id, c.id) = (m.organization_id, m.channel_id)
  join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
  left join patients a on (a.organization_id, a.id) = (c.organization_id, c.patient_id)
  left join lateral (
    select array_agg(d.name order by lower(d.name), d.id) as names, sum(d.active) as active
      from (select t.name, t.id, max((x.left_at is null and y.status = 'active')::int) as active
              from memberships x
              join people y on (y.organization_id, y.id) = (x.organization_id, x.person_id)
              join team_members t on (t.organization_id, t.id) = (x.organization_id, x.person_id)
             where (x.organization_id, x.channel_id) = (c.organization_id, c.id) and x.person_id <> m.person_id
             group by t.name, t.id) d) o on c.kind = 'direct'"""


# Of a team member's channels, those of patients where nobody of the team gets a push (it takes a device) or an email. Nor do
# they themselves, then: so it looks at those alone that they have muted, or at all if they want no email, and that is rare.
_NOBODY_TOLD = """
select c.id from memberships mine join channels c on (c.organization_id, c.id) = (mine.organization_id, mine.channel_id)
 where (mine.organization_id, mine.person_id) = ($1, $2) and mine.left_at is null
   and (mine.muted or exists (select from notice_preferences o
                               where (o.person_id, o.organization_id) = ($2, $1) and not o.unread_email))
   and c.kind in ('care_team', 'service_team', 'group') and c.status = 'active'
   and not exists (
     select from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
       left join notice_preferences n on (n.person_id, n.organization_id) = (m.person_id, m.organization_id)
      where (m.channel_id, m.organization_id) = (c.id, c.organization_id) and m.person_kind = 'team_member'
        and m.left_at is null and not m.muted and p.status = 'active'
        and (n.unread_email is not false or (n.push and exists (
              select from devices d where (d.person_id, d.organization_id) = (m.person_id, m.organization_id)
                 and d.removed_at is null and (p.signed_out_at is null or d.added_at > p.signed_out_at)))))"""


async def mine(tx: Transaction, actor: Actor, channel_id: ChannelId) -> dict[str, Any]:
    """The channel and my place in it: the only way to a channel, so that what is not mine is not found.

    Raises:
        NotFound: no such channel, or not a member: nobody can tell which (domain.md §2).
    """
    rows = await tx.rows(
        """select c.id, c.kind, c.name, c.status, c.top_offset, c.patient_id, m.id as member_id, m.visible_from, m.read_offset,
                  p.status = 'active' as person_active
             from channels c join memberships m on (m.organization_id, m.channel_id) = (c.organization_id, c.id)
             join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
            where (c.organization_id, c.id, m.person_id) = ($1, $2, $3) and m.left_at is null""",
        actor.organization_id,
        channel_id,
        actor.person_id,
    )
    if not rows:
        raise NotFound(NOT_FOUND)
    tx.concerns(channel_id=channel_id, patient_id=rows[0]["patient_id"])
    return rows[0]


async def mine_to(verb: Verb, tx: Transaction, actor: Actor, channel_id: ChannelId) -> dict[str, Any]:
    """The same, where I may do this. Raises NotFound; Forbidden in the words of policy.refusal."""
    channel = await mine(tx, actor, channel_id)
    require(verb, channel, actor)
    return channel


def standing(channel: dict[str, Any], actor: Actor) -> Standing:
    """What the actor is in a channel that `mine` found."""
    return Standing(True, actor.is_staff, "messaging.manage" in actor.permissions, channel["person_active"])


def require(verb: Verb, channel: dict[str, Any], actor: Actor) -> None:
    """Refuse what the rules do not let the actor do in a channel that `mine` found."""
    if refused := refusal(verb, channel["kind"], standing(channel, actor)):
        raise refused


async def summaries(fetch: Fetches, wanted: Sequence[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    """The channels of people, each as that person may see it, in one statement.

    Args:
        wanted: (organisation, person, channel), or None for all channels of the person.

    Returns:
        Shapes as of ChannelShape, and the `org` and `person` each is for; nothing where there is no membership.
    """
    rows = await fetch(_SUMMARIES, *(list(column) for column in zip(*wanted, strict=True)))
    found = []
    for row in rows:
        shape = {
            name: row[name]
            for name in ("org", "person", "id", "kind", "name", "status", "member_id", "top", "read_offset", "unread",
                         "names", "writable", "hidden", "unattended", "muted", "marked_unread")
        }  # fmt: skip
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
    if actor.is_staff:
        untold = {row["id"] for row in await tx.rows(_NOBODY_TOLD, actor.organization_id, actor.person_id)}
        for shape in found:
            shape["nobody_told"] = shape["id"] in untold
    found.sort(key=lambda shape: (shape["last_at"] or "", shape["id"]), reverse=True)
    return Channels(channels=[ChannelShape.model_validate(shape) for shape in found])

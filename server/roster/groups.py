"""Groups: create, read, list, change, archive and unarchive (domain.md §5). Nothing is ever deleted."""

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from server.db import Transaction
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.ids import ChannelId, GroupId, OrganizationId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.archivings import require_available
from server.people.wording import Data, Name, Prose
from server.roster import asking, policy

Type = Literal["therapy", "support", "education"]
Status = Literal["active", "archived"]
NOT_FOUND = "There is no such group."


class CreateGroup(BaseModel):
    """A new group."""

    name: Name = Field(examples=["Anxiety management, Thursdays"])
    type: Type
    description: Prose = ""
    max_participants: int | None = Field(
        None, ge=1, le=10_000, description="How many may be active members; null: any number"
    )
    facilitator_id: TeamMemberId | None = Field(None, description="The active team member who leads it")
    custom_data: Data = Field(
        {}, description="Whatever the caller wants to keep with it: an object of at most 10,000 bytes"
    )


class UpdateGroup(BaseModel):
    """Change what is given of a group, and nothing else; null takes max_participants or the facilitator away."""

    group_id: GroupId
    name: Name | None = None
    type: Type | None = None
    description: Prose | None = None
    max_participants: int | None = Field(None, ge=1, le=10_000)
    facilitator_id: TeamMemberId | None = None
    custom_data: Data | None = Field(None, description="Replaces the object")


class OfGroup(BaseModel):
    """One group."""

    group_id: GroupId


class ListGroups(BaseModel):
    """A page of groups, in the order of names."""

    status: Status | None = None
    type: Type | None = None
    facilitator_id: TeamMemberId | None = None
    after: GroupId | None = Field(None, description="The id of the last one of the page before")
    limit: int = Field(50, ge=1, le=200)


class GroupShape(BaseModel):
    """A group. `active_members` is what max_participants bounds.

    `channel` says whether a group channel follows the roster: wanted, until a worker has made it. Its id is for its members.
    """

    id: GroupId
    name: str
    description: str
    type: Type
    status: Status
    max_participants: int | None
    active_members: int
    facilitator_id: TeamMemberId | None
    facilitator_name: str | None
    custom_data: dict[str, Any]
    created_by_user: TeamMemberId
    created_at: datetime
    channel: Literal["none", "wanted", "active", "archived"]
    channel_follows: bool
    channel_id: ChannelId | None


class Groups(BaseModel):
    """A page of groups."""

    groups: list[GroupShape]
    more: bool


_SELECT = """
select g.id, g.name, g.description, g.type, g.status, g.max_participants, g.facilitator_id, t.name as facilitator_name,
       g.custom_data, g.created_by_user, g.created_at, g.channel_follows,
       (select count(*) from group_members m where (m.organization_id, m.group_id, m.status)
           = (g.organization_id, g.id, 'active')) as active_members,
       coalesce(c.status, case when g.channel_follows then 'wanted' else 'none' end) as channel, s.channel_id
  from groups g
  left join team_members t on (t.organization_id, t.id) = (g.organization_id, g.facilitator_id)
  left join channels c on (c.organization_id, c.id) = (g.organization_id, g.channel_id)
  left join memberships s on (s.organization_id, s.channel_id, s.person_id) = (g.organization_id, g.channel_id, $2)
   and s.left_at is null
 where g.organization_id = $1"""
_NULLABLE = ("max_participants", "facilitator_id")


async def create(tx: Transaction, actor: Actor, params: CreateGroup) -> GroupShape:
    """A new group. Raises Invalid, Conflict where the facilitator is nobody here, or archived."""
    await _require_facilitator(tx, actor.organization_id, params.facilitator_id)
    group_id = GroupId.new()
    await tx.rows(
        """insert into groups (organization_id, id, name, type, description, max_participants, facilitator_id, custom_data,
                               created_by_user)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        *(actor.organization_id, group_id, params.name, params.type, params.description, params.max_participants),
        *(params.facilitator_id, json.dumps(params.custom_data), actor.person_id),
    )
    return await get(tx, actor, OfGroup(group_id=group_id))


async def get(tx: Transaction, actor: Actor, params: OfGroup) -> GroupShape:
    """One group. Raises NotFound."""
    rows = await tx.rows(_SELECT + " and g.id = $3", actor.organization_id, actor.person_id, params.group_id)
    if not rows:
        raise NotFound(NOT_FOUND)
    return _shape(rows[0])


async def list_all(tx: Transaction, actor: Actor, params: ListGroups) -> Groups:
    """The groups, by name; by status, type or facilitator, if one is given."""
    rows = await tx.rows(
        f"""{_SELECT} and ($3::text is null or g.status = $3) and ($4::text is null or g.type = $4)
              and ($5::text is null or g.facilitator_id = $5)
              and ($6::text is null or (lower(g.name), g.id) >
                (select lower(a.name), a.id from groups a where (a.organization_id, a.id) = ($1, $6)))
            order by lower(g.name), g.id limit $7""",
        *(actor.organization_id, actor.person_id, params.status, params.type, params.facilitator_id, params.after),
        params.limit + 1,
    )
    return Groups(groups=[_shape(row) for row in rows[: params.limit]], more=len(rows) > params.limit)


async def update(tx: Transaction, actor: Actor, params: UpdateGroup) -> GroupShape:
    """Change a group.

    Raises:
        NotFound: no such group.
        Forbidden: another facilitator, who would join the group's channel, without messaging.manage (domain.md §2).
        Invalid: what every group has is taken away; the facilitator is nobody here.
        Conflict: the group is archived; the facilitator is; or more members are active than would be allowed.
    """
    await _require_facilitator(tx, actor.organization_id, params.facilitator_id)
    found = await locked(tx, actor.organization_id, params.group_id)
    changed = params.model_dump(exclude={"group_id"}, include=params.model_fields_set)
    if wrong := [name for name, value in changed.items() if value is None and name not in _NULLABLE]:
        raise Invalid(f"{wrong[0]}: every group has one. Give another one, or leave it out.")
    joins = found["channel_follows"] and changed.get("facilitator_id") not in (None, found["facilitator_id"])
    if joins and "messaging.manage" not in actor.permissions:
        raise Forbidden(policy.STAFFED_IN)
    if found["status"] == "archived":
        raise Conflict(policy.ARCHIVED)
    if params.max_participants is not None and found["active"] > params.max_participants:
        raise Conflict(f"max_participants: {found['active']} members are active. Remove some first, or allow as many.")
    if "custom_data" in changed:
        changed["custom_data"] = json.dumps(changed["custom_data"])
    for name, value in changed.items():  # the names are those of the model's fields
        await tx.rows(
            f"update groups set {name} = $3 where (organization_id, id) = ($1, $2)",
            *(actor.organization_id, params.group_id, value),
        )
    await asking.ask(tx, actor.organization_id, params.group_id)
    return await get(tx, actor, OfGroup(group_id=params.group_id))


async def archive(tx: Transaction, actor: Actor, params: OfGroup) -> GroupShape:
    """Archive a group: it keeps all it has, and takes no members and no encounters. Raises NotFound."""
    return await _set_status(tx, actor, params, "archived")


async def unarchive(tx: Transaction, actor: Actor, params: OfGroup) -> GroupShape:
    """Take an archived group up again, with the members it had. Raises NotFound."""
    return await _set_status(tx, actor, params, "active")


async def locked(tx: Transaction, organization_id: OrganizationId, group_id: str) -> dict[str, Any]:
    """Lock a group, and say how it stands: status, max_participants, facilitator_id, and how many are active. Raises NotFound."""
    await lock(tx, organization_id, groups=[group_id])
    rows = await tx.rows(
        """select g.id, g.name, g.status, g.max_participants, g.facilitator_id, g.channel_follows,
                  (select count(*) from group_members m where (m.organization_id, m.group_id, m.status)
                      = (g.organization_id, g.id, 'active')) as active
             from groups g where (g.organization_id, g.id) = ($1, $2)""",
        organization_id,
        group_id,
    )
    if not rows:
        raise NotFound(NOT_FOUND)
    return rows[0]


async def _set_status(tx: Transaction, actor: Actor, params: OfGroup, status: Status) -> GroupShape:
    await locked(tx, actor.organization_id, params.group_id)
    await tx.rows(
        "update groups set status = $3 where (organization_id, id) = ($1, $2)",
        *(actor.organization_id, params.group_id, status),
    )
    await asking.ask(tx, actor.organization_id, params.group_id)
    return await get(tx, actor, params)


async def _require_facilitator(
    tx: Transaction, organization_id: OrganizationId, facilitator: TeamMemberId | None
) -> None:
    if facilitator is not None:
        await lock(tx, organization_id, people=[facilitator])
        await require_available(tx, organization_id, facilitator, "facilitator_id")


def _shape(row: dict[str, Any]) -> GroupShape:
    return GroupShape(**row | {"custom_data": loaded(row["custom_data"])})


def loaded(value: Any) -> Any:
    """What stands in a JSON column, whether the driver has read it already or not."""
    return json.loads(value) if isinstance(value, str) else value

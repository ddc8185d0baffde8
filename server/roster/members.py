"""A group's roster: who is in it, who was; adding, leaving, coming back, within the group's capacity (domain.md §5).

Whoever adds holds the group's lock while they count, so of any number who come at once no more get in than fit.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server import audit
from server.db import Transaction, explain
from server.errors import Conflict, Invalid, NotFound
from server.ids import GroupId, GroupMemberId, GuestId, OrganizationId, PatientId
from server.locks import lock
from server.people import sealed
from server.people.actors import Actor
from server.people.wording import Prose
from server.roster import asking, groups, policy, records
from server.roster.policy import Key

explain("ix_group_members_unique_patient", Conflict(f"This patient {policy.ALREADY}."))
explain("ix_group_members_unique_guest", Conflict(f"This guest {policy.ALREADY}."))
MemberType = Literal["patient", "guest"]
READ_NOTES = "group.encounter.note.read"
"""Who holds it sees what is noted of a person; for others `notes` is null."""


class AddGroupMember(BaseModel):
    """Add a patient or a guest to a group."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"member_type": "patient", "guest_id": None}]})
    group_id: GroupId
    member_type: MemberType
    patient_id: PatientId | None = Field(None, description="Who it is, of type patient")
    guest_id: GuestId | None = Field(None, description="Who it is, of type guest")
    notes: Prose | None = Field(None, description="Encrypted, and shown to those who read session notes")


class OfGroupMember(BaseModel):
    """One row of a group's roster."""

    group_id: GroupId
    group_member_id: GroupMemberId


class UpdateGroupMember(OfGroupMember):
    """Change what is noted of a member; null takes it away."""

    notes: Prose | None = Field(examples=["Comes every other week"])


class ListGroupMembers(BaseModel):
    """A page of a group's roster, in the order in which people came."""

    group_id: GroupId
    status: Literal["active", "left"] | None = Field(
        None, description="Without: both, so that who came back has two rows"
    )
    after: GroupMemberId | None = Field(None, description="The id of the last one of the page before")
    limit: int = Field(200, ge=1, le=200)


class GroupMemberShape(BaseModel):
    """A row of the roster. `name` is a patient's real name; `in_channel`: the row has brought them into the group's channel,
    and they are there now. `notes` is null for whoever may not read session notes.
    """

    id: GroupMemberId
    group_id: GroupId
    member_type: MemberType
    patient_id: PatientId | None
    guest_id: GuestId | None
    name: str
    display_name: str | None
    status: Literal["active", "left"]
    joined_at: datetime
    left_at: datetime | None
    notes: str | None
    in_channel: bool


class GroupMembers(BaseModel):
    """A page of a roster, and how it stands to the group's capacity."""

    members: list[GroupMemberShape]
    more: bool
    active_members: int
    max_participants: int | None


_SELECT = """
select m.id, m.group_id, m.member_type, m.patient_id, m.guest_id, m.status, m.joined_at, m.left_at, m.notes, m.key_id,
       coalesce(a.preferred_name, a.legal_name, g.display_name) as name, a.display_name,
       exists (select from memberships s where (s.id, s.channel_id, s.organization_id)
          = (m.channel_member_id, m.channel_id, m.organization_id) and s.left_at is null) as in_channel
  from group_members m
  left join patients a on (a.organization_id, a.id) = (m.organization_id, m.patient_id)
  left join guests g on (g.organization_id, g.id) = (m.organization_id, m.guest_id)
 where (m.organization_id, m.group_id) = ($1, $2)"""
_INSERT = """
insert into group_members (organization_id, id, group_id, member_type, patient_id, guest_id, key_id, notes)
select $1, n.id, $2, n.member_type, case when n.member_type = 'patient' then n.who end,
       case when n.member_type = 'guest' then n.who end, n.key_id, n.notes
  from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[]) as n (id, member_type, who, key_id, notes)"""


async def add(tx: Transaction, actor: Actor, params: AddGroupMember) -> GroupMemberShape:
    """Add a patient or a guest to a group.

    Raises:
        NotFound: no such group.
        Invalid: nobody, or nobody of that id, is named.
        Conflict: the group is archived or full; they are an active member already; they are archived or inactive.
    """
    key = policy.reference(params.member_type, params.patient_id, params.guest_id)
    if isinstance(key, str):
        raise Invalid(key)
    return await admit(tx, actor, params.group_id, key, params.notes)


async def admit(tx: Transaction, actor: Actor, group_id: GroupId, key: Key, notes: str | None) -> GroupMemberShape:
    """Add somebody, by their key. Raises as `add`."""
    organization_id = actor.organization_id
    await lock_people(tx, organization_id, [key])
    group = await groups.locked(tx, organization_id, group_id)
    if wrong := (await unusable(tx, organization_id, [key])).get(key):
        raise Conflict(wrong) if "no such" not in wrong else Invalid(f"{key[0]}_id: {wrong[0].lower()}{wrong[1:]}")
    if group["status"] == "archived":
        raise Conflict(policy.ARCHIVED)
    if key in await active(tx, organization_id, group_id):
        raise Conflict(f"This {key[0]} {policy.ALREADY}.")
    if refused := policy.full(group["max_participants"], group["active"]):
        raise Conflict(refused)
    [member_id] = await insert(tx, organization_id, group_id, [(key, notes)])
    await asking.ask(tx, organization_id, group_id)
    return await get(tx, actor, OfGroupMember(group_id=group_id, group_member_id=member_id))


async def get(tx: Transaction, actor: Actor, params: OfGroupMember) -> GroupMemberShape:
    """One row of a group's roster. Raises NotFound."""
    rows = await tx.rows(_SELECT + " and m.id = $3", actor.organization_id, params.group_id, params.group_member_id)
    if not rows:
        await groups.get(tx, actor, groups.OfGroup(group_id=params.group_id))
        raise NotFound("There is no such member in this group.")
    tx.concerns(patient_id=rows[0]["patient_id"])
    return await _shape(tx, actor, rows[0])


async def some(tx: Transaction, actor: Actor, group_id: GroupId, ids: Collection[str]) -> list[GroupMemberShape]:
    """These rows of a group's roster, in the order of names."""
    rows = await tx.rows(
        _SELECT + " and m.id = any ($3) order by name, m.id", actor.organization_id, group_id, list(ids)
    )
    return [await _shape(tx, actor, row) for row in rows]


async def list_all(tx: Transaction, actor: Actor, params: ListGroupMembers) -> GroupMembers:
    """The roster of a group, or who is active in it, or who has left. Raises NotFound."""
    group = await groups.get(tx, actor, groups.OfGroup(group_id=params.group_id))
    rows = await tx.rows(
        f"""{_SELECT} and ($3::text is null or m.status = $3) and ($4::text is null or (m.joined_at, m.id) >
              (select b.joined_at, b.id from group_members b where (b.organization_id, b.id) = ($1, $4)))
            order by m.joined_at, m.id limit $5""",
        *(actor.organization_id, params.group_id, params.status, params.after, params.limit + 1),
    )
    if READ_NOTES in actor.permissions:
        noted = [row["patient_id"] for row in rows[: params.limit] if row["notes"] is not None]
        await records.seen(tx, actor, "group_member.list", noted, {"group_id": params.group_id})
    return GroupMembers(
        members=[await _shape(tx, actor, row) for row in rows[: params.limit]],
        more=len(rows) > params.limit,
        active_members=group.active_members,
        max_participants=group.max_participants,
    )


async def update(tx: Transaction, actor: Actor, params: UpdateGroupMember) -> GroupMemberShape:
    """Change what is noted of a member. Raises NotFound."""
    await groups.locked(tx, actor.organization_id, params.group_id)
    await get(tx, actor, params)
    row = {"id": params.group_member_id, "group_id": params.group_id}
    key_id, record = await sealed.close(tx.keys, "group_members", actor.organization_id, row, params.notes)
    await tx.rows(
        "update group_members set key_id = $3, notes = $4 where (organization_id, id) = ($1, $2)",
        *(actor.organization_id, params.group_member_id, key_id, record),
    )
    return await get(tx, actor, params)


async def remove(tx: Transaction, actor: Actor, params: OfGroupMember) -> GroupMemberShape:
    """End somebody's place in a group: the row stays, as left. Raises NotFound."""
    await groups.locked(tx, actor.organization_id, params.group_id)
    found = await get(tx, actor, params)
    if found.status == "active":
        await end(tx, actor.organization_id, [params.group_member_id])
        await asking.ask(tx, actor.organization_id, params.group_id)
    return await get(tx, actor, params)


async def rejoin(tx: Transaction, actor: Actor, params: OfGroupMember) -> GroupMemberShape:
    """Add somebody again who has left, as a new row. Raises as `add`."""
    found = await get(tx, actor, params)
    key = policy.reference(found.member_type, found.patient_id, found.guest_id)
    assert not isinstance(key, str)
    return await admit(tx, actor, params.group_id, key, None)


async def lock_people(tx: Transaction, organization_id: OrganizationId, keys: Sequence[Key]) -> None:
    """Lock these patients and guests: none of them is archived or added elsewhere meanwhile."""
    people = [id for kind, id in keys if kind == "patient"]
    await lock(tx, organization_id, people=people, guests=[id for kind, id in keys if kind == "guest"])


async def unusable(tx: Transaction, organization_id: OrganizationId, keys: Sequence[Key]) -> dict[Key, str]:
    """Who of these, all locked, cannot be added to any group, and why."""
    rows = await tx.rows(
        """select 'patient' as kind, p.id, p.status = 'active' as usable from people p
            where p.organization_id = $1 and p.id = any ($2) and p.kind = 'patient'
           union all select 'guest', g.id, g.is_active from guests g where g.organization_id = $1 and g.id = any ($2)""",
        organization_id,
        [id for _, id in keys],
    )
    there = {(row["kind"], row["id"]): row["usable"] for row in rows}
    over = {"patient": "This patient is archived. Unarchive them first.", "guest": "This guest is not active any more."}
    wrong = {key: f"There is no such {key[0]}." for key in keys if key not in there}
    return wrong | {key: over[key[0]] for key, usable in there.items() if not usable}


async def active(tx: Transaction, organization_id: OrganizationId, group_id: str) -> set[Key]:
    """Who is an active member of a group, which is locked."""
    rows = await tx.rows(
        """select member_type, coalesce(patient_id, guest_id) as who from group_members
            where (organization_id, group_id, status) = ($1, $2, 'active')""",
        organization_id,
        group_id,
    )
    return {(row["member_type"], row["who"]) for row in rows}


async def insert(
    tx: Transaction, organization_id: OrganizationId, group_id: str, wanted: Sequence[tuple[Key, str | None]]
) -> list[GroupMemberId]:
    """Write new rows, each with what is noted of the person; who fits in was asked before."""
    ids = [GroupMemberId.new() for _ in wanted]
    closed = [
        await sealed.close(tx.keys, "group_members", organization_id, {"id": id, "group_id": group_id}, notes)
        for id, (_, notes) in zip(ids, wanted, strict=True)
    ]
    await tx.rows(
        _INSERT, organization_id, group_id, ids, [key[0] for key, _ in wanted], [key[1] for key, _ in wanted],
        [key_id for key_id, _ in closed], [record for _, record in closed],
    )  # fmt: skip
    return ids


async def end(tx: Transaction, organization_id: OrganizationId, ids: Sequence[str]) -> None:
    """End rows; their groups are locked."""
    await tx.rows(
        """update group_members set status = 'left', left_at = greatest(clock_timestamp(), joined_at)
            where organization_id = $1 and id = any ($2) and status = 'active'""",
        organization_id,
        list(ids),
    )


async def end_archived(tx: Transaction, args: dict[str, Any]) -> None:
    """The worker's part of archiving a patient: the places in groups end that they had then, also if they are active again."""
    organization_id, patient_id = OrganizationId(args["organization_id"]), PatientId(args["patient_id"])
    await lock(tx, organization_id, people=[patient_id])
    rows = await tx.rows(
        """select m.id, m.group_id
             from group_members m join people p on (p.organization_id, p.id) = (m.organization_id, m.patient_id)
            where (m.organization_id, m.patient_id, m.status) = ($1, $2, 'active')
              and (p.status = 'archived' or m.joined_at <= $3::text::timestamptz) order by m.group_id""",
        *(organization_id, patient_id, args.get("at")),
    )
    if not rows:
        return
    await lock(tx, organization_id, groups=[row["group_id"] for row in rows])
    await end(tx, organization_id, [row["id"] for row in rows])
    tx.concerns(patient_id=patient_id)
    facts = {"group_ids": [row["group_id"] for row in rows]}
    await audit.append(tx, organization_id, None, "group_member.ended", f"archived {patient_id}", facts)
    for row in rows:
        await asking.ask(tx, organization_id, row["group_id"])


async def _shape(tx: Transaction, actor: Actor, row: dict[str, Any]) -> GroupMemberShape:
    may = READ_NOTES in actor.permissions
    notes = await sealed.open_(tx.keys, "group_members", actor.organization_id, row) if may else None
    return GroupMemberShape(**row | {"notes": notes})

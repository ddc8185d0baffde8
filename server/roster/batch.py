"""Adding many at once: all that fit, or, where they do not, nobody (domain.md §5)."""

from pydantic import BaseModel, ConfigDict, Field

from server import audit
from server.db import Transaction
from server.errors import Conflict
from server.ids import GroupId, GuestId, Id, PatientId
from server.people.actors import Actor
from server.people.wording import Prose
from server.roster import asking, groups, members, policy
from server.roster.members import GroupMemberShape, MemberType
from server.roster.policy import Key

_TYPES: dict[str, type[Id]] = {"patient": PatientId, "guest": GuestId}


class NewMember(BaseModel):
    """Somebody to add. An id that names nobody is an error of this item alone, and so it may look like anything."""

    member_type: MemberType
    patient_id: str | None = Field(None, max_length=100)
    guest_id: str | None = Field(None, max_length=100)
    notes: Prose | None = None


class AddGroupMembers(BaseModel):
    """Add many to a group at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"members": []}]})
    group_id: GroupId
    members: list[NewMember] = Field(max_length=500)


class ItemError(BaseModel):
    """What was wrong with one item, by its place in the request, from 0."""

    index: int
    message: str


class AddedGroupMembers(BaseModel):
    """What came of it: how many were added and how many were active members already, what was wrong, and the new rows."""

    created: int
    skipped: int
    errors: list[ItemError]
    items: list[GroupMemberShape]


async def add_batch(tx: Transaction, actor: Actor, params: AddGroupMembers) -> AddedGroupMembers:
    """Add many to a group at once: who is active already is skipped, and what is wrong with an item stops no other.

    Raises:
        NotFound: no such group.
        Conflict: the group is archived, or has fewer places than there are new members: then nobody is added.
    """
    organization_id = actor.organization_id
    wanted = [_key(item) for item in params.members]
    keys = [key for key in wanted if not isinstance(key, str)]
    await members.lock_people(tx, organization_id, keys)
    group = await groups.locked(tx, organization_id, params.group_id)
    if group["status"] == "archived":
        raise Conflict(policy.ARCHIVED)
    active = await members.active(tx, organization_id, params.group_id)
    wrong = await members.unusable(tx, organization_id, keys)
    plan = policy.plan_batch(wanted, active, wrong, group["max_participants"])
    if plan.refused:
        raise Conflict(plan.refused)
    chosen = [(key, params.members[place].notes) for place in plan.add if not isinstance(key := wanted[place], str)]
    ids = set(await members.insert(tx, organization_id, params.group_id, chosen))
    for kind, who in (key for key, _ in chosen):
        if kind == "patient":  # an entry on each one's record; the batch has one of its own
            tx.record["patient_id"] = who
            facts = {"group_id": params.group_id}
            await audit.append(tx, organization_id, actor.person_id, "group_member.add", actor.request_id, facts)
    tx.record.pop("patient_id", None)
    if ids:
        await asking.ask(tx, organization_id, params.group_id)
    items = await members.some(tx, actor, params.group_id, ids)
    errors = [ItemError(index=place, message=message) for place, message in plan.errors]
    return AddedGroupMembers(created=len(ids), skipped=plan.skipped, errors=errors, items=items)


def _key(item: NewMember) -> Key | str:
    key = policy.reference(item.member_type, item.patient_id, item.guest_id)
    if isinstance(key, str) or _TYPES[key[0]].fits(key[1]):
        return key
    return f"There is no such {key[0]}."

"""Why somebody was, or was not, told of a message: one explained outcome per medium and cause (domain.md §4)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from server.chat.channels import mine
from server.chat.shapes import when
from server.db import Transaction
from server.errors import NotFound
from server.ids import ChannelId, DeviceId, MembershipId, MessageId, PersonId
from server.notices.rules import WHY, Cause
from server.people.actors import Actor

Medium = Literal["push", "email"]
ASKED: Final[tuple[tuple[Medium, Cause], ...]] = (
    *(("push", "new"), ("email", "new")),
    *(("push", "unattended"), ("email", "unattended")),
)


class AskWhy(BaseModel):
    """A message in a channel of mine; of the channel's members, whom to leave out and how many to tell of."""

    channel_id: ChannelId
    message_id: MessageId
    skip: int = Field(0, ge=0, le=1_000_000)
    limit: int = Field(100, ge=1, le=200)


class Delivered(BaseModel):
    """What came of a push at one device; `answer` is the provider's HTTP status, if it gave one."""

    device_id: DeviceId
    status: str
    answer: int | None
    attempts: int
    at: str


class Outcome(BaseModel):
    """What became of one notice: `why` in one word, `explained` in a sentence. Status none: there is nothing in the ledger.

    `at` is when it was settled; while it is due, `due_at` is when it goes out or is decided again. `answers_for_offset`, of an
    email: where the episode begins that this message belongs to.
    """

    medium: Literal["push", "email"]
    cause: Literal["new", "unattended"]
    status: Literal["due", "sent", "suppressed", "failed", "dead", "none"]
    why: str
    explained: str
    at: str | None = None
    due_at: str | None = None
    attempts: int = 0
    answers_for_offset: int | None = None
    devices: list[Delivered] = []


class OfMember(BaseModel):
    """What became of the notices for one membership: four, one per medium and cause. `left`: it has ended since."""

    member_id: MembershipId
    person_id: PersonId
    name: str
    left: bool
    outcomes: list[Outcome]


class Why(BaseModel):
    """What became of the notices about a message, for everybody who is or was in its channel, the longest there first."""

    message_id: MessageId
    members: list[OfMember]


# A membership and a message.
_WHO = """
select m.organization_id, m.channel_id, m.id as member_id, m.person_id, m.person_kind, m.joined_offset, m.left_offset,
       coalesce(t.name, q.preferred_name, q.legal_name) as name,
       x.log_offset, x.author_person_id, x.created_at, coalesce(k.planned_offset, 0) as planned_offset
  from messages x join memberships m on (m.channel_id, m.organization_id) = (x.channel_id, x.organization_id)
  left join team_members t on (t.organization_id, t.id) = (m.organization_id, m.person_id)
  left join patients q on (q.organization_id, q.id) = (m.organization_id, m.person_id)
  left join notice_marks k on (k.channel_id, k.organization_id) = (x.channel_id, x.organization_id)
 where (x.organization_id, x.channel_id, x.id) = ($1, $2, $3) and x.log_offset >= $7 and ($4::text is null or m.person_id = $4)
 order by m.joined_offset, m.id offset $5 limit $6"""
# The row that answers: its own; of a new message's email, that of the episode it belongs to. What was planned as read or deleted
# already answers for itself alone.
_ROWS = """
select w.member, n.*
  from unnest($3::text[], $4::text[], $5::text[]) as w (member, medium, cause)
  cross join lateral (select * from notices r
     where (r.membership_id, r.medium, r.cause, r.channel_id, r.organization_id) = (w.member, w.medium, w.cause, $2, $1)
       and (r.log_offset = $6 or w.medium = 'email' and w.cause = 'new' and r.log_offset < $6
          and not (r.why in ('read', 'deleted') and r.settled_at = r.planned_at))
     order by r.log_offset desc limit 1) n"""
_DEVICES = """
select notice_id, device_id, status, answer, attempts, at from notice_deliveries
 where notice_id = any ($2) and organization_id = $1 order by at, device_id"""


async def why(tx: Transaction, actor: Actor, params: AskWhy) -> Why:
    """Why somebody was, or was not, told of a message in one of my channels; for team members.

    Raises:
        NotFound: not the actor's channel, or no such message in it. Forbidden: for patients.
    """
    channel = await mine(tx, actor, params.channel_id)
    actor.require_staff()
    return await explain(tx, actor.organization_id, params, floor=channel["visible_from"])


async def explain(
    tx: Transaction, organization_id: str, params: AskWhy, person_id: str | None = None, floor: int = 1
) -> Why:
    """The same, whoever asks; of one person's memberships alone, if that is given. Raises NotFound.

    Args:
        floor: the first offset that whoever asks may see.
    """
    named = (organization_id, params.channel_id, params.message_id)
    members = await tx.rows(_WHO, *named, person_id, params.skip, params.limit, floor)
    known = members or await tx.rows(
        "select id from messages where (organization_id, channel_id, id) = ($1, $2, $3) and log_offset >= $4",
        *(*named, floor),
    )
    if not known:
        raise NotFound("There is no such message in this channel.")
    told = await _told(tx, organization_id, params.channel_id, members) if members else {}
    return Why(
        message_id=params.message_id,
        members=[
            OfMember(
                **{name: member[name] for name in ("member_id", "person_id", "name")},
                left=member["left_offset"] is not None,
                outcomes=[
                    _never_theirs(member, medium, cause)
                    or told.get((member["member_id"], medium, cause))
                    or _untold(member, medium, cause)
                    for medium, cause in ASKED
                ],
            )
            for member in members
        ],
    )


async def _told(
    tx: Transaction, organization_id: str, channel_id: str, members: Sequence[dict[str, Any]]
) -> dict[tuple[str, str, str], Outcome]:
    asked = [(member["member_id"], medium, cause) for member in members for medium, cause in ASKED]
    columns = (list(column) for column in zip(*asked, strict=True))
    rows = await tx.rows(_ROWS, organization_id, channel_id, *columns, members[0]["log_offset"])
    devices: dict[str, list[Delivered]] = {}
    for device in await tx.rows(_DEVICES, organization_id, [row["id"] for row in rows]):
        devices.setdefault(device.pop("notice_id"), []).append(Delivered(**{**device, "at": when(device["at"])}))
    written = members[0]["created_at"]
    return {
        (row["member"], row["medium"], row["cause"]): _outcome(row, devices.get(row["id"], []), written) for row in rows
    }


def _outcome(row: dict[str, Any], devices: list[Delivered], written: datetime) -> Outcome:
    word = "mailed" if row["why"] == "sent" and row["settled_at"] < written else row["why"]
    return Outcome(
        **{name: row[name] for name in ("medium", "cause", "status", "attempts")},
        why=word,
        explained=WHY[word],
        at=when(row["settled_at"]) if row["settled_at"] else None,
        due_at=when(row["due_at"]) if row["status"] == "due" else None,
        answers_for_offset=row["log_offset"] if row["medium"] == "email" else None,
        devices=devices,
    )


def _never_theirs(member: dict[str, Any], medium: Medium, cause: Cause) -> Outcome | None:
    """Whose own message it is, or who was gone by then, has no part in an episode that began before it."""
    word = _without_a_row(member, cause)
    return _untold(member, medium, cause) if word in ("own", "left_before") else None


def _untold(member: dict[str, Any], medium: Medium, cause: Cause) -> Outcome:
    word = _without_a_row(member, cause)
    return Outcome(medium=medium, cause=cause, status="none", why=word, explained=WHY[word])


def _without_a_row(member: dict[str, Any], cause: str) -> str:
    offset = member["log_offset"]
    if member["author_person_id"] == member["person_id"]:
        return "own"
    if cause == "unattended":
        told = member["person_kind"] == "team_member"
        return "not_unattended" if told else "not_for_patients"
    if member["left_offset"] is not None and member["left_offset"] <= offset:
        return "left_before"
    if member["joined_offset"] >= offset:
        return "joined_later"
    return "not_planned" if member["planned_offset"] < offset else "before"

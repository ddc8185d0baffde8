"""Situations in which somebody writes: all of them as plain values, and each as rows of a real database."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg

from server.chat.policy import Kind, PersonKind, Posting, Root
from server.ids import ChannelId, MembershipId, MessageId, PatientId, TeamMemberId
from tests.support.cast import Clinic

KINDS: tuple[Kind, ...] = ("care_team", "service_team", "staff", "group", "direct")
REPLIES = ("none", "fine", "missing", "a reply", "below the floor", "in another channel")
OTHERS = ("active", "archived", "gone")
FLOOR = 4
"""Where a present member's sight begins: after the first root, before the second."""


Situation = tuple[str, str, dict[str, str]]
"""The channel, who writes there, and what can be replied to, by the name that the cases have for it."""


@dataclass(frozen=True)
class Case:
    """One situation in which somebody writes."""

    kind: Kind | None
    channel: str = "active"
    member: str = "present"
    person: PersonKind = "team_member"
    status: str = "active"
    other: str = "active"
    reply: str = "none"

    def posting(self) -> Posting:
        """The situation as the pure rule takes it."""
        roots = {
            "fine": Root(FLOOR + 1, False),
            "a reply": Root(FLOOR + 2, True),
            "below the floor": Root(FLOOR - 2, False),
        }
        return Posting(
            self.kind,
            self.channel == "active",
            self.status == "active",
            FLOOR if self.member == "present" and self.kind else None,
            1 if self.other == "active" else 0,
            self.reply != "none",
            roots.get(self.reply),
        )

    def can_be(self) -> bool:
        """Whether schema.sql lets this situation exist: no patient among staff, none out of their own channel's team."""
        if self.person == "patient" and self.kind in ("staff", "direct") and self.member != "none":
            return False
        if self.person == "patient" and self.kind in ("care_team", "service_team") and self.member == "ended":
            return False
        if self.person == "patient" and self.status == "active" and self.member == "present" and self.other != "active":
            return False  # a patient channel has staff
        return not (self.kind == "direct" and self.channel == "archived")


def table() -> Iterator[Case]:
    """Every combination, whether it can be or not, and those without a channel."""
    sides = itertools.product(
        KINDS,
        ("active", "archived"),
        ("none", "present", "ended"),
        ("patient", "team_member"),
        ("active", "archived"),
        OTHERS,
    )
    for kind, channel, member, person, status, other in sides:
        for reply in REPLIES:
            yield Case(kind, channel, member, person, status, other, reply)  # type: ignore[arg-type]
    for reply in REPLIES:
        yield Case(None, member="none", reply=reply)


class Stage:
    """Builds the situations in a database, past the operations; what the schema refuses cannot be."""

    def __init__(self, owner: asyncpg.Connection, clinic: Clinic) -> None:
        self.owner = owner
        self.organization_id = clinic.organization_id
        self.clinician = clinic.clinician
        self.serial = itertools.count()

    async def person(self, kind: str, status: str) -> str:
        """Somebody of this kind; a patient's own row is needed for channels that are about them."""
        new = PatientId.new() if kind == "patient" else TeamMemberId.new()
        address = f"stage{next(self.serial)}@clinic.invalid"
        await self.owner.execute(
            "insert into people values ($1, $2, $3, $4, $5)", self.organization_id, new, kind, address, status
        )
        if kind == "patient":
            await self.owner.execute(
                """insert into patients (organization_id, id, legal_name, allocation_clinician_id, patient_group_id)
                   select $1, $2, 'Patient', $3, id from patient_groups where organization_id = $1""",
                *(self.organization_id, new, self.clinician),
            )
        return new

    async def member(self, channel: str, kind: str, person: str, state: str, floor: int) -> str:
        """A membership, present or ended."""
        new = MembershipId.new()
        await self.owner.execute(
            """insert into memberships (organization_id, id, channel_id, channel_kind, person_id, person_kind, source,
                 visible_from, read_offset, joined_offset, joined_at, left_offset, left_at)
               select $1, $2, $3, $4, p.id, p.kind, 'manual', $6, $6, 1, now(), $7::bigint,
                      case when $7::bigint is not null then now() end from people p where p.id = $5""",
            *(self.organization_id, new, channel, kind, person, floor, 2 if state == "ended" else None),
        )
        return new

    async def channel(self, case: Case, about: str | None) -> str:
        """A channel of the case's kind, with a log as far as the floor and a little beyond."""
        new = ChannelId.new()
        named = "Name" if case.kind in ("staff", "group") else None
        founded = new if case.kind == "direct" else None
        await self.owner.execute(
            """insert into channels (organization_id, id, kind, patient_id, name, founding_set, status, top_offset)
               values ($1, $2, $3, $4, $5, $6, $7, 10)""",
            *(self.organization_id, new, case.kind, about, named, founded, case.channel),
        )
        return new

    async def roots(self, channel: str, author: str, person: str) -> dict[str, str]:
        """What can be replied to, by the name that the cases have for it."""
        ids: dict[str, str] = {name: MessageId.new() for name in ("below the floor", "fine", "a reply")}
        for name, offset in (("below the floor", FLOOR - 2), ("fine", FLOOR + 1), ("a reply", FLOOR + 2)):
            await self.owner.execute(
                """insert into messages (organization_id, channel_id, id, log_offset, author_id, author_person_id, client_id,
                     reply_to, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, now())""",
                *(self.organization_id, channel, ids[name], offset, author, person, name),
                ids["fine"] if name == "a reply" else None,
            )
        return ids

    async def build(self, case: Case) -> Situation:
        """The channel, who writes, and the roots; commits nothing, and checks what is checked at a commit."""
        writer = await self.person(case.person, case.status)
        about = None
        if case.kind in ("care_team", "service_team", "staff"):
            own = case.person == "patient" and case.member != "none" and case.kind != "staff"
            about = writer if own else await self.person("patient", "archived")
        channel = await self.channel(case, about)
        other = await self.person("team_member", "archived" if case.other == "archived" else "active")
        other_member = await self.member(
            channel, case.kind or "", other, "ended" if case.other == "gone" else "present", 1
        )
        if case.member != "none":
            await self.member(channel, case.kind or "", writer, case.member, FLOOR)
        roots = await self.roots(channel, other_member, other)
        await self.owner.execute("set constraints all immediate")
        await self.owner.execute("set constraints all deferred")
        return channel, writer, roots


async def stand(stage: Stage, case: Case) -> Situation | None:
    """Build a situation, or say with None that the schema does not let it be."""
    attempt = stage.owner.transaction()
    await attempt.start()
    try:
        built = await stage.build(case)
    except asyncpg.IntegrityConstraintViolationError:
        await attempt.rollback()
        return None
    await attempt.commit()
    return built

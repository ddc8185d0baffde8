"""What ought to reach people, written from domain.md §4 alone: nothing of the server is imported here.

Everything happens at the moment `at` of a worker's round. The oracle says which pushes and which emails go out in it, and of what
does not, for which reasons that may be (which of several true reasons is told is the product's choice).
"""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

EMAIL_AFTER = timedelta(minutes=5)
UNATTENDED_AFTER = timedelta(hours=24)
MOST_STARTS = 3
JOINS_NOW = 10**9
"""The offset at which somebody joined whom the product itself has brought in: the test puts in the real one."""


@dataclass(eq=False)
class Person:
    """Somebody, and what they want. Quiet hours are in UTC here."""

    name: str
    is_staff: bool
    push: bool = True
    email: bool = True
    device: bool = True
    active: bool = True
    quiet: tuple[time, time] | None = None

    def quiet_until(self, at: datetime) -> datetime | None:
        """When the quiet hours end that `at` lies in."""
        if self.quiet is None:
            return None
        begins, ends = self.quiet
        for days in (-1, 0):
            start = datetime.combine(at.date() + timedelta(days), begins, at.tzinfo)
            end = datetime.combine(start.date() + timedelta(days=ends <= begins), ends, at.tzinfo)
            if start <= at < end:
                return end
        return None


@dataclass(eq=False)
class Message:
    """What somebody wrote, and when."""

    id: str
    offset: int
    author: Person
    at: datetime
    deleted: bool = False


@dataclass(eq=False)
class Push:
    """What is owed to a membership for a message: open until it is sent or something stood in its way."""

    message: Message
    cause: str
    due: datetime
    starts: int = 0
    outcome: str | None = None
    reasons: frozenset[str] = frozenset()


@dataclass(eq=False)
class Member:
    """A membership, and the episode of what it has not read.

    Attributes:
        told: an email has gone, or been decided against, for the episode that began here; over when the mark reaches it.
        reopened: decided against, until another message came then.
        held: that episode waits for the end of the quiet hours, and nothing is decided before.
        begun: where the present episode began.
        owed: something was written since they joined; who is brought in is told of what was before once, as unattended.
    """

    person: Person
    joined: int
    mark: int
    left: int | None = None
    fallback: bool = False
    muted: bool = False
    viewing_until: datetime | None = None
    pushes: dict[tuple[str, str], Push] = field(default_factory=dict)
    told: int | None = None
    told_how: str | None = None
    reopened: tuple[int, datetime] | None = None
    held: tuple[int, datetime] | None = None
    owed: bool = True
    begun: int = 0
    begun_at: datetime | None = None

    def was_there(self, offset: int) -> bool:
        """When the log stood there."""
        return self.joined < offset and (self.left is None or self.left > offset)


@dataclass(eq=False)
class Sent:
    """What one round sends: pushes by (person, message, cause); and who gets the one email that is about everything due."""

    pushes: set[tuple[str, str, str]] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Channel:
    """A care-team channel, as those see it who are told of it."""

    members: list[Member]
    messages: list[Message] = field(default_factory=list)
    active: bool = True
    planned: int = 0
    waiting: int | None = None
    """The offset of the patient's message that nobody of the team has read, and what has been done about it."""
    since: datetime | None = None
    noticed_at: datetime | None = None
    escalated: bool = False
    chain: list[Person] = field(default_factory=list)
    """Who keeps it staffed, one to a link."""

    def current(self, person: Person) -> Member | None:
        """The membership that has not ended."""
        return next((member for member in self.members if member.person is person and member.left is None), None)

    def unread(self, member: Member) -> list[Message]:
        """By other persons, not deleted, beyond the mark."""
        return [m for m in self.messages if m.offset > member.mark and m.author is not member.person and not m.deleted]

    def crash(self, at: datetime) -> None:
        """A worker plans, takes what is due, and is never seen again: that waits half a minute, three times at most."""
        self._plan(at)
        for member in self.members:
            for push in member.pushes.values():
                if push.outcome is None and push.due <= at:
                    push.starts, push.due = push.starts + 1, at + timedelta(seconds=30)
                    if push.starts > MOST_STARTS:
                        push.outcome = "dead"

    def round(self, at: datetime, sent: Sent) -> None:
        """One round of a worker."""
        self._plan(at)
        self._attend(at, sent)
        for member in self.members:
            for push in member.pushes.values():
                if push.outcome is None and push.due <= at:
                    self._push(member, push, at, sent)
            self._email(member, at, sent)

    def _plan(self, at: datetime) -> None:
        for message in self.messages:
            if message.offset <= self.planned:
                continue
            self.planned = message.offset
            for member in self.members:
                if member.person is not message.author and member.was_there(message.offset):
                    member.pushes[message.id, "new"] = push = Push(message, "new", at)
                    self._decide(member, push, at)
                    unread = message.offset > member.mark and not message.deleted
                    member.owed = member.owed or unread
                    if unread and member.begun <= member.mark:
                        member.reopened = None
                        self._begin(member)
                    if unread and self._answered(member) and member.told_how == "suppressed":
                        member.reopened, member.told = (member.told, message.at), None
                    if unread and member.held and member.held[0] <= member.mark:
                        member.held = None  # what was held is read: this one is an episode of its own

    def _against(self, member: Member, message: Message) -> set[str]:
        """Everything that stands in the way of telling somebody of a message, whatever the medium."""
        facts = {
            "left": member.left is not None,
            "archived_person": not member.person.active,
            "archived_channel": not self.active,
            "deleted": message.deleted,
            "read": member.mark >= message.offset,
            "muted": member.muted,
        }
        return {name for name, holds in facts.items() if holds}

    def _push(self, member: Member, push: Push, at: datetime, sent: Sent) -> None:
        if push.starts >= MOST_STARTS:
            push.outcome = "dead"
            return
        push.starts = 0
        if self._decide(member, push, at):
            if member.viewing_until and member.viewing_until > at:
                push.due = member.viewing_until
                return
            push.outcome = "sent"
            sent.pushes.add((member.person.name, push.message.id, push.cause))

    def _decide(self, member: Member, push: Push, at: datetime) -> bool:
        """Whether nothing stands in its way and no quiet hours hold it; when it is planned, and again when it is due."""
        against = self._against(member, push.message)
        if not member.person.push:
            against.add("off")
        if not member.person.device:
            against.add("no_device")
        if push.cause == "unattended" and self._attended(push.message):
            against.add("attended")
        if against:
            push.outcome, push.reasons = "suppressed", frozenset(against)
            return False
        if push.cause == "new" and (quiet := member.person.quiet_until(at)):
            push.due = quiet
            return False
        return True

    def _begin(self, member: Member) -> None:
        first = self.unread(member)[0]
        member.begun, member.begun_at = first.offset, first.at

    def _answered(self, member: Member) -> bool:
        """It re-arms when its own mark moves past where the episode began."""
        return member.told is not None and member.told > member.mark

    def _email(self, member: Member, at: datetime, sent: Sent) -> None:
        unread = self.unread(member)
        if not unread and not self._answered(member) and member.begun_at and member.begun_at + EMAIL_AFTER <= at:
            member.begun, member.begun_at = 0, None  # nothing is left of it: the next is another one
        if not unread or not member.owed or self._answered(member) or self.planned < unread[0].offset:
            return
        since = unread[0].at
        if member.begun <= member.mark:
            member.reopened = None  # that was another episode: this one has been decided for nobody
        if member.reopened:  # it was decided against, and another message came: nothing is decided for as long again
            since = max(since, member.reopened[1])
        if since + EMAIL_AFTER > at or (member.held and at < member.held[1]):
            return
        member.reopened = None
        if member.begun <= member.mark:
            self._begin(member)
        if self._against(member, unread[0]) or not member.person.email:
            member.told, member.told_how = member.begun, "suppressed"
        elif quiet := member.person.quiet_until(at):
            member.held = (member.begun, quiet)
        else:
            member.told, member.told_how = member.begun, "sent"
            sent.emails.add(member.person.name)

    # ---- unattended

    def _attended(self, message: Message) -> bool:
        """Somebody of the team has read it. Who joined later starts at their join, and has not."""
        return any(
            member.person.is_staff
            and member.mark >= message.offset
            and (member.mark > member.joined or member.fallback)
            for member in self.members
        )

    def _attend(self, at: datetime, sent: Sent) -> None:
        waiting = (m for m in self.messages if not m.author.is_staff and not m.deleted and not self._attended(m))
        oldest = next(waiting, None)
        if not self.active or oldest is None:
            self.waiting = None
            return
        if self.waiting != oldest.offset:
            self.waiting, self.since, self.noticed_at, self.escalated = oldest.offset, oldest.at, None, False
        if self.noticed_at is None and oldest.at + UNATTENDED_AFTER <= at:
            self.noticed_at = at
            self._notice(
                [member for member in self.members if member.person.is_staff and member.left is None], oldest, at, sent
            )
        elif self.noticed_at and not self.escalated and self.noticed_at + UNATTENDED_AFTER <= at:
            self.escalated = True
            there = [member.person for member in self.members if member.left is None]
            added = next((person for person in self.chain if person.active and person not in there), None)
            if added:
                self.members.append(Member(added, JOINS_NOW, oldest.offset - 1, fallback=True, owed=False))
                self._notice(self.members[-1:], oldest, at, sent)

    def _notice(self, members: list[Member], oldest: Message, at: datetime, sent: Sent) -> None:
        for member in members:
            if (oldest.id, "unattended") in member.pushes:
                continue  # once is enough, whatever happens to the channel meanwhile
            member.pushes[oldest.id, "unattended"] = Push(oldest, "unattended", at)
            if not self._against(member, oldest) and member.person.email:
                sent.emails.add(member.person.name)

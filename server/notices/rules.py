"""What becomes of a notice: push now, email later, nothing, and why (domain.md §4). Pure: plain values in, a decision out.

Planning asks when a message is new, the ledger asks again when a row is due, and once more just before anything is sent: the
same rules each time. What stands in the way comes first, in the order of AGAINST; then what makes it wait.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Status = Literal["due", "sent", "suppressed", "failed", "dead"]
Cause = Literal["new", "unattended"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a notice, and in one word, why. A due one without a moment goes out now; one with a moment waits for it."""

    status: Status
    why: str
    due_at: datetime | None = None

    @property
    def sends(self) -> bool:
        """Whether it goes out now."""
        return self.status == "due" and self.due_at is None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides about one notice, as of one moment.

    Attributes:
        at: the moment.
        cause: a new message, or one that nobody of the team has read for long.
        own: the person wrote it. left: the membership has ended. archived_person, archived_channel: no longer active.
        deleted: of an email: nothing of its episode is left that is not deleted.
        read: the read mark has reached it. attended: it is an unattended notice, and somebody of the team has read the message.
        muted: the membership is. off: the person does not want this medium. unreachable: no device; no address.
        quiet_until: when the quiet hours end that the moment lies in.
        viewing_until: until when the person counts as reading the channel, unless their page says so again.
        unread_since: when the oldest message was written that an email would be about; wait: for how long it must be unread.
    """

    at: datetime
    cause: Cause = "new"
    own: bool = False
    left: bool = False
    archived_person: bool = False
    archived_channel: bool = False
    deleted: bool = False
    read: bool = False
    attended: bool = False
    muted: bool = False
    off: bool = False
    unreachable: bool = False
    quiet_until: datetime | None = None
    viewing_until: datetime | None = None
    unread_since: datetime | None = None
    wait: timedelta = timedelta(minutes=5)


AGAINST: Final = (
    *("own", "left", "archived_person", "archived_channel", "deleted", "read", "attended", "muted", "off"),
    "unreachable",
)
"""What stands in the way of a notice: facts by their names, the first that holds is the one that is told."""


def decide_push(facts: Facts) -> Decision:
    """A push: now, unless something stands in its way, the hours are quiet, or the person is reading the channel."""
    if word := _against(facts, "no_device"):
        return Decision("suppressed", word)
    if quiet := _quiet(facts):
        return quiet
    if facts.viewing_until is not None:
        return Decision("due", "viewing", facts.viewing_until)
    return Decision("due", facts.cause)


def decide_email(facts: Facts) -> Decision:
    """An unread email: once the message has been unread for long enough, unless something stands in its way.

    An unattended notice has waited long enough already.
    """
    if word := _against(facts, "no_address"):
        return Decision("suppressed", word)
    if facts.cause == "new" and facts.unread_since is not None and facts.unread_since + facts.wait > facts.at:
        return Decision("due", "waiting", facts.unread_since + facts.wait)
    return _quiet(facts) or Decision("due", facts.cause)


def _against(facts: Facts, unreachable: str) -> str | None:
    word = next((name for name in AGAINST if getattr(facts, name)), None)
    return unreachable if word == "unreachable" else word


def _quiet(facts: Facts) -> Decision | None:
    if facts.cause == "unattended" or facts.quiet_until is None:
        return None
    return Decision("due", "quiet", facts.quiet_until)


WHY: Final[dict[str, str]] = {
    # What suppressed it.
    "own": "It was their own message.",
    "left": "They had left the channel before it could be sent.",
    "archived_person": "They were archived: archived people are told nothing.",
    "archived_channel": "The channel was archived: archived channels notify nobody.",
    "deleted": "The message was deleted before it could be sent.",
    "read": "They had read the message before it could be sent.",
    "attended": "Somebody of the team had read the message meanwhile.",
    "muted": "They had muted the channel.",
    "off": "They had switched this kind of notice off.",
    "no_device": "None of their devices takes pushes: they have not allowed it in any browser, or have signed out since.",
    "no_address": "There is no email address to send it to.",
    # What it waits for.
    "new": "It goes out as soon as a worker comes to it.",
    "unattended": "Nobody of the team has read the message for long; this goes out as soon as a worker comes to it.",
    "waiting": "It is sent once the message has been unread for long enough.",
    "anew": "It was not sent at first; another message came, and it is decided again once that has been unread for long enough.",
    "quiet": "It waits for the end of their quiet hours, and is decided again then.",
    "viewing": "They have the channel open; it is decided again when they have not shown so for half a minute.",
    "again": "Sending failed for now; it is tried again.",
    # What became of it.
    "sent": "It was sent.",
    "mailed": "An email about earlier messages had gone out already; there is no other one until they have read.",
    "gone": "The devices it went to are gone: their browsers take no pushes any more.",
    "refused": "Whoever was to deliver it refused it.",
    "no_relay": "This server sends no emails: it has no mail relay.",
    "no_key": "This server sends no pushes: it has no key to sign them with.",
    "failed": "It could not be delivered.",
    "given_up": "It was tried too often without success; an operator can have it tried again.",
    "killed": "Whatever began to send it never came back, three times; an operator can have it tried again.",
    # Where nothing is in the ledger.
    "not_a_member": "They were not in the channel when it was written.",
    "joined_later": "They joined after it was written.",
    "left_before": "They had left the channel when it was written.",
    "not_planned": "It has not been planned yet; that takes less than a second.",
    "before": "It was written before notices were kept.",
    "not_for_patients": "Only the team is told of messages that stand unattended.",
    "not_unattended": "It has not stood unattended: only a patient's message can, and this one has been read, or not for long.",
}
"""Each word of the ledger's column `why`, explained for staff; and why there is no row, where there is none."""

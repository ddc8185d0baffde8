"""Who may do what in a channel: pure rules over plain values. No database, no clock, every branch tested.

`can_post` states again what append_batch() in schema.sql decides with its locks held; one table of cases runs through both.
"""

from dataclasses import dataclass
from typing import Literal

from server.errors import Conflict, Forbidden, NotFound, WarmlineError

Kind = Literal["care_team", "service_team", "staff", "group", "direct"]
PersonKind = Literal["patient", "team_member"]


Outcome = Literal["ok", "not_found", "person_archived", "channel_archived", "nobody_left", "root_not_found"]


NOT_FOUND = "There is no such channel."
"""For whatever is not there and for whatever is not theirs, in the same words."""

REFUSALS: dict[str, WarmlineError] = {
    "not_found": NotFound(NOT_FOUND),
    "person_archived": Forbidden("You can no longer write here. Your message was not delivered."),
    "channel_archived": Conflict("This channel is archived and takes no messages. Yours was not delivered."),
    "nobody_left": Conflict("Nobody else is left in this channel. Your message was not delivered."),
    "root_not_found": NotFound("reply_to: there is no such message to reply to."),
}  # fmt: skip
"""What the sender is told for each outcome but ok."""


@dataclass(frozen=True, slots=True)
class Root:
    """The message that a reply answers: its place, and whether it is itself a reply."""

    offset: int
    is_reply: bool


@dataclass(frozen=True, slots=True)
class Posting:
    """What decides whether somebody may write: all of it as of one moment."""

    channel_kind: Kind | None
    channel_active: bool
    person_active: bool
    visible_from: int | None
    others_active: int
    replies: bool = False
    root: Root | None = None


def can_post(case: Posting) -> Outcome:
    """Whether a message is accepted, and if not, why; the first reason in this order is the one that is given.

    Args:
        case: `channel_kind` is None where there is no such channel, `visible_from` where the person is not a member (both
            are "not found": domain.md §2). `others_active` counts the other members who are active; it matters in a
            direct channel, which is read-only once nobody else is left. `root` is the message replied to, if found.
    """
    if case.channel_kind is None or case.visible_from is None:
        return "not_found"
    if not case.person_active:
        return "person_archived"
    if not case.channel_active:
        return "channel_archived"
    if case.channel_kind == "direct" and case.others_active == 0:
        return "nobody_left"
    if case.replies and (case.root is None or case.root.is_reply or case.root.offset < case.visible_from):
        return "root_not_found"
    return "ok"


def may_add(kind: Kind, manages_messaging: bool, newcomer: PersonKind) -> str | None:
    """Whether a member may add somebody, or the words of the refusal (domain.md §2: adding, and the table of kinds)."""
    if kind == "direct":
        return "A direct channel keeps the people it was opened for. Open another one with the people you want."
    if kind == "group":
        return None if manages_messaging else "Adding people to a group channel takes Messaging Management."
    if newcomer == "patient":
        return "Only group channels take further patients."
    return None


def may_remove(kind: Kind, manages_messaging: bool, oneself: bool, leaver: PersonKind) -> str | None:
    """Whether a member may end a membership, or the words of the refusal (domain.md §2)."""
    if kind == "direct":
        return "A direct channel cannot be left; it can be hidden."
    if leaver == "patient" and kind != "group":
        return "Patients stay in their care-team and service-team channels. Archive the channel instead."
    if not oneself and not manages_messaging:
        return "Removing somebody else takes Messaging Management."
    return None

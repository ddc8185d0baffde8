"""Who may do what in a channel: pure rules over plain values. No database, no clock, every branch tested.

`can_post` states again what append_batch() in schema.sql decides with its locks held; one table of cases runs through both.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal, get_args

from server.errors import Conflict, Forbidden, Invalid, NotFound, WarmlineError

Kind = Literal["care_team", "service_team", "staff", "group", "direct"]
PersonKind = Literal["patient", "team_member"]
Verb = Literal[
    "open", "see", "ask_to_join", "add", "add_patient", "remove", "remove_patient", "leave", "rename", "archive", "unarchive",
    "hide",
]  # fmt: skip

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


# Everything else that is done to a channel: one table, a row per verb, a column per kind (domain.md §2).

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Who(Enum):
    """Whom a rule lets. Those up to TEAM_OR_MANAGEMENT are asked of people who need not be members."""

    STAFF = auto()
    MANAGEMENT = auto()
    OUTSIDER = auto()
    TEAM_OR_MANAGEMENT = auto()
    MEMBER = auto()
    TEAM = auto()
    MANAGER = auto()
    NOBODY = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """Who asks, as far as the rules go: a member of the channel or not; a team member or a patient; with
    `messaging.manage` or without; active or an archived patient, who only reads."""

    member: bool
    team: bool
    manages: bool = False
    active: bool = True


_S, _M, _O, _TM, _ANY, _T, _TwM, _NO = Who
# fmt: off
_TABLE: Final[dict[Verb, tuple[Who, ...]]] = {
    #                  care_team  service  staff  group  direct
    "open":           (_S,        _S,      _S,    _M,    _S),
    "see":            (_ANY,      _ANY,    _ANY,  _ANY,  _ANY),
    "ask_to_join":    (_O,        _O,      _NO,   _NO,   _NO),
    "add":            (_T,        _T,      _T,    _TwM,  _NO),
    "add_patient":    (_NO,       _NO,     _NO,   _TwM,  _NO),
    "remove":         (_TwM,      _TwM,    _TwM,  _TwM,  _NO),
    "remove_patient": (_NO,       _NO,     _NO,   _TwM,  _NO),
    "leave":          (_T,        _T,      _T,    _ANY,  _NO),
    "rename":         (_NO,       _NO,     _T,    _TwM,  _NO),
    "archive":        (_T,        _T,      _T,    _T,    _NO),
    "unarchive":      (_TM,       _TM,     _TM,   _TM,   _NO),
    "hide":           (_NO,       _NO,     _NO,   _NO,   _ANY),
}
# fmt: on
RULES: Final = {verb: dict(zip(KINDS, row, strict=True)) for verb, row in _TABLE.items()}
"""Who may do what, by verb and kind."""

_STAYS = "Patients stay in their care-team and service-team channels. Archive the channel instead."
_DIRECT = "A direct channel keeps the people it was opened for. Open another one with the people you want."
_WORDS: Final[dict[str, str]] = {
    "add/direct": _DIRECT,
    "add_patient/direct": _DIRECT,
    "add_patient": "Only group channels take further patients.",
    "remove/direct": _DIRECT,
    "remove_patient": _STAYS,
    "leave/direct": "A direct channel cannot be left; it can be hidden.",
    "leave": _STAYS,
    "rename": "Only staff and group channels have a name of their own.",
    "archive": "A direct channel cannot be archived; it can be hidden.",
    "unarchive": "A direct channel cannot be archived; it can be hidden.",
    "hide": "Only direct channels can be hidden. Others can be archived, or left.",
    "ask_to_join": "You are in this channel already.",
}
"""What a refusal says where neither its kind of person nor Messaging Management would help."""
_MANAGEMENT: Final[dict[Verb, str]] = {
    "open": "Opening a group channel takes Messaging Management.",
    "add": "Adding people to a group channel takes Messaging Management.",
    "add_patient": "Adding people to a group channel takes Messaging Management.",
    "remove": "Removing somebody else takes Messaging Management.",
    "remove_patient": "Removing somebody else takes Messaging Management.",
    "rename": "Renaming a group channel takes Messaging Management.",
}
TEAM_ONLY: Final = "This is for team members."
READ_ONLY: Final = "You can read here, and change nothing any more."


def refusal(verb: Verb, kind: Kind, who: Standing) -> WarmlineError | None:
    """Why somebody may not do this to a channel of that kind, or None where they may.

    Whoever is not a member is told that there is no such channel, except of what those do who are not in it: opening,
    asking to join, and unarchiving with `messaging.manage`.
    """
    rule = RULES[verb][kind]
    if not who.member and not _concerns_others(rule, who):
        return NotFound(NOT_FOUND)
    if not who.active and verb != "see":
        return Forbidden(READ_ONLY)
    if rule is Who.MEMBER:
        return None
    if rule is Who.NOBODY or (rule is Who.TEAM and verb == "leave" and not who.team):
        return Forbidden(_WORDS.get(f"{verb}/{kind}") or _WORDS[verb])
    if not who.team:
        return Forbidden(TEAM_ONLY)
    if rule in (Who.MANAGEMENT, Who.MANAGER) and not who.manages:
        return Forbidden(_MANAGEMENT[verb])
    return Conflict(_WORDS[verb]) if rule is Who.OUTSIDER and who.member else None


def _concerns_others(rule: Who, who: Standing) -> bool:
    return rule in (Who.STAFF, Who.MANAGEMENT, Who.OUTSIDER) or (rule is Who.TEAM_OR_MANAGEMENT and who.manages)


def may_revise(who: Standing, own: bool, reason: bool) -> WarmlineError | None:
    """Why a member may not edit or delete a message, or None (domain.md §3): authors their own, others with
    `messaging.manage` and a reason.

    Args:
        own: whether they wrote it.
        reason: whether they give one.
    """
    if not who.active:
        return Forbidden(READ_ONLY)
    if own:
        return None
    if not (who.team and who.manages):
        return Forbidden("Only its author may change a message; for others it takes Messaging Management.")
    return None if reason else Invalid("reason: say why you change what somebody else has written. Staff will see it.")

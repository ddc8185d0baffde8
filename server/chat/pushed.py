"""What a channel's log looks like to its readers, as types: the items of a history, and what is pushed.

Made by shapes.py; read by mypy, by the API's descriptions (OpenAPI, AsyncAPI) and by the tests that hold answers against them.
"""

from typing import Literal, NotRequired

# Of typing_extensions, because pydantic asks for it before Python 3.12.
from typing_extensions import TypedDict


class ReplyTo(TypedDict):
    """The message that a reply is to; where its reader may not see that one, it is "an earlier message"."""

    id: str
    offset: int | None


class MessageItem(TypedDict):
    """A message, whole, as it is now: keep it by `id`, and of two the one with the higher `revision`.

    `changed_by` says who edited or deleted it; to staff, `person` says which team member, if not its author.
    """

    type: Literal["message"]
    id: str
    offset: int
    revision: int
    author: str
    at: str
    text: NotRequired[str]
    reply_to: NotRequired[ReplyTo]
    edited: NotRequired[bool]
    deleted: NotRequired[bool]
    changed_by: NotRequired[Literal["author", "team_member"]]
    person: NotRequired[str]
    unreadable: NotRequired[bool]


class SystemItem(TypedDict):
    """Who came or went, opened, closed or renamed the channel, or asks to join it: membership ids.

    `replaces` is whose place somebody takes; `person` is a team member who is not in the channel: staff alone are told.
    """

    type: Literal["opened", "joined", "left", "archived", "unarchived", "renamed", "asked"]
    offset: int
    at: str
    members: list[str]
    by: NotRequired[str]
    replaces: NotRequired[str]
    person: NotRequired[str]


class Void(TypedDict):
    """Stands at the offset of an event that is not for its reader, so that offsets stay without a gap. Skip it."""

    type: Literal["void"]


class Seen(TypedDict):
    """Somebody has read up to here; without an offset of its own. Patients are not told who: their team has."""

    type: Literal["seen"]
    offset: int
    member: NotRequired[str]


class NewProfile(TypedDict):
    """A member has another name or picture here: read the directory again. Without an offset."""

    type: Literal["profile"]
    member: str


class ChannelHint(TypedDict):
    """How a channel of mine stands, on my personal channel: a whole fact. `member` false: it is mine no more, and that is all."""

    type: Literal["channel"]
    channel: str
    member: bool
    name: NotRequired[str | None]
    status: NotRequired[Literal["active", "archived"]]
    unread: NotRequired[int]
    read_offset: NotRequired[int]
    top: NotRequired[int]
    writable: NotRequired[bool]
    hidden: NotRequired[bool]
    unattended: NotRequired[bool]
    muted: NotRequired[bool]
    marked_unread: NotRequired[bool]


Item = MessageItem | SystemItem
Pushed = MessageItem | SystemItem | Void | Seen | NewProfile | ChannelHint

"""Messages: what a send takes and answers, and reading the history."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field

from server import events
from server.chat import bodies, shapes
from server.chat.channels import mine
from server.db import Transaction
from server.ids import ChannelId, MessageId
from server.people.actors import Actor


class SendMessage(BaseModel):
    """A new message. Sending the same again with the same client_id is always safe."""

    channel_id: ChannelId
    client_id: str = Field(
        pattern="^[ -~]{1,64}$", description="1–64 printable ASCII characters, new for every message"
    )
    text: str = Field(description="1–8,000 code points after trimming")
    reply_to: MessageId | None = None


class Sent(BaseModel):
    """The message is written and will not be lost. A retry answers the same."""

    message_id: MessageId
    offset: int
    at: str


class ReadHistory(BaseModel):
    """A page of a channel's history, newest first."""

    channel_id: ChannelId
    before: int | None = Field(None, ge=1, le=2**53 - 1, description="Only what stands before this offset")
    limit: int = Field(50, ge=1, le=100)


MOST_BYTES = 256 * 1024
"""Of the texts of a page: a hundred of the longest would be megabytes, and whoever reads slowly would be cut off each time."""


class MessagePage(BaseModel):
    """A page of messages and of who came and went; subscribe from (epoch, offset) and nothing falls between.

    It may hold fewer than asked for, where they are long; `more` says whether there are older ones.
    """

    epoch: str
    offset: int
    items: list[dict[str, Any]]
    more: bool


async def history(tx: Transaction, actor: Actor, params: ReadHistory) -> MessagePage:
    """What stands in a channel, as the actor may see it, in its present state. Raises NotFound."""
    channel = await mine(tx, actor, params.channel_id)
    epoch = await events.epoch(tx)
    top = channel["top_offset"]
    last = top if params.before is None else min(top, params.before - 1)
    audiences = ["all", "staff"] if actor.is_staff else ["all"]
    found = await events.page(
        tx, epoch, actor.organization_id, params.channel_id, channel["visible_from"], last, audiences, params.limit + 1
    )
    page = found[: params.limit]
    await bodies.load_keys(tx.keys, actor.organization_id, [event.words for event in page if event.words])
    items = _as_many_as_fit(shapes.item(event, "staff" if actor.is_staff else "patient", tx.keys) for event in page)
    return MessagePage(epoch=epoch, offset=top, items=items, more=len(found) > len(items))


def _as_many_as_fit(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first ones, up to MOST_BYTES of text, and one in any case."""
    fitting: list[dict[str, Any]] = []
    size = 0
    for item in items:
        size += len(item.get("text", "").encode())
        if fitting and size > MOST_BYTES:
            break
        fitting.append(item)
    return fitting

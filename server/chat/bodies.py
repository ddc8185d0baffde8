"""Message bodies: what is a body, and how it is closed and opened."""

from functools import lru_cache

from server.crypto import DataKey, KeyRing, associated, seal, unseal
from server.errors import Invalid
from server.events import Words

MAX_CODE_POINTS = 8000


MAX_REASON = 500
"""Code points of the reason for which somebody changed another's message."""


def trimmed(text: str, field: str = "text", most: int = MAX_CODE_POINTS) -> str:
    """The body as it is kept: 1 to 8,000 code points after trimming (domain.md §3); or another text, under the same rules.

    Raises:
        Invalid: empty, too long, or with NUL or a lone surrogate in it.
    """
    text = text.strip()
    it = "the message" if field == "text" else "it"
    if not text:
        raise Invalid(f"{field}: {it} is empty. Write something.")
    if len(text) > most:
        raise Invalid(f"{field}: {it} has {len(text)} characters; {most} is the most. Write less at once.")
    if "\0" in text:
        raise Invalid(f"{field}: {it} holds a NUL character. Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{field}: {it} holds half of a character (a lone surrogate). Remove it.") from None
    return text


def _place(
    organization_id: str,
    channel_id: str,
    message_id: str,
    author_id: str,
    reviser_id: str,
    revision: int,
    key_id: str,
    column: str = "ciphertext",
) -> bytes:
    # The author is the person, not the membership: the person is known before the send is judged, so a send never has
    # to be encrypted twice because its membership changed meanwhile. schema.sql ties the two together.
    return (
        _of_table(organization_id, column)
        + associated(message_id)
        + _of_author(channel_id, author_id, reviser_id, revision, key_id)
    )


# Whoever writes writes again: all but the message's id stays the same.
@lru_cache(1_000)
def _of_table(organization_id: str, column: str) -> bytes:
    return associated(organization_id, "message_revisions", column)


@lru_cache(10_000)
def _of_author(*parts: str | int) -> bytes:
    return associated(*parts)


def close(
    key: DataKey,
    organization_id: str,
    channel_id: str,
    message_id: str,
    author_id: str,
    text: str,
    revision: int = 1,
    reviser_id: str | None = None,
    column: str = "ciphertext",
) -> bytes:
    """Encrypt one revision of a body, or the reason for it, for the one place it belongs to.

    Args:
        author_id: the person who wrote the message.
        reviser_id: the person who wrote this revision, if another.
        column: of message_revisions: ciphertext or reason.
    """
    place = _place(
        organization_id, channel_id, message_id, author_id, reviser_id or author_id, revision, key.id, column
    )
    return seal(key.cipher, text.encode(), place)


def open_with(key: DataKey, organization_id: str, channel_id: str, words: Words, column: str = "ciphertext") -> str:
    """The text of a revision, or of what stands in another column of it. Raises Unavailable when it does not open there."""
    place = _place(
        organization_id,
        channel_id,
        words.message_id,
        words.author_person_id,
        words.reviser_person_id,
        words.revision,
        words.key_id,
        column,
    )
    return unseal(key.cipher, words.ciphertext, place).decode()


async def load_keys(keys: KeyRing, organization_id: str, every: list[Words]) -> None:
    """Have the keys of these words at hand, as far as there are any, so that opening them needs no waiting."""
    if any(keys.known(organization_id, words.key_id) is None for words in every):
        await keys.load(organization_id)

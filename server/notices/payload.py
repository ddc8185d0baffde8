"""What a push carries, and the headers it goes under. There is no parameter for anything that somebody said or is called."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

import msgspec

TTL_SECONDS = 24 * 3600
"""How long a provider keeps a push for a device that is away, and how long we try to hand it over."""
MOST_BYTES = 3000
"""Providers take 4096, the encryption's own bytes included."""


@dataclass(frozen=True, slots=True)
class Push:
    """One push: that there is something new in a channel, or that the channel has been read elsewhere meanwhile."""

    type: Literal["message", "read"]
    channel_id: str
    badge: int
    """Unread messages of the person; 100 stands for more than 99."""


def encoded(push: Push) -> bytes:
    """The push as the service worker reads it, before encryption."""
    text = msgspec.json.encode({"type": push.type, "channel": push.channel_id, "badge": push.badge})
    assert len(text) < MOST_BYTES
    return text


def headers(push: Push, device_id: str, ttl: int) -> dict[str, str]:
    """How long it is kept, what it takes the place of, and how much it matters (RFC 8030).

    A device that was away gets the last push of each channel only: the Topic is one per channel and device (so one per channel
    and person), and nobody but us can tell two devices of a person by it.
    """
    digest = hashlib.sha256(f"warmline push topic\0{push.channel_id}\0{device_id}".encode()).digest()
    return {
        "TTL": str(max(0, min(ttl, TTL_SECONDS))),
        "Topic": urlsafe_b64encode(digest[:24]).decode(),
        "Urgency": "high" if push.type == "message" else "normal",
    }

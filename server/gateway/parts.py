"""What all connections of a gateway share."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from server.gateway.channels import Channels
from server.gateway.doors import Doors
from server.gateway.hub import Hub
from server.gateway.outbox import Flusher
from server.gateway.ports import Policy
from server.gateway.presence import Presence
from server.gateway.reads import Reads
from server.gateway.settings import Counters, GatewaySettings
from server.gateway.watch import Watch


@dataclass(slots=True, eq=False)
class Parts:
    """One set per gateway."""

    policy: Policy
    hub: Hub
    channels: Channels
    reads: Reads
    watch: Watch
    presence: Presence
    flusher: Flusher
    settings: GatewaySettings
    counters: Counters
    doors: Doors
    tasks: set[asyncio.Future[Any]] = field(default_factory=set)
    """Operations under way, of connections that may be gone."""

    def knows(self, epoch: str) -> bool:
        """Whether a grant is of the log that is known here; if not, that is looked at."""
        if epoch in ("", self.hub.epoch):
            return True
        self.reads.renewed()
        return False

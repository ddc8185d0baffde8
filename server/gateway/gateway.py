"""The gateway, put together: connections on one side, a Policy and a Log on the other, a bus as the doorbell.

gateway = Gateway(policy, log, bus, GatewaySettings(origins=…))
app = Starlette(routes=[gateway.route])
await gateway.start() … await gateway.drain(window) … await gateway.stop()
uvicorn.Config(app, **gateway.uvicorn_options())
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from starlette.routing import WebSocketRoute

from server.ending import end
from server.gateway.channels import Channels, Subscription, Topics
from server.gateway.doors import Doors
from server.gateway.endpoint import Endpoint
from server.gateway.hub import Hub
from server.gateway.outbox import Flusher
from server.gateway.parts import Parts
from server.gateway.porch import Porch
from server.gateway.ports import Board, Log, LogRow, Policy
from server.gateway.presence import MARK, Presence
from server.gateway.reads import Reads
from server.gateway.settings import Counters, GatewaySettings
from server.gateway.tops import Tops
from server.gateway.transport import GatewayProtocol
from server.gateway.watch import Watch

log = logging.getLogger(__name__)

PATH = "/connection/websocket"


class Doorbell(Protocol):
    """What the gateway needs of the bus (server/bus.py)."""

    receiver: Callable[[str, bytes], None]
    restored: Callable[[], None]

    def listen(self, topic: str) -> None:
        """Want the messages of a topic."""
        ...

    def unlisten(self, topic: str) -> None:
        """Want them no more."""
        ...

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell everybody who listens, this process too."""
        ...


class Gateway:
    """One per process and event loop."""

    def __init__(
        self,
        policy: Policy,
        source: Log,
        bus: Doorbell,
        settings: GatewaySettings | None = None,
        board: Board | None = None,
    ) -> None:
        self.settings = settings or GatewaySettings()
        self.counters = Counters()
        self._bus = bus
        self._people = Topics(source.person_topic, bus.listen, bus.unlisten)
        self._channels = Channels(Topics(source.topic, bus.listen, bus.unlisten))
        self._reads = Reads(source, self.counters, self.settings.read_rows)
        self._hub = Hub(source, self._channels, self._reads, self.settings, self.counters)
        self._watch = Watch(policy, self._people, self._channels, self.settings, self.counters)
        self._hub.on_row = self._watch.row
        self._hub.on_change = self._changed
        self._presence = Presence(board, self._channels, bus.publish, source.topic, self.settings)
        self._tops = Tops(
            policy, source, self._channels, self._hub, self._watch, self.settings.tops_interval, self.counters
        )
        self._reads.renewed = self._tops.wake
        doors = Doors(self.settings)
        self._porch = Porch(
            doors.turnstile,
            self.settings.unauthenticated_per_address,
            self.settings.connects_waiting,
            self.settings.handshake_patience,
        )
        self._parts = Parts(
            policy,
            self._hub,
            self._channels,
            self._reads,
            self._watch,
            self._presence,
            Flusher(),
            self.settings,
            self.counters,
            doors,
        )
        self._endpoint = Endpoint(self._parts)
        self.route = WebSocketRoute(PATH, self._endpoint.serve, name="connection")

    @property
    def channels(self) -> int:
        """How many channels somebody here has an interest in."""
        return len(self._channels)

    @property
    def under_way(self) -> int:
        """How many operations have begun and are not done."""
        return len(self._parts.tasks)

    def uvicorn_options(self) -> dict[str, Any]:
        """What uvicorn.Config must be given for this gateway to work."""
        return {
            "ws": partial(GatewayProtocol, porch=self._porch),
            "ws_max_size": self.settings.max_frame,
            "ws_per_message_deflate": False,
            "ws_ping_interval": None,
            "ws_ping_timeout": None,
        }

    async def start(self) -> None:
        """Listen to the bus and begin the tops check. Raises what the log raises when it cannot be read."""
        self._bus.receiver = self._received
        self._bus.restored = self._restored
        await self._tops.start()
        await self._presence.start()

    async def drain(self, window: float) -> None:
        """Close all connections with 3001, spread over `window` seconds; the SDKs go and connect elsewhere."""
        self._porch.close()
        await self._endpoint.drain(window)

    async def stop(self) -> None:
        """End everything that is under way. Call `drain` first."""
        await self._tops.stop()
        await self._endpoint.drain(0)
        await self._hub.stop()
        await self._watch.stop()
        await self._presence.stop()
        await self._reads.stop()
        await end(*self._parts.tasks)

    def told(self, rows: Iterable[LogRow]) -> None:
        """Rows that were written in this process, together: no bus needed. Never raises, as `_received`."""
        with self._hub.spread.together():
            for row in rows:
                try:
                    channel = self._channels.get(row.key)
                    if channel is not None:
                        self._hub.take(channel, row)
                except Exception:
                    self.counters.malformed += 1
                    log.exception("a row that was written here could not be delivered")

    def _received(self, topic: str, payload: bytes) -> None:
        """A message of the bus. Never raises: the bus, and whoever publishes in this process, must not suffer."""
        try:
            channel = self._channels.on(topic)
            if channel is not None and payload.startswith(MARK):
                self._presence.heard(channel, payload)
                return
            if channel is not None:
                self._hub.receive(channel, payload)
                return
            person = self._people.key(topic)
            if person is not None and not payload:
                self._tops.wake()
            elif person is not None:
                self._watch.called(person, payload.decode())
        except Exception:
            self.counters.malformed += 1
            log.exception("a message of the bus could not be delivered")

    def _changed(self, subscription: Subscription, change: int) -> None:
        self._watch.changed(subscription, change)
        if change < 0:
            self._presence.left(subscription)

    def _restored(self) -> None:
        self._tops.wake()
        self._watch.everything()

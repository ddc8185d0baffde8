"""The composition root: settings become connections, those a gateway and routes, and all of it one ASGI application."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware

from server import events, inspection, logs, metrics, schema, watchdog
from server.api import routes, signin
from server.api.access import Access
from server.api.encrypted import Encrypted
from server.app import asyncapi
from server.app.limits import gateway_settings
from server.app.log import ChatLog
from server.app.policy import ChatPolicy
from server.app.readings import Readings
from server.board import RedisBoard
from server.bus import Bus
from server.chat.batcher import Batcher
from server.config import Settings
from server.crypto import MasterKey
from server.db import Database
from server.dispatching import Dispatcher, Paces
from server.events import Event
from server.gateway.gateway import Gateway
from server.notices.endpoints import Allowed
from server.notices.viewing import Viewing
from server.operations import OPERATIONS
from server.people.claims import Rules
from server.people.identities import Identities
from server.people.provider import Provider
from server.people.tokens import KeyedVerifier, ProviderVerifier, Verifier
from server.readiness import Readiness

log = logging.getLogger(__name__)


class Application:
    """One process: everything it is made of, started and stopped in order."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bus = Bus(settings.redis_url)
        self.database = Database(settings.database_url, MasterKey.of(settings), self.bus.publish, settings.pool_size)
        self.batcher = Batcher(self.database, self.bus.publish, self._tell)
        self.viewing = Viewing(settings.redis_url)
        self.dispatcher = Dispatcher(
            self.database,
            self.batcher,
            Paces.of(settings),
            self.viewing,
            Allowed(settings.push_providers, settings.push_local),
        )
        self.provider = None if settings.token_keys_file else Provider(settings)
        self.verifier = self._verifier()
        self.log = ChatLog(self.database)
        policy = ChatPolicy(self.database, self.dispatcher, self.verifier, settings.sign_in_idle_minutes)
        self.board = RedisBoard(settings.redis_url)
        self.gateway = Gateway(policy, self.log, self.bus, gateway_settings(settings), self.board)
        self.readiness = Readiness(self.database, lambda: self.bus.connected)
        self._readings = Readings(self)
        self._beside = contextlib.AsyncExitStack()
        self.asgi = Starlette(
            routes=[
                self.gateway.route,  # first: when all come back together, they need not be compared with every operation
                *routes(
                    self.dispatcher,
                    self.verifier,
                    self.database,
                    settings,
                    asyncapi.document(OPERATIONS),
                    self.readiness,
                ),
                *signin.routes(settings, self.provider),
            ],
            middleware=[Middleware(Access), *([Middleware(Encrypted)] if settings.tls_at_proxy else [])],
            lifespan=self._lifespan,
        )

    def _tell(self, written: Sequence[tuple[Event, str]]) -> None:
        """Messages that were written here: whoever listens here gets them as they are, the others hear of them by Redis."""
        rows = []
        for event, text in written:
            topic, payload = events.topic(event.organization_id, event.channel_id), events.encode(event)
            row = self.log.told(event, text)
            if row is None:
                self.bus.publish(topic, payload)
            else:
                self.bus.tell(topic, payload)
                rows.append(row)
        self.gateway.told(rows)

    def _verifier(self) -> Verifier:
        if self.provider is None:
            return KeyedVerifier.read(self.settings)
        return ProviderVerifier(self.provider, Rules(self.settings), Identities(self.database, self.settings))

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        try:
            await self.start()
        except Exception:
            log.exception("the start failed")  # uvicorn would say so in words that nobody can vouch for
            raise
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Check the database, connect, and begin to listen. Raises Misconfigured."""
        logs.watch_loop(asyncio.get_running_loop())
        await schema.check(self.settings.database_url, schema.START_PATIENCE)
        await self.database.start()
        await self.batcher.start()
        await self.gateway.start()
        await self.bus.start()
        metrics.begin_operations(operation.name for operation in OPERATIONS)
        metrics.REGISTRY.register(self._readings)
        self._beside.callback(metrics.REGISTRY.unregister, self._readings)
        await self._beside.enter_async_context(watchdog.watching())
        await self._beside.enter_async_context(inspection.open_to_operators(self.settings, self.readiness))

    async def drain(self, window: float) -> None:
        """Say that nobody should be sent here any more, and tell those who are here to go elsewhere, over `window` seconds."""
        self.readiness.draining = True
        await self.gateway.drain(window)

    async def stop(self) -> None:
        """Let go in the reverse order: what was sent is written and announced before the connections close."""
        await self.gateway.stop()
        await self.batcher.stop()
        await self.dispatcher.refusals.stop()
        await self.bus.stop()
        await self.board.close()
        await self.viewing.close()
        await self._beside.aclose()
        if self.provider is not None:
            await self.provider.stop()
        await self.database.stop()

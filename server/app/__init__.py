"""The composition root: settings become connections, those a gateway and routes, and all of it one ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette

from server import logs, schema
from server.api import routes
from server.app import asyncapi
from server.app.log import ChatLog
from server.app.policy import ChatPolicy
from server.bus import Bus
from server.chat.batcher import Batcher
from server.config import Settings
from server.crypto import MasterKey
from server.db import Database
from server.gateway.gateway import Gateway
from server.gateway.settings import GatewaySettings
from server.operations import OPERATIONS, Dispatcher
from server.people.tokens import KeyedVerifier


class Application:
    """One process: everything it is made of, started and stopped in order."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bus = Bus(settings.redis_url)
        self.database = Database(
            settings.database_url, MasterKey.read(*settings.master_key_files), self.bus.publish, settings.pool_size
        )
        self.batcher = Batcher(self.database, self.bus.publish)
        self.dispatcher = Dispatcher(self.database, self.batcher)
        self.verifier = KeyedVerifier.read(settings)
        self.log = ChatLog(self.database)
        policy = ChatPolicy(self.database, self.dispatcher, self.verifier)
        self.gateway = Gateway(policy, self.log, self.bus, GatewaySettings(origins=settings.origins))
        self.asgi = Starlette(
            routes=[
                *routes(self.dispatcher, self.verifier, self.database, settings, asyncapi.document(OPERATIONS)),
                self.gateway.route,
            ],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Check the database, connect, and begin to listen. Raises Misconfigured."""
        logs.watch_loop(asyncio.get_running_loop())
        await schema.check(self.settings.database_url)
        await self.database.start()
        await self.log.lately()
        await self.batcher.start(self.log)
        await self.gateway.start()
        await self.bus.start()

    async def stop(self) -> None:
        """Let go in the reverse order: what was sent is written and announced before the connections close."""
        await self.gateway.stop()
        await self.batcher.stop()
        await self.bus.stop()
        await self.database.stop()

"""Whether this process can do its work: what it needs, asked at most once a second however many ask."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server import schema
from server.db import Database

log = logging.getLogger(__name__)

_KEPT_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
_QUESTION = "select fingerprint, pg_is_in_recovery() as standby from schema_state"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: each part in one word. `ready`: whether to send people here."""

    ready: bool
    parts: dict[str, str]


class Readiness:
    """Needs the database, with this code's schema, as a primary, and not to be going down.

    Redis is told and not needed: it is only the doorbell. Without it everything still arrives, a second later, and a gateway
    taken out for it would take its people to one that is no better off.
    """

    def __init__(self, database: Database, redis: Callable[[], bool] | None = None) -> None:
        self.draining = False
        """Set it when the process goes down."""
        self._database = database
        self._redis = redis
        self._looked = 0.0
        self._looking: asyncio.Task[dict[str, str]] | None = None

    async def report(self) -> Report:
        """Look, or tell what was found less than a second ago."""
        if self._looking is None or (self._looking.done() and time.monotonic() - self._looked > _KEPT_SECONDS):
            self._looking = asyncio.create_task(self._look())
        parts = await asyncio.shield(self._looking)
        redis = {} if self._redis is None else {"redis": "ok" if self._redis() else "away"}
        return Report(not self.draining and set(parts.values()) == {"ok"}, parts | redis)

    async def _look(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                found: list[Any] = await self._database.fetch(_QUESTION)
        except Exception as away:
            log.warning("not ready: the database does not answer: %s", away)
            return {"database": "away", "schema": "unknown"}
        finally:
            self._looked = time.monotonic()
        standby = any(row["standby"] for row in found)
        fits = [row["fingerprint"] for row in found if schema.made_by_us(row["fingerprint"])]
        return {"database": "standby" if standby else "ok", "schema": "ok" if fits else "of another version"}

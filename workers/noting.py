"""Notes what came of emails: whatever comes together while one statement runs goes into the next one."""

import asyncio

from server import metrics
from server.db import Database
from server.ids import now
from server.notices import mails
from server.notices.mails import Outcome


class Notes:
    """The pen that the connections of one worker share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pen = asyncio.Lock()
        self._page: list[Outcome] = []

    async def note(self, outcome: Outcome) -> None:
        """Write it down; when this returns, it is committed. Raises what `Database.fetch` raises."""
        page = self._page
        page.append(outcome)
        async with self._pen:
            if page:  # else somebody has written it along with theirs
                self._page = []
                await mails.settle(self._database.fetch, page, now())
                page.clear()
        metrics.MAILS.labels(outcome.status).inc()

"""Pushes in tests: somebody's devices at the push service of the tests, and a worker in this process at the moment of a clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from server.ids import DeviceId, now
from server.notices import planning
from server.notices.pushing import Pusher
from server.notices.viewing import Viewing
from tests.support.cast import Clinic
from tests.support.push_endpoint import PushEndpoint, Registration
from workers.push import PushWorker


@dataclass
class Pushes:
    """What a clinic's people get pushed. The clock starts at the present moment, and runs `ahead` of it."""

    clinic: Clinic
    endpoint: PushEndpoint
    pusher: Pusher
    redis_url: str
    ahead: timedelta = field(default_factory=timedelta)

    def clock(self) -> datetime:
        """The moment."""
        return now() + self.ahead

    async def device(self, person: str, url: str | None = None, clinic: Clinic | None = None) -> Registration:
        """A browser of theirs takes pushes. `url`: an endpoint that no operation would have let in."""
        made = self.endpoint.register()
        await (clinic or self.clinic).sql(
            "insert into devices (organization_id, id, person_id, endpoint, p256dh, auth) values ($1, $2, $3, $4, $5, $6)",
            *(
                (clinic or self.clinic).organization_id,
                DeviceId.new(),
                person,
                url or made.endpoint,
                made.p256dh,
                made.auth,
            ),
        )
        return made

    async def plan(self) -> None:
        """Plan whatever is not planned yet."""
        async with self.clinic.database.transaction() as tx:
            while (await planning.plan(tx, self.clock(), everywhere=True)).channels:
                pass

    async def say(self, person: str, channel: str) -> str:
        """They write something, and it is planned; the message's id."""
        sent = await self.clinic.send(person, channel, "Words that nobody reads on a screen that is locked")
        await self.plan()
        return str(sent["message_id"])

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[PushWorker]:
        """A worker in this process."""
        stopped, viewing, woken = asyncio.Event(), Viewing(self.redis_url), asyncio.Event()
        made = PushWorker(self.clinic.database, self.pusher, viewing, woken, self.clock)
        running = asyncio.create_task(made.run(stopped))
        try:
            yield made
        finally:
            stopped.set()
            woken.set()
            await running
            await viewing.close()

    async def send(self, within: float = 20) -> None:
        """Send all that is due at this moment, until nothing is."""
        async with self.worker(), asyncio.timeout(within):
            while await self.due():
                await asyncio.sleep(0.02)

    async def due(self) -> int:
        """How many pushes are due now."""
        rows = await self.clinic.sql(
            "select count(*) from notices where medium = 'push' and status = 'due' and due_at <= $1", self.clock()
        )
        return int(rows[0][0])

    async def notice(self, person: str, message: str) -> dict[str, Any]:
        """What the ledger says of a push."""
        [row] = await self.clinic.sql(
            "select * from notices where (person_id, message_id, medium) = ($1, $2, 'push')", person, message
        )
        return dict(row)

    async def deliveries(self, notice: dict[str, Any]) -> dict[str, tuple[str, int | None, int]]:
        """What came of it at each endpoint: status, answer, attempts."""
        rows = await self.clinic.sql(
            """select d.endpoint, n.status, n.answer, n.attempts from notice_deliveries n
                 join devices d on (d.id, d.organization_id) = (n.device_id, n.organization_id) where n.notice_id = $1""",
            notice["id"],
        )
        return {row["endpoint"]: (row["status"], row["answer"], row["attempts"]) for row in rows}

"""Refusals in the access log: who was refused what, each in a transaction of its own, since the refused one is rolled back.

Recorded is what says that somebody reached for what is not theirs: not allowed (403), not found (404: there is no telling
whether it exists) and no longer let in (401, of somebody known). Not recorded is what says nothing of the kind: a wrong request
(422), a state that has moved on (409), too much at once (429), a part that is away (503), and tokens that name nobody.

A flood stays bounded: of one person each gateway records 60 in a row and one more each second; what is beyond that is
counted, and the count is one entry a minute.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.db import Database
from server.errors import WarmlineError
from server.ids import OrganizationId, random_token

log = logging.getLogger(__name__)

BURST, PER_SECOND = 60.0, 1.0
COUNT_SECONDS = 60.0
COUNTED = "refusals.counted"
"""The word of the entry that stands for refusals past the bound; its facts say how many."""
_MOST_BUDGETS = 10_000

# Whoever is not a person of this organisation has no access log to stand in; a record is named where it is there to be named.
_INSERT = """
insert into audit_entries (organization_id, actor_id, operation, outcome, patient_id, channel_id, facts, request_id)
select p.organization_id, p.id, r.operation, 'refused', coalesce(t.id, c.patient_id), c.id, r.facts, r.request_id
  from people p
 cross join unnest($3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[])
            with ordinality as r (operation, patient_id, channel_id, facts, request_id, place)
  left join patients t on (t.organization_id, t.id) = (p.organization_id, r.patient_id)
  left join channels c on (c.organization_id, c.id) = (p.organization_id, r.channel_id)
 where (p.organization_id, p.id) = ($1, $2) order by r.place"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused: the operation's word, the refusal's code, the ids that were asked for."""

    operation: str
    code: int
    asked: dict[str, Any]
    request_id: str = field(default_factory=random_token)


@dataclass(slots=True)
class _Budget:
    """What may still be recorded of a person, and what was only counted."""

    left: float
    at: float
    counted: int = 0
    timer: asyncio.TimerHandle | None = None

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        self.left = min(BURST, self.left + (now - self.at) * PER_SECOND)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Refusals:
    """Records the refusals of one process."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._budgets: dict[tuple[OrganizationId, str], _Budget] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def record(self, organization_id: OrganizationId, person_id: str, refused: Sequence[Refusal]) -> None:
        """Record refusals of one person, or count them; done before they are answered, and even if nobody waits any more.

        What cannot be recorded is refused all the same, and logged.
        """
        budget = self._budget(organization_id, person_id)
        kept = [one for one in refused if budget.take(self._clock())]
        if len(kept) < len(refused):
            self._count(organization_id, person_id, budget, len(refused) - len(kept))
        if kept:
            await asyncio.shield(self._start(organization_id, person_id, kept))

    async def stop(self) -> None:
        """Write the counts, and wait for what is being written."""
        for (organization_id, person_id), budget in self._budgets.items():
            if budget.timer is not None:
                budget.timer.cancel()
                self._flush(organization_id, person_id, budget)
        await asyncio.gather(*self._writing)

    def _budget(self, organization_id: OrganizationId, person_id: str) -> _Budget:
        now = self._clock()
        if len(self._budgets) >= _MOST_BUDGETS:  # whoever has been quiet for a minute has a full one again
            self._budgets = {
                who: one
                for who, one in self._budgets.items()
                if one.timer is not None or now - one.at < BURST / PER_SECOND
            }
        return self._budgets.setdefault((organization_id, person_id), _Budget(BURST, now))

    def _count(self, organization_id: OrganizationId, person_id: str, budget: _Budget, number: int) -> None:
        budget.counted += number
        if budget.timer is None:
            loop = asyncio.get_running_loop()
            budget.timer = loop.call_later(COUNT_SECONDS, self._flush, organization_id, person_id, budget)

    def _flush(self, organization_id: OrganizationId, person_id: str, budget: _Budget) -> None:
        counted, budget.counted, budget.timer = budget.counted, 0, None
        self._start(organization_id, person_id, [Refusal(COUNTED, 403, {"count": counted})])

    def _start(self, organization_id: OrganizationId, person_id: str, kept: list[Refusal]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._write(organization_id, person_id, kept))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def _write(self, organization_id: OrganizationId, person_id: str, kept: list[Refusal]) -> None:
        try:
            await self._database.fetch(
                _INSERT,
                *(organization_id, person_id),
                [one.operation for one in kept],
                [one.asked.get("patient_id") for one in kept],
                [one.asked.get("channel_id") for one in kept],
                [json.dumps({**one.asked, "code": one.code}) for one in kept],
                [one.request_id for one in kept],
            )
        except WarmlineError as error:
            log.error("%d refusals could not be recorded: %s", len(kept), error.message)
        except Exception:
            log.exception("%d refusals could not be recorded", len(kept))

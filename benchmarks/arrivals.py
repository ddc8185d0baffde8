"""`python -m benchmarks.arrivals`: from the commit of a new patient to their first accepted message, over 500 creations.

Both activation rules are on, with three nominees each; one worker process makes the channels. Each patient asks for their
channels as their page would, over and over, and sends as soon as there is one. `python -m benchmarks.arrivals 500 10`:
creations, and how many of them a second.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import time
from typing import Any

from benchmarks import machine, stack
from benchmarks.clinic import Clinic, founded
from benchmarks.stack import Stack
from benchmarks.worker import worker
from server.chat.batcher import Batcher
from server.dispatching import Dispatcher
from server.ids import PersonId
from server.people import team
from server.people.actors import Identity
from server.people.team import CreateTeamMember

NOMINEES = 3
PATIENCE_SECONDS = 30.0
ASK_SECONDS = 0.02


class Clinicians:
    """Somebody who creates patients, and the patients themselves, by operations."""

    def __init__(self, clinic: Clinic, dispatcher: Dispatcher, admin: PersonId) -> None:
        self._clinic, self._dispatcher, self._admin = clinic, dispatcher, admin

    async def call(self, person: str, name: str, **params: Any) -> Any:
        """Run an operation as this person."""
        identity = Identity(self._clinic.organization_id, PersonId(person))
        return json.loads(await self._dispatcher.call(identity, name, params))

    async def arrive(self, number: int) -> float:
        """Create a patient; the seconds from the commit until their first message is accepted."""
        new = {"legal_name": f"Patient {number}", "email": f"p{number}@bench.invalid"}
        made = await self.call(self._admin, "patient.create", allocation_clinician_id=self._admin, **new)
        began = time.monotonic()
        while not (found := (await self.call(made["id"], "channel.list"))["channels"]):
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise RuntimeError("the channel never came")
            await asyncio.sleep(ASK_SECONDS)
        await self.call(made["id"], "message.send", channel_id=found[0]["id"], client_id="first", text="Text")
        return time.monotonic() - began


async def measure(parts: Stack, count: int, rate: float) -> None:
    """Once, and say what was seen."""
    settings = await parts.settings("arrivals")
    async with contextlib.AsyncExitStack() as open_:
        clinic = await open_.enter_async_context(founded(settings))
        async with clinic.database.transaction() as tx:
            wanted = CreateTeamMember(name="Administrator", email="admin@bench.invalid", role="ADMIN")
            admin = PersonId(await team.insert(tx, clinic.organization_id, wanted))
        batcher = Batcher(clinic.database, lambda _topic, _payload: None)
        await batcher.start()
        dispatcher = Dispatcher(clinic.database, batcher)
        cast = Clinicians(clinic, dispatcher, admin)
        nominees = await clinic.staff(NOMINEES)
        for kind in ("care_team", "service_team"):
            await cast.call(admin, "activation_rule.set", kind=kind, automatic=True, team_member_ids=nominees)
        await open_.enter_async_context(worker(parts, settings))
        began, arrivals = time.monotonic(), []
        for number in range(count):
            arrivals.append(asyncio.create_task(cast.arrive(number)))
            await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.monotonic()))
        took = sorted(await asyncio.gather(*arrivals))
        await dispatcher.refusals.stop()
        await batcher.stop()
    print(
        f"{count} patients, {rate:g} a second; seconds from the commit to the first accepted message: "
        f"median {statistics.median(took):.3f}, p99 {took[int(count * 0.99)]:.3f}, longest {took[-1]:.3f}"
    )


async def main() -> None:
    """Measure with the numbers of the command line."""
    count, rate = sys.argv[1:3] if len(sys.argv) > 2 else ("500", "10")
    async with stack.running(machine.plan(for_postgres=2)) as parts:
        await measure(parts, int(count), float(rate))


if __name__ == "__main__":
    asyncio.run(main())

"""What came of a push at each device, and so what of the notice is still to do: killed in between, the remaining devices get it.

A device that took it, is gone or refused it is done with; one that could not be reached ("failed") is tried again for as long
as the notice is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from server.db import Transaction
from server.notices import badges, devices
from server.notices.answering import Answer
from server.notices.devices import Device
from server.notices.ledger import PushDue
from server.notices.payload import Push

Reached = Literal["sent", "gone", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Target:
    """A claimed push with whom it goes to: the devices that are not done with, what it says, and what came of the others."""

    due: PushDue
    devices: Sequence[Device]
    push: Push
    done: Sequence[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a device's provider answered, once."""

    due: PushDue
    device_id: str
    answer: Answer

    @property
    def reached(self) -> Reached:
        """The word of the table."""
        return "failed" if self.answer.outcome == "later" else self.answer.outcome


async def targets(tx: Transaction, due: Sequence[PushDue]) -> list[Target]:
    """Whom claimed pushes go to, in three statements, however many they are."""
    if not due:
        return []
    people = sorted({(one.organization_id, one.person_id) for one in due})
    current, unread = await devices.current_of(tx, people), await badges.totals(tx, people)
    done: dict[str, dict[str, str]] = {one.notice_id: {} for one in due}
    for row in await tx.rows(
        """select notice_id, device_id, status from notice_deliveries
            where notice_id = any ($1) and organization_id = any ($2) and status <> 'failed'""",
        *(list(done), sorted({organization_id for organization_id, _ in people})),
    ):
        done[row["notice_id"]][row["device_id"]] = row["status"]
    return [
        Target(
            one,
            [device for device in current[whose] if device.id not in done[one.notice_id]],
            Push("message", one.channel_id, unread[whose]),
            list(done[one.notice_id].values()),
        )
        for one in due
        for whose in [(one.organization_id, one.person_id)]
    ]


async def record(tx: Transaction, made: Sequence[Delivery], at: datetime) -> None:
    """Write down what came of pushes at devices; a device that is gone is forgotten."""
    rows = [
        (one.due.organization_id, one.due.notice_id, one.device_id, one.reached, one.answer.status)
        for one in {(one.due.notice_id, one.device_id): one for one in made}.values()
    ]
    await tx.rows(
        """insert into notice_deliveries (organization_id, notice_id, device_id, status, answer, at)
           select w.*, $6 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[]) as w
            order by 2, 3
           on conflict (notice_id, device_id, organization_id) do update
              set status = excluded.status, answer = excluded.answer, at = excluded.at,
                  attempts = notice_deliveries.attempts + 1
            where notice_deliveries.status = 'failed'""",
        *(*(list(column) for column in zip(*rows, strict=True)), at),
    )
    for one in made:
        if one.answer.outcome == "gone":
            await devices.forget(tx, one.due.organization_id, one.device_id, "gone")

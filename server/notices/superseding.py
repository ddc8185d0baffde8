"""Pushes that stand where the channel has been read elsewhere: the devices that show them are told, once (domain.md §4).

The push that says so goes under the same Topic, so a device that was away never sees the first one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from server.db import Transaction
from server.ids import DeviceId, PersonId
from server.notices import badges
from server.notices.devices import Device
from server.notices.payload import TTL_SECONDS, Push

SHOWS_EVERY_PUSH: Final = "push.apple.com"
"""Browsers of this provider lose their permission after a few pushes that show nothing: they are told nothing."""

# Each membership by its id ("offset 0", and no channel): a planner that does not know yet how the tables have grown would go
# through all members of the channel for each push that stands. Where something newer is still unread, or on its way, the
# notification on the device stays: it stands for that as well.
_PASSED = """
with passed as (
  select n.id, n.organization_id, m.read_offset from notices n
   cross join lateral (
     select read_offset from memberships where (id, organization_id) = (n.membership_id, n.organization_id) offset 0) m
   where n.medium = 'push' and n.status = 'sent' and n.superseded_at is null
     and n.settled_at > $1::timestamptz - $3::interval and m.read_offset >= n.log_offset
   order by n.id limit $2 for update of n skip locked
), marked as (
  update notices n set superseded_at = $1 from passed where (n.id, n.organization_id) = (passed.id, passed.organization_id)
  returning n.organization_id, n.id, n.channel_id, n.membership_id, n.person_id, passed.read_offset)
select distinct m.organization_id, m.channel_id, m.person_id, d.id as device_id, d.endpoint, d.p256dh, d.auth
  from marked m
  join notice_deliveries y on (y.notice_id, y.organization_id) = (m.id, m.organization_id) and y.status = 'sent'
  join devices d on (d.id, d.person_id, d.organization_id) = (y.device_id, m.person_id, m.organization_id)
   and d.removed_at is null and split_part(d.endpoint, '/', 3) not like '%' || $4
  join people p on (p.organization_id, p.id) = (d.organization_id, d.person_id)
   and (p.signed_out_at is null or d.added_at > p.signed_out_at)
 where not exists (select from notices o where o.membership_id = m.membership_id and o.medium = 'push'
   and o.status in ('due', 'sent') and o.log_offset > m.read_offset and o.superseded_at is null
   and (o.channel_id, o.organization_id) = (m.channel_id, m.organization_id))"""


@dataclass(frozen=True, slots=True)
class Telling:
    """A device that shows what has been read, and what to tell it."""

    organization_id: str
    device: Device
    push: Push


async def passed(tx: Transaction, most: int, at: datetime) -> list[Telling]:
    """Mark up to so many pushes of the last day whose message has been read since; whom to tell of it once this is committed."""
    rows = await tx.rows(_PASSED, at, most, timedelta(seconds=TTL_SECONDS), SHOWS_EVERY_PUSH)
    unread = await badges.totals(tx, {(row["organization_id"], row["person_id"]) for row in rows}) if rows else {}
    return [
        Telling(
            row["organization_id"],
            Device(DeviceId(row["device_id"]), PersonId(row["person_id"]), row["endpoint"], row["p256dh"], row["auth"]),
            Push("read", row["channel_id"], unread[row["organization_id"], row["person_id"]]),
        )
        for row in rows
    ]

"""The integrity sweep: reads the product's promises back out of the database, and cries out when one does not hold.

Looks at what was written since shortly before the last sweep: logs without a hole up to their top, messages with their event
and their words; and at every channel with an active patient, whether somebody of the team is in it. None of these can fail
unless something is broken: schema.sql forbids it. An operator wants to hear of it before a patient does.
"""

import logging

from server import metrics
from server.db import Transaction

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
PROMISES = ("log has a hole", "message without its words", "patient without a team")
"""What BROKEN calls what it finds."""
_WINDOW = "now() - interval '3 minutes'"

BROKEN = f"""
select 'log has a hole' as what, w.organization_id, w.channel_id
  from (select organization_id, channel_id, min(log_offset) as first, max(log_offset) as last, count(*) as found
          from events where created_at > {_WINDOW} group by 1, 2) w
  join channels c on (c.organization_id, c.id) = (w.organization_id, w.channel_id)
 where w.last - w.first + 1 <> w.found or w.last <> c.top_offset
    or w.first > 1 and not exists (select from events b
        where (b.organization_id, b.channel_id, b.log_offset) = (w.organization_id, w.channel_id, w.first - 1))
union all
select 'message without its words', e.organization_id, e.channel_id
  from events e left join messages m on (m.organization_id, m.channel_id, m.id) = (e.organization_id, e.channel_id, e.message_id)
 where e.message_id is not null and e.created_at > {_WINDOW} and not exists (select from message_revisions r
        where (r.organization_id, r.channel_id, r.message_id, r.revision) = (m.organization_id, m.channel_id, m.id, m.revision))
union all
select distinct 'patient without a team', m.organization_id, m.channel_id
  from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
 where m.left_at is null and m.person_kind = 'patient' and p.status = 'active'
   and not exists (select from memberships s join people sp on (sp.organization_id, sp.id) = (s.organization_id, s.person_id)
        where (s.organization_id, s.channel_id) = (m.organization_id, m.channel_id)
          and s.left_at is null and s.person_kind = 'team_member' and sp.status = 'active')
"""


async def sweep(tx: Transaction) -> None:
    """Look, and log an error for each promise found broken; ids only."""
    for row in await tx.rows(BROKEN):
        metrics.INTEGRITY_FAULTS.labels(row["what"]).inc()
        log.error("integrity: %s: channel %s of %s", row["what"], row["channel_id"], row["organization_id"])

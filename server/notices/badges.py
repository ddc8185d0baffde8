"""The number on the app: what is unread for a person, in all. Derived each time, never stored (domain.md §3)."""

from collections.abc import Collection

from server.db import Transaction

MOST = 100
"""A hundred stands for "more than 99"."""

_TOTALS = """
select w.organization, w.person, (select count(*)::int from (
  select from memberships m join channels c on (c.organization_id, c.id) = (m.organization_id, m.channel_id)
  cross join lateral (
    select from messages x where (x.organization_id, x.channel_id) = (c.organization_id, c.id)
       and x.log_offset > m.read_offset and x.author_person_id <> m.person_id and x.deleted_at is null limit $3) u
   where (m.organization_id, m.person_id) = (w.organization, w.person) and m.left_at is null and c.status = 'active'
     and coalesce(m.hidden_offset < c.top_offset, true) limit $3) all_of_it) as total
  from unnest($1::text[], $2::text[]) as w (organization, person)"""


async def total(tx: Transaction, organization_id: str, person_id: str) -> int:
    """How many messages are unread for a person, up to 100, which means more than 99: others' messages after their read
    marks, in active channels that they are in and do not hide. Muted ones count; a channel only marked unread does not."""
    return (await totals(tx, [(organization_id, person_id)]))[organization_id, person_id]


async def totals(tx: Transaction, people: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The same of many at once: by (organisation, person)."""
    asked = [organization for organization, _ in people], [person for _, person in people]
    rows = await tx.rows(_TOTALS, *asked, MOST)
    return {(row["organization"], row["person"]): row["total"] for row in rows}

"""The names that patients are shown by in channels, and that no two of one channel can be mistaken for each other."""

from collections.abc import Sequence

from server.db import Transaction
from server.errors import Conflict
from server.ids import OrganizationId
from server.people import naming

_SHOWN = """
select w.channel_id, a.id as person_id, coalesce(p.display_name, a.display_name) as name
  from unnest($2::text[], $3::text[]) as w (channel_id, person_id)
  join patients a on (a.organization_id, a.id) = ($1, w.person_id)
  left join channel_profiles p on (p.organization_id, p.channel_id, p.person_id) = (a.organization_id, w.channel_id, a.id)
 where coalesce(p.display_name, a.display_name) is not null"""


async def staff_names(tx: Transaction, organization_id: OrganizationId, channels: Sequence[str]) -> list[str]:
    """The names of the active team members of an organisation, and of all whose messages may stand in any of these channels."""
    rows = await tx.rows(
        """select t.name from team_members t join people p on (p.organization_id, p.id) = (t.organization_id, t.id)
            where t.organization_id = $1 and (p.status = 'active' or exists (
              select from memberships m
               where (m.organization_id, m.person_id) = (t.organization_id, t.id) and m.channel_id = any ($2)))""",
        organization_id,
        list(channels),
    )
    return [row["name"] for row in rows]


async def others_names(
    tx: Transaction, organization_id: OrganizationId, channels: Sequence[str], person_id: str
) -> list[str]:
    """The display names of the other patients who are in any of these channels; the channels are locked."""
    members = await tx.rows(
        """select channel_id, person_id from memberships
            where organization_id = $1 and channel_id = any ($2) and person_id <> $3 and person_kind = 'patient'
              and left_at is null""",
        organization_id,
        list(channels),
        person_id,
    )
    return await _shown(tx, organization_id, [(row["channel_id"], row["person_id"]) for row in members])


async def require_distinct(
    tx: Transaction, organization_id: OrganizationId, channel_id: str, newcomers: Sequence[str]
) -> None:
    """Refuse patients who would be taken for somebody else in the channel. Raises Conflict."""
    taken = {naming.fold(name) for name in await others_names(tx, organization_id, [channel_id], "")}
    for name in await _shown(tx, organization_id, [(channel_id, person) for person in newcomers]):
        folded = naming.fold(name)
        if folded in taken:
            raise Conflict(
                "The display name of a patient is, or looks like, another patient's in this channel. One of them has to "
                "choose another name first."
            )
        taken.add(folded)


async def _shown(tx: Transaction, organization_id: OrganizationId, pairs: Sequence[tuple[str, str]]) -> list[str]:
    channels, people = [channel for channel, _ in pairs], [person for _, person in pairs]
    return [row["name"] for row in await tx.rows(_SHOWN, organization_id, channels, people)]

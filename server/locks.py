"""The one lock helper: every writer takes its locks here, before it reads or writes anything else.

The order is the same everywhere, so that nobody waits in a circle: people in id order, then channels in id order, then guests,
groups and encounters (then memberships, audit, jobs, which lie under those). The sends' batch statement takes channels in the
same order and waits for none.
"""

from collections.abc import Iterable

from server.db import Transaction
from server.ids import OrganizationId


async def lock(
    tx: Transaction,
    organization_id: OrganizationId,
    *,
    people: Iterable[str] = (),
    channels: Iterable[str] = (),
    guests: Iterable[str] = (),
    groups: Iterable[str] = (),
    encounters: Iterable[str] = (),
) -> None:
    """Lock people (those whose status changes or who are added somewhere), channels and the like until the transaction ends.

    Ids that do not exist in this organisation are passed over: they will not be found afterwards either.

    Raises:
        TooMany: somebody held one of them for five seconds.
    """
    wanted = {"people": people, "channels": channels, "guests": guests, "groups": groups, "encounters": encounters}
    for table, named in wanted.items():
        if ids := sorted(set(named)):
            await tx.rows(
                f"select from {table} where organization_id = $1 and id = any ($2) order by id for no key update",
                organization_id,
                ids,
            )

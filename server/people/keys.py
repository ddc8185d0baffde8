"""The organisations' data keys: which there are, a new one for what will be written, and wrapping them all anew.

Running gateways look the current key up once a minute (server/crypto.py), so a rotation needs no restart; what a retired
key closed it still opens. Records are closed anew elsewhere: server/chat/reencryption.py.
"""

from typing import Any

from server import audit
from server.crypto import MasterKey
from server.db import Transaction
from server.errors import NotFound
from server.ids import OrganizationId, random_token


async def stored(tx: Transaction) -> list[dict[str, Any]]:
    """All data keys, wrapped, by organisation and age."""
    return await tx.rows(
        """select organization_id, id, wrapped, created_at, retired_at from organization_keys
            order by organization_id, created_at, id"""
    )


async def rotate(tx: Transaction, master: MasterKey, organization_id: OrganizationId) -> tuple[str | None, str]:
    """A new data key for an organisation; the ids of the one that it replaces and of itself.

    Raises:
        NotFound: no such organisation.
    """
    # Two rotations at once come one after the other.
    if not await tx.rows("select id from organizations where id = $1 for no key update", organization_id):
        raise NotFound(f"There is no organisation {organization_id}. `warmline keys list` shows those there are.")
    retired = await tx.rows(
        """update organization_keys set retired_at = now() where organization_id = $1 and retired_at is null
           returning id""",
        organization_id,
    )
    key_id, wrapped = master.make(organization_id)
    await tx.rows(
        "insert into organization_keys (organization_id, id, wrapped) values ($1, $2, $3)",
        organization_id,
        key_id,
        wrapped,
    )
    old = str(retired[0]["id"]) if retired else None
    await audit.append(tx, organization_id, None, "keys.rotate", random_token(), {"retired": old, "made": str(key_id)})
    return old, key_id


async def rewrap(tx: Transaction, master: MasterKey, dry_run: bool = False) -> list[tuple[str, str]]:
    """Wrap by the current master key every data key that another one wraps; (organisation, key) of each.

    All or none: in the caller's one transaction, which holds the keys' rows meanwhile; nobody needs these to read or send.

    Raises:
        Unavailable: one opens under none of the master keys; then none is changed.
    """
    rows = await tx.rows("select organization_id, id, wrapped from organization_keys order by 1, 2 for no key update")
    every: list[tuple[str, str, bytes]] = [(row["organization_id"], row["id"], row["wrapped"]) for row in rows]
    others = [key for key in every if master.wrapper(*key) != 0]
    if others and not dry_run:
        anew = [master.rewrap(*key) for key in others]
        organizations, ids, _ = zip(*others, strict=True)
        await tx.rows(
            """update organization_keys k set wrapped = n.wrapped
                 from unnest($1::text[], $2::text[], $3::bytea[]) n (organization_id, id, wrapped)
                where (k.organization_id, k.id) = (n.organization_id, n.id)""",
            list(organizations),
            list(ids),
            anew,
        )
        for organization_id in sorted(set(organizations)):
            count = {"keys": organizations.count(organization_id)}
            await audit.append(tx, OrganizationId(organization_id), None, "keys.rewrap", random_token(), count)
    return [(organization_id, id) for organization_id, id, _ in others]

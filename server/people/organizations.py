"""Making an organisation: its roles, its first data key, its default patient group."""

from pydantic import BaseModel

from server.crypto import MasterKey
from server.db import Transaction
from server.ids import OrganizationId, PatientGroupId
from server.people.models import Organization, OrganizationKey, PatientGroup, Role
from server.people.permissions import ROLES
from server.people.wording import Name


class Found(BaseModel):
    """An organisation to be founded."""

    name: Name


async def create(tx: Transaction, master: MasterKey, name: str) -> OrganizationId:
    """A new organisation, ready for its first team member."""
    organization_id = OrganizationId.new()
    tx.session.add(Organization(id=organization_id, name=name))
    await tx.session.flush()
    key_id, wrapped = master.make(organization_id)
    tx.session.add(OrganizationKey(organization_id=organization_id, id=key_id, wrapped=wrapped))
    tx.session.add(
        PatientGroup(organization_id=organization_id, id=PatientGroupId.new(), name="General", is_default=True)
    )
    for role, permissions in ROLES.items():
        tx.session.add(Role(organization_id=organization_id, name=role, permissions=sorted(permissions)))
    await tx.session.flush()
    return organization_id

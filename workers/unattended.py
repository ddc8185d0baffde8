"""Attends to what stands unattended, as it falls due."""

import logging

from server.db import Database
from server.errors import WarmlineError
from server.ids import now
from server.notices import escalation, unattended

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0


async def sweep(database: Database) -> None:
    """Do all that is due, each channel in a transaction of its own: one that cannot be done holds up no other."""
    async with database.transaction() as tx:
        found = await unattended.due(tx, now())
    for organization_id, channel_id in found:
        try:
            async with database.transaction() as tx:
                await escalation.attend(tx, organization_id, channel_id, now())
        except WarmlineError as error:
            log.info("unattended channel %s of %s: %s", channel_id, organization_id, error.message)
        except Exception:
            log.exception("unattended channel %s of %s", channel_id, organization_id)

"""The access log's sweeps: entries sealed every second, the ends of the chains signed every half minute and at the end."""

import logging

from server.config import Settings
from server.db import Database, Transaction
from server.errors import Misconfigured, WarmlineError
from server.sealing import keys
from server.sealing.sealer import HEAD_SECONDS, SEAL_SECONDS, Sealer
from workers.runner import Sweep, once

log = logging.getLogger(__name__)


def sealer(settings: Settings) -> Sealer:
    """The sealer of this process.

    Raises:
        Misconfigured: in production there is no key to sign with; or the file holds none.
    """
    if settings.audit_key_file is not None:
        return Sealer(keys.read(settings.audit_key_file))
    if settings.profile == "production":
        raise Misconfigured(
            f"{keys.SETTING}: not set; without it nobody notices when the access log is cut. It takes the file of an "
            "Ed25519 key: warmline audit make-key FILE"
        )
    log.warning("audit: %s is not set: the access log is sealed, and its heads are not signed", keys.SETTING)
    return Sealer(None)


def sweeps(sealer: Sealer) -> list[Sweep]:
    """What comes back with the clock."""

    async def seal(tx: Transaction) -> None:
        await sealer.seal(tx)

    async def sign(tx: Transaction) -> None:
        await sealer.sign(tx)

    return [Sweep("audit seals", SEAL_SECONDS, seal), Sweep("audit heads", HEAD_SECONDS, sign)]


async def finish(database: Database, sealer: Sealer) -> None:
    """Seal and sign once more before the process ends; what fails then is for the next worker."""
    for sweep in sweeps(sealer):
        try:
            await once(database, sweep)
        except WarmlineError as error:
            log.warning("sweep %s: %s", sweep.name, error.message)

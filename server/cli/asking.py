"""Operations asked for on the command line: as a person, with their permissions, and recorded as theirs."""

import json
from typing import Any

from server.cli import within


async def ask(url: str, person_id: str, name: str, params: dict[str, Any]) -> Any:
    """Run one operation as this person; its result. Raises what the operation raises, and Misconfigured for nobody."""
    from server.chat.batcher import Batcher
    from server.crypto import MasterKey
    from server.db import Database
    from server.dispatching import Dispatcher
    from server.errors import NotFound
    from server.ids import OrganizationId, PersonId
    from server.people.actors import Identity

    master = MasterKey.read(*within.settings().master_key_files)
    database = Database(url, master, lambda _topic, _payload: None)
    await database.start()
    try:
        found = await database.fetch("select organization_id from people where id = $1", person_id)
        if not found:
            raise NotFound("There is no such person.")
        identity = Identity(OrganizationId(found[0]["organization_id"]), PersonId(person_id))
        dispatcher = Dispatcher(database, Batcher(database, lambda _topic, _payload: None))
        try:
            return json.loads(await dispatcher.call(identity, name, params))
        finally:
            await dispatcher.refusals.stop()
    finally:
        await database.stop()

"""Runs operations for whoever asks: at their pace, one transaction each, permission first, the access log in it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel

from server import audit
from server.chat import messages
from server.chat.batcher import Batcher
from server.config import Settings
from server.db import Database, Transaction
from server.errors import Forbidden, Invalid, NoSuchOperation, NotFound, Unauthorized, WarmlineError
from server.gathering import Gathering
from server.ids import random_token
from server.limits import Rate
from server.notices.endpoints import Allowed
from server.notices.viewing import Viewing
from server.operations import BY_NAME, LOG, OWN, SIGNED_IN, STAFF, Operation
from server.pace import Pace
from server.parameters import ids, parse
from server.people import actors
from server.people.actors import Actor, Identity
from server.refusals import Refusal, Refusals
from server.sending import Sends, sent
from server.watching import watched

_Params = TypeVar("_Params", bound=BaseModel)
_Done = TypeVar("_Done")

_AT_ONCE = 500
"""People who are looked up by one statement."""


@dataclass(frozen=True, slots=True)
class Paces:
    """How fast one person may send, and ask for anything else, in this process. Sends have a pace of their own: a page that
    reads too much must not keep its person from writing."""

    sends: Pace
    operations: Pace

    @classmethod
    def of(cls, settings: Settings) -> "Paces":
        """As the settings say."""
        sends = Rate(settings.sends_per_second, settings.sends_burst, settings.sends_patience)
        operations = Rate(settings.operations_per_second, settings.operations_burst, settings.sends_patience)
        return cls(
            Pace("sends", sends, "Too many messages at once. Try again in {seconds} s; nothing was lost."),
            Pace("operations", operations, "Too many requests at once. Try again in {seconds} s."),
        )


class Dispatcher:
    """Runs operations for whoever asks: one transaction each, permission first, the access log in it."""

    def __init__(
        self,
        database: Database,
        batcher: Batcher,
        paces: Paces | None = None,
        viewing: Viewing | None = None,
        endpoints: Allowed | None = None,
    ) -> None:
        """`paces`: how fast each person may ask; without, as fast as they can. `viewing`: where pages say who is reading;
        without, nowhere. `endpoints`: which push endpoints are taken."""
        self._viewing = viewing
        self._context = {"endpoints": endpoints or Allowed()}
        self._database = database
        self._batcher = batcher
        self.refusals = Refusals(database)
        self._admissions = Gathering(partial(actors.find_all, database.fetch), _AT_ONCE)
        self._paces = paces
        self.sends = Sends(batcher, database.keys, self.refusals, None if paces is None else paces.sends)

    async def call(
        self,
        identity: Identity,
        name: str,
        data: bytes | dict[str, Any],
        request_id: str | None = None,
        *,
        admitted: bool = True,
    ) -> bytes:
        """Run an operation and return its result as JSON.

        Args:
            identity: who the token names.
            name: of the operation.
            data: its parameters, as JSON or parsed.
            request_id: for the access log, if the caller has one.
            admitted: whether it was asked already if they may sign in; what is not batched asks again anyway.

        Raises:
            TooMany: faster than their pace.
            NoSuchOperation: no operation has this name.
            WarmlineError: every other refusal.
        """
        operation = BY_NAME.get(name)
        if operation is None:
            raise NoSuchOperation(f"There is no operation {name!r:.60}.")
        request_id = request_id or random_token()
        with watched(operation.name):
            if self._paces is not None:
                pace = self._paces.sends if operation.verb is None else self._paces.operations
                await pace.turn((identity.organization_id, identity.person_id))
            if operation.verb is None and not admitted:
                await self.admit(identity, operation.name)
            try:
                return await self._run(operation, identity, data, request_id)
            except (Forbidden, NotFound, Unauthorized) as refused:
                word = operation.name if operation.audits in (OWN, LOG) else operation.audits
                await self._refused(identity, refused, word, _asked(operation, data), request_id)
                raise

    async def _run(
        self, operation: Operation, identity: Identity, data: bytes | dict[str, Any], request_id: str
    ) -> bytes:
        if operation.verb is None:
            return await self._send(identity, parse(messages.SendMessage, data))
        async with self._database.transaction() as tx:
            actor = await actors.load(tx, identity)
            if operation.permission == STAFF:
                actor.require_staff()
            elif operation.permission != SIGNED_IN:
                actor.require(operation.permission)
            params = parse(operation.params, data, self._context)
            result = await operation.verb(tx, actor, params)
            if operation.audits not in (OWN, LOG):
                facts = ids(params) | ids(result)
                await audit.append(tx, actor.organization_id, actor.person_id, operation.audits, request_id, facts)
        if operation.then is not None and self._viewing is not None:
            await operation.then(self._viewing, actor, params)
        return result.model_dump_json().encode()

    async def within(
        self,
        identity: Identity,
        word: str,
        about: BaseModel,
        work: Callable[[Transaction, Actor], Awaitable[_Done]],
        request_id: str,
        *,
        recorded: bool,
    ) -> _Done:
        """Do what carries bytes instead of JSON as an operation is done: at the person's pace, in a transaction, on record.

        Args:
            word: what it is recorded under; without `recorded`, only where it is refused.
            about: what it is about.
        """
        with watched(word):
            if self._paces is not None:
                await self._paces.operations.turn((identity.organization_id, identity.person_id))
            try:
                async with self._database.transaction() as tx:
                    actor = await actors.load(tx, identity)
                    result = await work(tx, actor)
                    if recorded:
                        await audit.append(tx, actor.organization_id, actor.person_id, word, request_id, ids(about))
                return result
            except (Forbidden, NotFound, Unauthorized) as refused:
                await self._refused(identity, refused, word, ids(about), request_id)
                raise

    async def admit(self, identity: Identity, to: str = "connection.open") -> None:
        """Refuse whoever may not sign in; sends do not ask again, so it is asked before them. Raises Unauthorized."""
        # Everybody who connects comes this way, thousands at once after a fault.
        found = await self._admissions.ask(identity)
        if isinstance(found, Unauthorized):
            await self._refused(identity, found, to, {}, random_token())
            raise found

    async def _refused(
        self, identity: Identity, refused: WarmlineError, word: str, asked: dict[str, Any], request_id: str
    ) -> None:
        one = Refusal(word, refused.status, asked, request_id)
        await self.refusals.record(identity.organization_id, identity.person_id, [one])

    async def _send(self, identity: Identity, params: messages.SendMessage) -> bytes:
        return sent(
            await self._batcher.send(identity, params.channel_id, params.client_id, params.text, params.reply_to)
        )


def _asked(operation: Operation, data: bytes | dict[str, Any]) -> dict[str, Any]:
    """The ids that a refused call was about; none where its parameters are not even well formed."""
    try:
        return ids(parse(operation.params, data))
    except Invalid:
        return {}

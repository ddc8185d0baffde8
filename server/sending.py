"""message.send, the hot verb, the short way: without a task of its own, from the socket straight to the batcher and back.

The long way (server/dispatching.py) is the same for every operation; a send goes it when something stands in its way: when
its parameters are wrong, its person is too fast, or the organisation's key has to be looked up. Behind it all of that person's
go the long way until it is done, so that theirs stay in their order.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from msgspec.json import Encoder

from server.chat import bodies
from server.chat.batcher import Batcher
from server.chat.messages import SendMessage
from server.chat.shapes import when
from server.crypto import KeyRing
from server.errors import Forbidden, Invalid, NotFound, Unauthorized, WarmlineError
from server.pace import Pace
from server.parameters import ids, parse
from server.people.actors import Identity
from server.refusals import Refusal, Refusals
from server.watching import over

NAME: Final = "message.send"
_encode = Encoder().encode


class Sends:
    """Begins sends. `pace`: as fast as each person may; without, as fast as they can."""

    def __init__(self, batcher: Batcher, keys: KeyRing, refusals: Refusals, pace: Pace | None) -> None:
        self._batcher = batcher
        self._keys = keys
        self._refusals = refusals
        self._pace = pace
        self._detours: Counter[tuple[str, str]] = Counter()
        self._telling: set[asyncio.Task[None]] = set()

    def begin(
        self, identity: Identity, data: bytes, the_long_way: Callable[[], Awaitable[bytes]]
    ) -> asyncio.Future[bytes]:
        """A send of somebody who was let in before; what it will be answered."""
        who = (identity.organization_id, identity.person_id)
        answer = None if who in self._detours else self._at_once(identity, data)
        if answer is None:
            self._detours[who] += 1
            answer = asyncio.ensure_future(the_long_way())
            answer.add_done_callback(lambda _: self._arrived(who))
        return answer

    def _at_once(self, identity: Identity, data: bytes) -> asyncio.Future[bytes] | None:
        key = self._keys.ready(identity.organization_id)
        if key is None:
            return None
        try:
            params = parse(SendMessage, data)
            text = bodies.trimmed(params.text)
        except Invalid:
            return None
        if self._pace is not None and not self._pace.go((identity.organization_id, identity.person_id)):
            return None
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        send = _Send(self, identity, params, perf_counter(), answer)
        self._batcher.put(key, identity, params.channel_id, params.client_id, text, params.reply_to, send.done)
        return answer

    def _arrived(self, who: tuple[str, str]) -> None:
        self._detours[who] -= 1
        if not self._detours[who]:
            del self._detours[who]

    def refuse(self, send: "_Send", error: WarmlineError) -> None:
        """Refuse it, and record it before, if it is one of those that are (server/refusals.py)."""
        if not isinstance(error, Forbidden | NotFound | Unauthorized):
            send.tell(error)
            return
        task = asyncio.get_running_loop().create_task(self._record(send, error))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _record(self, send: "_Send", error: WarmlineError) -> None:
        who = send.identity
        await self._refusals.record(who.organization_id, who.person_id, [Refusal(NAME, error.status, ids(send.params))])
        send.tell(error)


@dataclass(slots=True)
class _Send:
    """One send under way."""

    sends: Sends
    identity: Identity
    params: SendMessage
    began: float
    answer: asyncio.Future[bytes]

    def done(self, outcome: dict[str, Any] | WarmlineError) -> None:
        """What became of it."""
        if isinstance(outcome, WarmlineError):
            self.sends.refuse(self, outcome)
            return
        over(NAME, None, perf_counter() - self.began)
        if not self.answer.done():
            self.answer.set_result(sent(outcome))

    def tell(self, error: WarmlineError) -> None:
        """That it was refused."""
        over(NAME, error, perf_counter() - self.began)
        if not self.answer.done():
            self.answer.set_exception(error)


def sent(outcome: dict[str, Any]) -> bytes:
    """What a send is answered, as messages.Sent says."""
    return _encode({**outcome, "at": when(outcome["at"])})

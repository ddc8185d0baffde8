"""The hot path: sends are gathered while the previous commit runs, and written as one batch in one round trip.

There is no timer: a batch is whatever has queued meanwhile. Each channel has a lane that keeps its order; a channel that
somebody else holds just now is left in its lane and tried again with a growing pause, for up to ten seconds, holding no
connection, so that it stalls nobody.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import asyncpg

from server import events, metrics
from server.chat import bodies
from server.chat.policy import REFUSALS
from server.crypto import DataKey
from server.db import Database, translated
from server.ending import end
from server.errors import Conflict, TooMany, Unavailable, WarmlineError
from server.events import Event, Words
from server.ids import MessageId
from server.people.actors import Identity

log = logging.getLogger(__name__)

MAX_BATCH = 64
"""More would leave the second flusher nothing to do: Postgres and this process would take turns idling."""
MAX_OF_ONE_LANE = 128
"""Where all wait for one channel the second flusher has nothing to do anyway, and a send takes Postgres less among more."""
FLUSHERS = 2
"""Batches under way at once. A lane is in one of them only, so they never wait for each other and keep each channel's order."""
PATIENCE_SECONDS = 10.0
# What is the same of all sends is not sent with each of them.
_CALL = """select *, (select log_epoch()) as epoch from append_batch(
  $1::text[], $2, array_fill('message'::text, array[cardinality($1)]), $3, $4, $5, $6, $7, $8,
  array_fill('all'::text, array[cardinality($1)]), null, null)"""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1
_STOPPING = "The server is stopping. Try again."


Done = Callable[[dict[str, Any] | WarmlineError], None]
"""Told, once, what became of a send: {message_id, offset, at}, or why it was refused."""


@dataclass(slots=True)
class _Send:
    """One send on its way, encrypted under the id it will have."""

    who: Identity
    channel_id: str
    client_id: str
    text: str
    reply_to: str | None
    message_id: str
    key_id: str
    ciphertext: bytes
    since: float
    done: "Done"
    judged: bool = False
    """Whether it is over, though its sender may hear so a moment later: its lane lets go of it."""


@dataclass(slots=True)
class _Lane:
    """The sends of one channel, in order, and when they may be tried."""

    sends: deque[_Send] = field(default_factory=deque)
    pause: float = 0.0
    queued: bool = False


class Batcher:
    """Writes all sends of this process. Started and stopped with it."""

    def __init__(
        self,
        database: Database,
        publish: Callable[[str, bytes], None],
        tell: Callable[[Sequence[tuple[Event, str]]], None] | None = None,
    ) -> None:
        """`tell` is told of the messages written together, with their texts, if there is more to do than to `publish` them."""
        self._database = database
        self._keys = database.keys
        self._publish = publish
        self._tell = tell or self._published
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._ready: deque[tuple[str, str]] = deque()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.batches = self.sends = self.busy = 0

    async def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._run()) for _ in range(FLUSHERS)]

    async def stop(self) -> None:
        """Write what is queued, for at most two seconds, then end; the rest is told to try again."""
        self._stopping = True
        deadline = asyncio.get_running_loop().time() + 2
        while self._lanes and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        await end(*self._tasks)
        for lane in self._lanes.values():
            for send in lane.sends:
                _fail(send, Unavailable(_STOPPING))

    @property
    def waiting(self) -> int:
        """How many sends are not answered yet."""
        return sum(len(lane.sends) for lane in self._lanes.values())

    async def send(
        self, who: Identity, channel_id: str, client_id: str, text: str, reply_to: str | None
    ) -> dict[str, Any]:
        """Write one message and return {message_id, offset, at} once it is committed.

        A client_id seen before returns its first result, whatever has become of membership and channel meanwhile.

        Raises:
            Invalid: the text is none.
            NotFound, Forbidden, Conflict: see policy.REFUSALS; Conflict also for a client_id used with another message.
            TooMany: somebody has held the channel for ten seconds.
            Unavailable: the outcome is unknown; sending the same again is safe.
        """
        text = bodies.trimmed(text)
        key = await self._keys.current(who.organization_id)
        done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.put(key, who, channel_id, client_id, text, reply_to, partial(_settled, done))
        return await done

    def put(
        self, key: DataKey, who: Identity, channel_id: str, client_id: str, text: str, reply_to: str | None, done: Done
    ) -> None:
        """The same without waiting, for whoever has the organisation's present key at hand and a text that is `trimmed`."""
        if self._stopping:
            done(Unavailable(_STOPPING))
            return
        message_id = str(MessageId.new())  # encoders have a quick way for plain strings alone
        ciphertext = bodies.close(key, who.organization_id, channel_id, message_id, who.person_id, text)
        since = asyncio.get_running_loop().time()
        send = _Send(who, channel_id, client_id, text, reply_to, message_id, key.id, ciphertext, since, done)
        lane_key = (who.organization_id, channel_id)
        lane = self._lanes.get(lane_key)
        if lane is None:
            lane = self._lanes[lane_key] = _Lane()
        lane.sends.append(send)
        if not lane.queued:
            self._queue(lane_key, lane)

    def _queue(self, lane_key: tuple[str, str], lane: _Lane) -> None:
        lane.queued = True
        self._ready.append(lane_key)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ready:
                lanes, batch = self._gather()
                try:
                    await self._write(batch)
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    self._failed(batch, error)
                for lane_key in lanes:
                    self._settle(lane_key)

    def _gather(self) -> tuple[list[tuple[str, str]], list[_Send]]:
        """Take lanes until the batch is full; a lane's sends stay in it until they are answered."""
        lanes: list[tuple[str, str]] = []
        batch: list[_Send] = []
        most = MAX_BATCH if len(self._ready) > 1 else MAX_OF_ONE_LANE
        while self._ready and len(batch) < most:
            lane_key = self._ready.popleft()
            sends = self._lanes[lane_key].sends
            lanes.append(lane_key)
            batch.extend(sends[place] for place in range(min(len(sends), most - len(batch))))
        return lanes, batch

    def _settle(self, lane_key: tuple[str, str]) -> None:
        """Drop the lane when it is empty; else queue it again, after a pause if its channel was held."""
        lane = self._lanes[lane_key]
        lane.sends = deque(send for send in lane.sends if not send.judged)
        if not lane.sends:
            del self._lanes[lane_key]
        elif lane.pause:
            asyncio.get_running_loop().call_later(lane.pause, self._queue, lane_key, lane)
        else:
            self._queue(lane_key, lane)

    async def _write(self, batch: list[_Send]) -> None:
        replies = [send.reply_to for send in batch]
        columns: tuple[list[Any] | None, ...] = (
            [send.who.organization_id for send in batch], [send.channel_id for send in batch],
            [send.who.person_id for send in batch], [send.message_id for send in batch], [send.client_id for send in batch],
            replies if any(replies) else None, [send.key_id for send in batch], [send.ciphertext for send in batch],
        )  # fmt: skip
        began = perf_counter()
        rows = await self._database.writes.fetch(_CALL, *columns)
        self.batches += 1
        metrics.FLUSH_SECONDS.observe(perf_counter() - began)
        metrics.BATCH_SENDS.observe(len(batch))
        for outcome, count in Counter(row["outcome"] for row in rows).items():
            (metrics.SENDS_HELD if outcome == "busy" else metrics.SENDS.labels(outcome)).inc(count)
        written: list[tuple[_Send, asyncpg.Record]] = []
        seen: list[tuple[_Send, asyncpg.Record]] = []
        for row in rows:
            send = batch[row["item"] - 1]
            lane = self._lanes[send.who.organization_id, send.channel_id]
            if row["outcome"] == "busy":
                self._held(send, lane)
                continue
            lane.pause = 0.0
            if row["outcome"] == "ok":
                self.sends += 1
                send.judged = True
                written.append((send, row))
            elif row["outcome"] == "seen":
                seen.append((send, row))
            else:
                _fail(send, REFUSALS[row["outcome"]])
        # Not now: the next batch goes to the database first, which works on it while the senders of this one are answered.
        asyncio.get_running_loop().call_soon(self._written, sorted(written, key=lambda told: told[1]["log_offset"]))
        for send, row in seen:
            await self._repeat(send, row)

    def _written(self, written: list[tuple[_Send, asyncpg.Record]]) -> None:
        for send, row in written:
            _answer(send, row)
        # The senders' replies leave first: what awaits a future runs before what is scheduled after its result.
        told = [(_event(send, row), send.text) for send, row in written]
        asyncio.get_running_loop().call_soon(self._tell, told)

    def _published(self, written: Sequence[tuple[Event, str]]) -> None:
        for event, _ in written:
            self._publish(events.topic(event.organization_id, event.channel_id), events.encode(event))

    def _held(self, send: _Send, lane: _Lane) -> None:
        self.busy += 1
        lane.pause = min(max(lane.pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        if asyncio.get_running_loop().time() - send.since > PATIENCE_SECONDS:
            _fail(send, TooMany("This channel is being changed just now. Try again."))

    async def _repeat(self, send: _Send, row: asyncpg.Record) -> None:
        """Answer a client_id that was seen: with its first result if it is the same message, else with a refusal."""
        try:
            key = await self._keys.get(send.who.organization_id, row["key_id"])
            words = Words(
                row["message_id"], row["log_offset"], row["created_at"], row["author_id"], row["reply_to"], None, 1, False,
                send.who.person_id, send.who.person_id, row["key_id"], row["ciphertext"],
            )  # fmt: skip
            first = bodies.open_with(key, send.who.organization_id, send.channel_id, words)
        except WarmlineError as error:
            return _fail(send, error)
        if (first, row["reply_to"]) != (send.text, send.reply_to):
            return _fail(
                send,
                Conflict("client_id: you have used it here for another message. Give every new message a new one."),
            )
        return _answer(send, row)

    def _failed(self, batch: list[_Send], error: Exception) -> None:
        """The statement failed as a whole: nobody can tell what was committed, and the same client_id finds out."""
        log.error("a batch of %d sends failed: %s", len(batch), type(error).__name__)
        metrics.SENDS.labels("failed").inc(len(batch))
        known = translated(error)
        for send in batch:
            _fail(
                send,
                known
                if isinstance(known, WarmlineError)
                else Unavailable("The message could not be written. Try again."),
            )


def _answer(send: _Send, row: asyncpg.Record) -> None:
    send.judged = True
    metrics.SEND_SECONDS.observe(asyncio.get_running_loop().time() - send.since)
    send.done({"message_id": row["message_id"], "offset": row["log_offset"], "at": row["created_at"]})


def _fail(send: _Send, error: WarmlineError) -> None:
    if not send.judged:
        send.judged = True
        send.done(type(error)(error.message))


def _settled(done: asyncio.Future[dict[str, Any]], outcome: dict[str, Any] | WarmlineError) -> None:
    if done.done():
        return
    if isinstance(outcome, WarmlineError):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)


def _event(send: _Send, row: asyncpg.Record) -> Event:
    words = Words(
        send.message_id, row["log_offset"], row["created_at"], row["author_id"], send.reply_to, row["root_offset"], 1, False,
        send.who.person_id, send.who.person_id, send.key_id, send.ciphertext,
    )  # fmt: skip
    return Event(
        row["epoch"], send.who.organization_id, send.channel_id, row["log_offset"], "message", row["created_at"], words=words
    )  # fmt: skip

"""`python -m tests.faults.planted NAME`: a gateway with a mistake planted in it, or one that dies at a chosen line.

The product has no switch for any of this: what is changed is changed here, in the process of a test. The mistakes are those
of reliability.md §3; the history checker must find each. Those that lie in the database are planted there (`in_database`).
"""

import asyncio
import contextvars
import os
import random
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from server import events
from server.app.log import ChatLog, _row, ids
from server.chat import batcher
from server.chat.batcher import Batcher
from server.cli import main
from server.db import Database
from server.gateway import spread
from server.gateway.hub import Hub
from server.gateway.parts import Parts
from server.gateway.reads import Reads
from server.gateway.recovery import View, view
from server.sending import Sends

LATER = 0.1
"""Seconds between what is done too early and the commit."""
_batch: contextvars.ContextVar[tuple[Batcher, list[Any]]] = contextvars.ContextVar("batch")


class _Writes:
    """The connections that sends are written with, and something wrong in how they are used."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._tasks: set[asyncio.Task[None]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


class _AckedFirst(_Writes):
    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        connection = await self._pool.acquire()
        transaction = connection.transaction()
        await transaction.start()
        rows = await connection.fetch(query, *args)

        async def commit() -> None:
            await asyncio.sleep(LATER)
            await transaction.commit()
            await self._pool.release(connection)

        task = asyncio.create_task(commit())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return rows


class _PublishedFirst(_Writes):
    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        of, sends = _batch.get()
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            rows = await connection.fetch(query, *args)
            done = [
                (batcher._event(send, row), send.text)
                for row in rows
                if row["outcome"] == "ok" and (send := sends[row["item"] - 1])
            ]
            of._tell(done)
            await asyncio.sleep(0.01)
            if random.random() < 0.1:
                await transaction.rollback()
                raise asyncpg.PostgresConnectionError("planted: rolled back")
            await transaction.commit()
        return rows


def _write_with(kind: type[_Writes]) -> None:
    start, write = Database.start, Batcher._write

    async def started(self: Database) -> None:
        await start(self)
        self.writes = kind(self.writes)  # type: ignore[assignment]

    async def written(self: Batcher, batch: list[Any]) -> None:
        _batch.set((self, batch))
        await write(self, batch)

    Database.start = started  # type: ignore[method-assign]
    Batcher._write = written  # type: ignore[method-assign]


def no_buffering() -> None:
    """Who catches up is live as soon as the log was read, whatever was written since."""
    since, go_live = Reads.since, Hub.go_live

    async def slowly(self: Reads, wanted: Any) -> Any:
        found = await since(self, wanted)
        await asyncio.sleep(0.05)
        return found

    def at_once(self: Hub, subscription: Any) -> bool:
        if subscription.progress is not None and subscription.progress.position != subscription.channel.last:
            subscription.progress.position = subscription.channel.last
        return go_live(self, subscription)

    Reads.since = slowly  # type: ignore[method-assign]
    Hub.go_live = at_once  # type: ignore[method-assign]


def no_tops() -> None:
    """What the doorbell lost is never looked for."""
    lately = ChatLog.lately

    async def nothing(self: ChatLog) -> Any:
        await lately(self)
        return [], []

    ChatLog.lately = nothing  # type: ignore[method-assign]


def epoch_learned_late() -> None:
    """The epoch is looked at only now and then, and nothing that is read or granted in between says that it is another one."""
    lately, learned = ChatLog.lately, dict[str, float]()

    async def late(self: ChatLog) -> Any:
        known = self.epoch
        found = await lately(self)
        seen = learned.setdefault(self.epoch, time.monotonic())
        if known and time.monotonic() < seen + 3:
            self.epoch = known
        return found

    async def whatever(self: ChatLog, wanted: Any) -> Any:
        found = await events.since(self._database.reads, [(*ids(key), after, most) for key, after, most in wanted])
        return [[_row(event) for event in some] for some in found]

    ChatLog.lately = late  # type: ignore[method-assign]
    ChatLog.since = whatever  # type: ignore[method-assign]
    Parts.knows = lambda self, epoch: True  # type: ignore[method-assign]


def memory_only() -> None:
    """A process remembers what it has sent, and nothing else does (see `in_database`)."""
    send, known = Batcher.send, dict[tuple[str, ...], asyncio.Task[Any]]()
    Sends._at_once = lambda *_: None  # type: ignore[method-assign]

    async def remembered(self: Batcher, who: Any, channel: str, client_id: str, text: str, reply_to: str | None) -> Any:
        key = (who.person_id, channel, client_id)
        task = known.get(key)
        if task is None or (task.done() and task.exception()):
            task = known[key] = asyncio.create_task(send(self, who, channel, client_id, text, reply_to))
        return await asyncio.shield(task)

    Batcher.send = remembered  # type: ignore[method-assign]


def no_second_look() -> None:
    """Whoever was let in once stays in."""
    spread.view = lambda row, viewer: View.SEE if view(row, viewer) is View.CUT else view(row, viewer)  # type: ignore[assignment]


def die_after_commit() -> None:
    """A send of "die after commit …" is written, and its process is gone before it can say so."""
    answer = batcher._answer

    def dying(send: Any, row: Any) -> None:
        if row["outcome"] == "ok" and send.text.startswith("die after commit"):
            os.kill(os.getpid(), signal.SIGKILL)
        answer(send, row)

    batcher._answer = dying


def die_before_publish() -> None:
    """A send of "die before publish …" is written and answered, and its process is gone before anybody is told."""
    make, answer, doomed = Batcher.__init__, batcher._answer, set[str]()

    def made(self: Batcher, *args: Any) -> None:
        make(self, *args)
        tell = self._tell

        def dying(written: Sequence[Any]) -> None:
            if any(event.words.message_id in doomed for event, _ in written):
                asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGKILL)
                return
            tell(written)

        self._tell = dying

    def marked(send: Any, row: Any) -> None:
        if row["outcome"] == "ok" and send.text.startswith("die before publish"):
            doomed.add(send.message_id)
        answer(send, row)

    batcher._answer = marked
    Batcher.__init__ = made  # type: ignore[method-assign]


def dying_gateway() -> None:
    """One that does both."""
    die_after_commit()
    die_before_publish()


PLANTED = {
    "ack before commit": lambda: _write_with(_AckedFirst),
    "publish before commit": lambda: _write_with(_PublishedFirst),
    "no buffering during recovery": no_buffering,
    "no tops query": no_tops,
    "dedupe by memory only": memory_only,
    "epoch learned late": epoch_learned_late,
    "no second look at memberships": no_second_look,
    "dying": dying_gateway,
}

SCHEMA = Path(__file__).parents[2] / "schema.sql"
FAILING = (
    "if random() < 0.05 then raise exception 'planted: rolled back' using errcode = 'serialization_failure'; end if;"
)
"""Some transactions fail after everything was done: they must leave nothing behind."""


def append_batch(*changes: tuple[str, str]) -> str:
    """The product's one writer of offsets, with something changed in it."""
    [text] = re.findall(r"create (function append_batch\(.*?^end \$\$;)", SCHEMA.read_text(), re.S | re.M)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return f"create or replace {text}"


async def in_database(connection: asyncpg.Connection, name: str) -> None:
    """Plant a mistake that lies in the database, or (failing transactions) a fault that the product must bear."""
    fail = ("    from numbered n;\nend $$;", f"    from numbered n;\n  {FAILING}\nend $$;")
    if name == "failing transactions":
        await connection.execute(append_batch(fail))
    elif name == "nothing":
        await connection.execute(append_batch())
    elif name == "SEQUENCE offsets":
        for row in await connection.fetch("select id, top_offset from channels"):
            await connection.execute(f"create sequence planted_{row['id']} start {row['top_offset'] + 1}")
        await connection.execute("grant usage on all sequences in schema public to warmline_app")
        counted = """j.top_offset + count(*) filter (where j.outcome = 'ok')
                  over (partition by j.organization_id, j.channel_id order by j.item) end as new_offset"""
        sequence = "nextval('planted_' || j.channel_id) end as new_offset"
        await connection.execute(append_batch(fail, (counted, sequence)))
    elif name == "dedupe by memory only":
        seen = "on true\n      left join lateral (select * from message_revisions r"
        await connection.execute(append_batch((f"limit 1) seen {seen}", f"limit 0) seen {seen}")))
        await connection.execute("drop index messages_one_per_client_id")
    elif name == "keep epoch after restore":
        await connection.execute(
            "create or replace function log_epoch() returns text language sql stable as $$ select 'the same' $$"
        )


if __name__ == "__main__":
    PLANTED[sys.argv[1]]()
    sys.exit(main(["serve"]))

"""Postgres: transactions for the verbs, and a few plain connections for the two hot paths (sends, reads of the log).

One transaction per request or job, committed here at the edge and nowhere else; what is to be announced goes out after
the commit, so that nothing is announced that is not so. Everything runs as the role warmline_app, whatever login was used.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from server.crypto import KeyRing, MasterKey
from server.errors import TooMany, Unavailable, WarmlineError

TRANSACTION_SECONDS = 10
"""No transaction lasts longer: what looks back for commits looks back further than this."""
_OVERDUE_SECONDS = TRANSACTION_SECONDS + 1
"""Postgres has ended it by now. Whoever still waits for an answer waits on a line that has gone silent: it is cut."""
_PATIENCE_SECONDS = 5
"""For a connection, and for a place in the pool."""
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, PoolTimeout, OSError, TimeoutError)
"""How it shows that the database is away; asyncpg says "internal" of a line that ends in the middle of a commit."""

_SESSION = {
    "role": "warmline_app",
    "application_name": "warmline",
    "timezone": "UTC",
    "search_path": "public",
    "lock_timeout": "5s",
    "statement_timeout": "9s",
    "transaction_timeout": f"{TRANSACTION_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{TRANSACTION_SECONDS}s",
    "jit": "off",
    "log_parameter_max_length_on_error": "0",  # whatever the server is set to: they are names and addresses
}
# The batch statement joins a handful of items with large tables, by key, always: a plan made while the tables were
# empty must not become a scan once they are full.
_BY_KEY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",  # planning it anew would take longer than running it
}

_explained: dict[str, WarmlineError] = {}


def reference(columns: str, table: str, remote: str) -> ForeignKeyConstraint:
    """A composite reference of a table class: its columns, the table they point into, and the columns there."""
    return ForeignKeyConstraint(columns.split(), [f"{table}.{column}" for column in remote.split()])


def explain(constraint: str, error: WarmlineError) -> None:
    """Say what it means for a caller that a constraint of schema.sql refused a change."""
    _explained[constraint] = error


class Transaction:
    """An open transaction. Verbs read and write through `session`; they never commit."""

    def __init__(self, session: AsyncSession, keys: KeyRing) -> None:
        self.session = session
        self.keys = keys
        self.record: dict[str, str] = {}
        self.announcements: list[tuple[str, bytes]] = []

    def announce(self, topic: str, payload: bytes) -> None:
        """Publish this once the transaction is committed, in the order of the calls; never when it is not."""
        self.announcements.append((topic, payload))

    def concerns(self, **ids: str | None) -> None:
        """Say whose record this is about (patient_id=, channel_id=): the access log reads it when the verb is done."""
        self.record |= {name: id for name, id in ids.items() if id is not None}

    async def rows(self, sql: str, /, *args: Any) -> list[dict[str, Any]]:
        """Run one statement of ours, with $1 … for its arguments, inside this transaction."""
        connection = await self.session.connection()
        result = await connection.exec_driver_sql(sql, args)
        if not result.returns_rows:
            return []
        names = tuple(result.keys())  # a quarter of the time for 64 rows that result.mappings() takes for them
        return [dict(zip(names, row, strict=True)) for row in result]


class Database:
    """The connections of one process."""

    def __init__(self, url: str, master: MasterKey, publish: Callable[[str, bytes], None], pool_size: int = 8) -> None:
        self._url = url
        self._publish = publish
        self.keys = KeyRing(master, self)
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,  # one way to connect, so that whatever stands in the URL means the same
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_PATIENCE_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,  # they would stand in the words of every error
        )
        self._pool_size = pool_size
        self.waiting = 0
        """Transactions that wait for a connection."""
        self.reads: asyncpg.Pool
        self.writes: asyncpg.Pool

    async def start(self) -> None:
        """Open the plain connections."""
        self.reads = await self._pool(4, _SESSION)
        self.writes = await self._pool(3, _SESSION | _BY_KEY)

    async def stop(self) -> None:
        """Close everything; what is in flight has five seconds."""
        for pool in (self.reads, self.writes):
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()
        await self._engine.dispose()

    def pools(self) -> dict[str, tuple[int, int]]:
        """For each pool, how many of its connections are busy, and how many it may have."""
        plain = {"log": self.reads, "sends": self.writes}
        busy = {name: (pool.get_size() - pool.get_idle_size(), pool.get_max_size()) for name, pool in plain.items()}
        operations = cast("AsyncAdaptedQueuePool", self._engine.pool)
        return busy | {"operations": (operations.checkedout(), self._pool_size)}

    async def fetch(self, query: str, /, *args: Any) -> list[asyncpg.Record]:
        """One statement in a transaction of its own. Raises what `transaction` raises."""
        try:
            return await self.reads.fetch(query, *args)
        except _AWAY as error:
            raise translated(error) from error

    async def connection(self) -> asyncpg.Connection:
        """A plain connection of the caller's own, to listen on; the caller closes it. Raises what asyncpg.connect raises."""
        return await self._connect()

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self._url, server_settings=_SESSION, timeout=_PATIENCE_SECONDS)

    async def _pool(self, size: int, session: dict[str, str]) -> asyncpg.Pool:
        return await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=size,
            server_settings=session,
            timeout=_PATIENCE_SECONDS,
            command_timeout=9,
            max_inactive_connection_lifetime=0,
            reset=_as_it_was,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction: committed at the end, rolled back when anything is raised, announced after the commit.

        Raises:
            WarmlineError: what a constraint's refusal, a lock held too long or a lost database mean for the caller.
        """
        deadline: asyncio.TimerHandle | None = None
        try:
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                # For a place in the pool, and for a line that answers.
                self.waiting += 1
                try:
                    async with asyncio.timeout(2 * _PATIENCE_SECONDS):
                        raw = await (await session.connection()).get_raw_connection()
                finally:
                    self.waiting -= 1
                assert raw.driver_connection is not None
                deadline = asyncio.get_running_loop().call_later(_OVERDUE_SECONDS, raw.driver_connection.terminate)
                tx = Transaction(session, self.keys)
                yield tx
                await session.commit()
        except (DBAPIError, *_AWAY) as error:
            raise translated(error) from error
        finally:
            if deadline is not None:
                deadline.cancel()
        for topic, payload in tx.announcements:
            self._publish(topic, payload)


async def _as_it_was(_connection: asyncpg.Connection) -> None:
    """Nothing of ours changes a plain connection's session, and resetting it would be one more round trip per statement."""


def translated(error: BaseException) -> BaseException:
    """The error that a caller should see for one of the database's; an unforeseen one comes back as it was."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        return translated(cause) if cause is not None else Unavailable("The database is away. Try again.")
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        known = _explained.get(error.constraint_name or "")
        return type(known)(known.message) if known else error  # anew: a kept one would gather everybody's traceback
    if isinstance(error, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError | asyncpg.SerializationError):
        return TooMany("Somebody else is changing the same thing just now. Try again.")
    if isinstance(error, asyncpg.SyntaxOrAccessError | asyncpg.DataError):
        return error
    if isinstance(error, _AWAY):
        return Unavailable("The database is away or overloaded. Try again.")
    return error

"""The open gateway's Log: any channel, its newest publications in a table of their own, trimmed by size."""

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
import msgspec

from server.gateway.ports import LogRow
from server.gateway.protocol import ClientInfo

KEPT, FEW = 100, 2
"""Publications kept per channel; in those whose name begins with `smallhistory:`."""

_SCHEMA = """
create schema if not exists interop;
create table if not exists interop.incarnation (epoch text primary key);
insert into interop.incarnation select substr(md5(random()::text), 1, 8)
 where not exists (select from interop.incarnation);
create table if not exists interop.channels (name text primary key, top bigint not null, written_at timestamptz not null);
create table if not exists interop.publications (
  channel text, log_offset bigint, data bytea not null, info bytea, primary key (channel, log_offset));"""
_NEXT = """
insert into interop.channels as c values ($1, 1, now())
  on conflict (name) do update set top = c.top + 1, written_at = clock_timestamp() returning top"""
_SINCE = """
select w.place, p.channel, p.log_offset, p.data, p.info
  from unnest($1::text[], $2::bigint[], $3::bigint[]) with ordinality as w (channel, after, most, place)
 cross join lateral (select * from interop.publications x where x.channel = w.channel and x.log_offset > w.after
                      order by x.log_offset limit w.most) p order by w.place, p.log_offset"""
_LATELY = "select name, top from interop.channels where written_at > now() - interval '30 s'"


def kept(name: str) -> int:
    """How many publications this channel keeps."""
    return FEW if name.startswith("smallhistory:") else KEPT


class _Said(msgspec.Struct, array_like=True):
    epoch: str
    offset: int
    data: bytes
    info: ClientInfo | None


_encode, _decoder = msgspec.msgpack.encode, msgspec.msgpack.Decoder(_Said)
_info = msgspec.msgpack.Decoder(ClientInfo)


class OpenLog:
    """See server.gateway.ports.Log. Keys are the channels' names."""

    def __init__(self, pool: asyncpg.Pool, publish: Callable[[str, bytes], None]) -> None:
        self._pool = pool
        self._publish = publish
        self.epoch = ""

    async def prepare(self) -> None:
        """Make the tables, if nobody has."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(7265636)")
            await connection.execute(_SCHEMA)

    async def write(self, name: str, data: bytes, info: ClientInfo | None = None) -> int:
        """One more publication, told to all gateways; its offset."""
        async with self._pool.acquire() as connection, connection.transaction():
            offset = int(await connection.fetchval(_NEXT, name))
            packed = None if info is None else _encode(info)
            await connection.execute(
                "insert into interop.publications values ($1, $2, $3, $4)", name, offset, data, packed
            )
            await connection.execute(
                "delete from interop.publications where channel = $1 and log_offset <= $2", name, offset - kept(name)
            )
        self._publish(self.topic(name), _encode(_Said(self.epoch, offset, data, info)))
        return offset

    async def tops(self, names: Sequence[str]) -> dict[str, int]:
        """Where these channels stand."""
        rows = await self._pool.fetch("select name, top from interop.channels where name = any ($1)", list(names))
        return {row["name"]: row["top"] for row in rows}

    async def since(self, wanted: Sequence[tuple[str, int, int]]) -> Sequence[Sequence[LogRow]]:
        """See Log."""
        found: list[list[LogRow]] = [[] for _ in wanted]
        most = 2**62
        columns = [[key, min(after, most), limit] for key, after, limit in wanted]
        for row in await self._pool.fetch(_SINCE, *(list(column) for column in zip(*columns, strict=True))):
            info = None if row["info"] is None else _info.decode(row["info"])
            found[row["place"] - 1].append(_row(row["channel"], row["log_offset"], row["data"], info))
        return found

    async def lately(self) -> tuple[Sequence[tuple[str, int]], Sequence[tuple[str, str]]]:
        """See Log."""
        async with asyncio.timeout(5):
            self.epoch = await self._pool.fetchval("select epoch from interop.incarnation")
            rows = await self._pool.fetch(_LATELY)
        return [(row["name"], row["top"]) for row in rows], []

    def topic(self, key: str) -> str:
        """See Log."""
        return f"interop:c:{key}"

    def person_topic(self, person: str) -> str:
        """See Log."""
        return f"interop:p:{person}"

    def decode(self, key: str, payload: bytes) -> LogRow:
        """See Log."""
        said = _decoder.decode(payload)
        if said.epoch != self.epoch:
            raise ValueError("of another epoch")
        return _row(key, said.offset, said.data, said.info)

    def publication(self, row: LogRow, audience: str) -> bytes:
        """See Log."""
        assert isinstance(row.content, bytes)
        return row.content

    def void(self) -> bytes:
        """See Log. There is nothing here that anybody may not see."""
        return b"null"


def _row(key: str, offset: int, data: bytes, info: ClientInfo | None) -> LogRow:
    return LogRow(key, offset, None, None, (), (), data, info=info)

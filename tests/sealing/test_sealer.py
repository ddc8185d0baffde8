"""The sealer: every committed entry gets exactly one seal, whenever it commits and whoever else is at it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server import schema
from server.config import Settings
from server.db import Database, Transaction
from server.errors import Misconfigured
from server.sealing import heads, sealer
from server.sealing.chain import NOTHING, link, parsed
from server.sealing.sealer import ENTRY, TIME, Sealer
from tests.support.cast import MASTER, Clinic
from workers import sealing
from workers.runner import Sweep, once

CHAIN = f"""select {ENTRY}, s.sequence, s.hash, s.more, {TIME.format("s.sealed_at")} as sealed_at
  from audit_seals s join audit_entries e on (e.organization_id, e.id) = (s.organization_id, s.entry_id)
 where s.organization_id = $1 order by s.sequence"""
WRITE = "insert into audit_entries (organization_id, operation, request_id) values ($1, $2, 'request') returning id"


async def write(connection: asyncpg.Connection, clinic: Clinic, operation: str = "test.done") -> int:
    """An entry of this organisation; its id."""
    return int(await connection.fetchval(WRITE, clinic.organization_id, operation))


@asynccontextmanager
async def another(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def seal(made: Sealer, database: Database) -> int:
    async with database.transaction() as tx:
        return await made.seal(tx)


async def chain(owner: asyncpg.Connection, clinic: Clinic) -> list[int]:
    """The entries of a chain, in its order; every hash in it is computed anew, and holds."""
    found, previous = [], NOTHING
    for place, row in enumerate(await owner.fetch(CHAIN, clinic.organization_id), 1):
        one: dict[str, Any] = dict(row)
        sequence, hash, more, at = (one.pop(name) for name in ("sequence", "hash", "more", "sealed_at"))
        one["facts"] = parsed(one["facts"])
        assert sequence == place
        assert hash == link(previous, sequence, at, more, one)
        previous = hash
        found.append(one["id"])
    return found


async def mark(owner: asyncpg.Connection) -> int:
    return int(await owner.fetchval("select entry_id from audit_mark"))


@pytest.fixture
def made() -> Sealer:
    return Sealer(Ed25519PrivateKey.generate())


async def test_each_organisation_has_a_chain_of_its_own(
    made: Sealer, clinic: Clinic, elsewhere: Clinic, owner: asyncpg.Connection
) -> None:
    mine, theirs = [], []
    for _ in range(3):
        mine.append(await write(owner, clinic))
        theirs.append(await write(owner, elsewhere))
        assert await seal(made, clinic.database) == 2
    assert await seal(made, clinic.database) == 0
    assert (await chain(owner, clinic), await chain(owner, elsewhere)) == (mine, theirs)


@pytest.mark.catalogue("S28")
async def test_an_entry_that_commits_late_with_a_lower_id_is_sealed_all_the_same(
    made: Sealer, clinic: Clinic, owner: asyncpg.Connection, database_url: str
) -> None:
    """Also when the mark could have passed it, if it went by ids: many rounds later, with a new sealer, in any order."""
    async with another(database_url) as slow, another(database_url) as slower:
        await slow.execute("begin")
        await slower.execute("begin")
        first, second = await write(slow, clinic), await write(slower, clinic)
        third = await write(owner, clinic)
        for _ in range(5):
            await seal(made, clinic.database)
            await owner.execute("select pg_current_xact_id()")
        assert await mark(owner) < first
        await slower.execute("commit")
        for _ in range(5):
            await seal(Sealer(None), clinic.database)
            await seal(made, clinic.database)
        assert await mark(owner) < first
        await slow.execute("commit")
        later = await write(owner, clinic)
        await seal(made, clinic.database)
        assert await chain(owner, clinic) == [third, second, first, later]
        await seal(made, clinic.database)
        assert await mark(owner) >= third, "and once nobody can come late any more, it is not looked for again"


@pytest.mark.catalogue("S28")
async def test_an_entry_that_has_drawn_its_id_and_is_not_written_yet_is_waited_for(
    made: Sealer, clinic: Clinic, owner: asyncpg.Connection, database_url: str
) -> None:
    """The narrow place between the two, held open: without a transaction id of its own nobody would know of the writer."""
    await owner.execute(
        """create function stand_still() returns trigger language plpgsql as $$ begin
             if new.operation = 'test.slow' then perform pg_advisory_xact_lock_shared(4712); end if;
             return new; end $$;
           create trigger stand_still before insert on audit_entries for each row execute function stand_still()"""
    )
    # Whoever draws the first of every 32 numbers gets a transaction id with it, for the sequence's sake: so not this one.
    first = await write(owner, clinic)
    async with another(database_url) as slow, another(database_url) as gate:
        await gate.execute("select pg_advisory_lock(4712)")
        writing = asyncio.create_task(write(slow, clinic, "test.slow"))
        async with asyncio.timeout(20):
            while not await owner.fetchval(
                "select exists (select from pg_locks where locktype = 'advisory' and objid = 4712 and not granted)"
            ):
                await asyncio.sleep(0.01)
        quick = await write(owner, clinic)
        for _ in range(5):
            await seal(made, clinic.database)
            await owner.execute("select pg_current_xact_id()")
        await gate.execute("select pg_advisory_unlock(4712)")
        late = await writing
    assert late < quick
    await seal(made, clinic.database)
    assert await chain(owner, clinic) == [first, quick, late]


async def test_what_is_rolled_back_leaves_no_gap(
    made: Sealer, clinic: Clinic, owner: asyncpg.Connection, database_url: str
) -> None:
    async with another(database_url) as given_up:
        await given_up.execute("begin")
        await write(given_up, clinic)
        kept = await write(owner, clinic)
        await given_up.execute("rollback")
    for _ in range(3):
        await seal(made, clinic.database)
    assert await chain(owner, clinic) == [kept]
    assert await mark(owner) == kept


async def test_many_writers_and_sealers_at_once_give_one_chain_with_everything_in_it(
    clinic: Clinic, owner: asyncpg.Connection, database_url: str
) -> None:
    """Writers that commit out of order and roll back; two workers that take turns, one of them anew each time."""
    wanted: set[int] = set()
    over = asyncio.Event()

    async def writer(number: int) -> None:
        async with another(database_url) as connection:
            for turn in range(25):
                transaction = connection.transaction()
                await transaction.start()
                id = await write(connection, clinic)
                await asyncio.sleep((number * turn % 7) / 500)
                if (number + turn) % 5:
                    await transaction.commit()
                    wanted.add(id)
                else:
                    await transaction.rollback()

    async def worker(keeps: bool) -> None:
        made = Sealer(None)
        while not over.is_set():
            made = made if keeps else Sealer(None)
            await once(clinic.database, sealing.sweeps(made)[0])
            await asyncio.sleep(0.003)

    workers = [asyncio.create_task(worker(keeps)) for keeps in (True, False)]
    await asyncio.gather(*(writer(number) for number in range(8)))
    over.set()
    await asyncio.gather(*workers)
    await seal(Sealer(None), clinic.database)
    found = await chain(owner, clinic)
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert found != sorted(found), "none came late, and so nothing was tried"


async def test_a_round_takes_a_portion_and_says_that_more_is_waiting(
    made: Sealer, clinic: Clinic, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "PORTION", 4)
    ids = [await write(owner, clinic) for _ in range(9)]
    assert [await seal(made, clinic.database) for _ in range(4)] == [4, 4, 1, 0]
    assert await chain(owner, clinic) == ids
    rows = await owner.fetch("select more from audit_seals order by sequence")
    assert [row["more"] for row in rows] == [True] * 8 + [False]


async def test_what_fails_is_sealed_the_next_time(made: Sealer, clinic: Clinic, owner: asyncpg.Connection) -> None:
    written = await write(owner, clinic)

    async def fails(tx: Transaction) -> None:
        assert await made.seal(tx) == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await once(clinic.database, Sweep("seals", 1, fails))
    assert await chain(owner, clinic) == []
    await seal(made, clinic.database)
    assert await chain(owner, clinic) == [written]


async def test_heads_are_signed_when_a_chain_has_grown(
    made: Sealer, clinic: Clinic, elsewhere: Clinic, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    key = Ed25519PrivateKey.generate()
    made, other = Sealer(key), Sealer(Ed25519PrivateKey.generate())

    async def sign(made: Sealer) -> list[tuple[str, int]]:
        async with clinic.database.transaction() as tx:
            signed = await made.sign(tx)
        for head in signed:
            assert json.loads(head.line()) in [json.loads(line.partition(": ")[2]) for line in caplog.messages]
        return [(head.organization_id, head.sequence) for head in signed]

    assert await sign(made) == []
    for one in (clinic, clinic, elsewhere):
        await write(owner, one)
    await seal(made, clinic.database)
    assert sorted(await sign(made)) == sorted([(clinic.organization_id, 2), (elsewhere.organization_id, 1)])
    assert await sign(made) == []
    assert len(await sign(other)) == 2, "a new key vouches for what there is"
    await write(owner, clinic)
    await seal(made, clinic.database)
    assert await sign(made) == [(clinic.organization_id, 3)]
    fields = f"organization_id, sequence, hash, {TIME.format('signed_at')} as signed_at, key_id, signature"
    kept = [heads.Head.read(dict(row)) for row in await owner.fetch(f"select {fields} from audit_heads")]
    assert len(kept) == 5
    [mine] = {head.key_id for head in kept if heads.is_genuine(head, key.public_key())}
    public = await owner.fetchval("select public_key from audit_signing_keys where key_id = $1", mine)
    assert heads.key_id(heads.public_key(public)) == mine
    assert await sign(Sealer(None)) == []


async def test_the_worker_seals_and_signs_at_its_end(clinic: Clinic, owner: asyncpg.Connection) -> None:
    await write(owner, clinic)
    await sealing.finish(clinic.database, Sealer(Ed25519PrivateKey.generate()))
    assert await owner.fetchval("select count(*) from audit_heads") == 1


async def test_a_login_that_was_not_granted_the_role_seals_nothing(
    clinic: Clinic, owner: asyncpg.Connection, database_url: str
) -> None:
    """The gateway's login: it may act as the application, and no more."""
    name = f"gateway_{clinic.organization_id[-8:]}"
    await owner.execute(f"create role {name} login password 'gateway' in role warmline_app")
    try:
        address = urlsplit(database_url)
        theirs = urlunsplit(address._replace(netloc=f"{name}:gateway@{address.hostname}:{address.port}"))
        login = Database(theirs, MASTER, lambda topic, payload: None)
        await login.start()
        with pytest.raises(Misconfigured, match="Run: grant warmline_sealer to <login>"):
            await schema.require_role(theirs, "warmline_sealer")
        with pytest.raises(Exception, match="permission denied to set role"):
            await once(login, Sweep("seals", 1, Sealer(None).seal))
        await login.stop()
    finally:
        await owner.execute(f"drop owned by {name}; drop role {name}")


def test_production_does_not_start_without_a_key(tmp_path: Any) -> None:
    settings: dict[str, Any] = {
        "database_url": "postgresql://nowhere", "redis_url": "redis://nowhere", "master_key_files": (tmp_path / "m",),
        "token_issuer": "issuer", "token_keys_file": tmp_path / "t",
    }  # fmt: skip
    with pytest.raises(Misconfigured, match="WARMLINE_AUDIT_KEY_FILE: not set"):
        sealing.sealer(Settings(**settings))
    assert sealing.sealer(Settings(**settings, profile="dev"))

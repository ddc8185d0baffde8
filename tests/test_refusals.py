"""Refusals in the access log: exactly one entry for each, of the right words, even though what was refused is rolled back."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from server import refusals
from server.dispatching import Dispatcher
from server.errors import NotFound, WarmlineError
from server.ids import ChannelId
from server.operations import LOG, OPERATIONS, OWN, SIGNED_IN, STAFF, Operation
from server.people.permissions import ROLES
from server.refusals import COUNTED, Refusal, Refusals
from tests.support.cast import Clinic
from tests.support.front import Front
from tests.support.samples import id_fields, sample
from tests.support.world import World, around, nowhere


async def entries(owner: asyncpg.Connection, after: int = 0) -> list[dict[str, Any]]:
    rows = await owner.fetch("select * from audit_entries where id > $1 order by id", after)
    return [{**row, "facts": json.loads(row["facts"])} for row in rows]


class Book:
    """What was recorded since one last looked."""

    def __init__(self, owner: asyncpg.Connection) -> None:
        self._owner = owner
        self._last = 0

    async def news(self) -> list[dict[str, Any]]:
        found = await entries(self._owner, self._last)
        self._last = found[-1]["id"] if found else self._last
        return found


@pytest.fixture
async def book(owner: asyncpg.Connection) -> Book:
    return Book(owner)


@pytest.fixture
async def world(clinic: Clinic, elsewhere: Clinic) -> World:
    return await around(clinic, elsewhere, clinic.clinician, "group")


def word(operation: Operation) -> str:
    return operation.name if operation.audits in (OWN, LOG) else operation.audits


async def lacking(clinic: Clinic, operation: Operation) -> str | None:
    """Somebody who is signed in and may not do this; None where everybody may."""
    if operation.permission == SIGNED_IN:
        return None
    role = next((role for role, held in ROLES.items() if operation.permission not in {STAFF, *held}), None)
    return await clinic.team_member(role) if role else await clinic.patient()


@pytest.mark.catalogue("S29")
async def test_who_may_not_is_recorded_once(world: World, front: Front, book: Book) -> None:
    tried = 0
    for operation in OPERATIONS:
        person = await lacking(world.clinic, operation)
        if person is None:
            continue
        await book.news()
        params = sample(operation.params, world.own)
        answer = await front.operate(front.token(person), operation.name, params)
        assert answer.status_code == 403, (operation.name, answer.text)
        [entry] = await book.news()
        assert (entry["operation"], entry["outcome"], entry["actor_id"]) == (word(operation), "refused", person)
        assert (entry["facts"]["code"], entry["request_id"]) == (403, answer.headers["X-Request-Id"])
        named = {field.name for field in id_fields(operation.params) if params.get(field.name)}
        assert {name: entry["facts"][name] for name in named} == {name: params[name] for name in named}
        assert entry["patient_id"] == params.get("patient_id")
        tried += 1
    assert tried > 5


def attempts(operation: Operation, world: World) -> Iterator[tuple[dict[str, Any], str]]:
    """Good parameters, but for one that names what is another's, or nothing at all; and which one it is."""
    good = sample(operation.params, world.own)
    for field in id_fields(operation.params):
        for theirs in (one[field.names] for one in world.others.values() if field.names in one):
            for id in (theirs, nowhere(theirs)):
                yield good | {field.name: field.holding(id)}, field.name


@pytest.mark.catalogue("S29")
async def test_what_is_not_found_is_recorded_once(world: World, front: Front, book: Book) -> None:
    """Of another organisation, of others, or of nobody: the caller cannot tell, and the log of their own organisation says it."""
    codes: Counter[int] = Counter()
    for operation in OPERATIONS:
        for params, field in attempts(operation, world):
            front.forget_refusals()
            await book.news()
            answer = await front.operate(front.token(world.caller), operation.name, params)
            codes[answer.status_code] += 1
            refused = [one for one in await book.news() if one["outcome"] == "refused"]
            if answer.status_code != 404:
                assert refused == [], (operation.name, answer.text)
                continue
            [entry] = refused
            assert (entry["operation"], entry["actor_id"]) == (word(operation), world.caller)
            assert entry["organization_id"] == world.clinic.organization_id
            assert (entry["facts"][field], entry["facts"]["code"]) == (params[field], 404)
            assert entry["request_id"] == answer.headers["X-Request-Id"]
    assert codes[404] > 20, codes


@pytest.mark.catalogue("S29")
async def test_a_refused_send_is_recorded_once_and_an_accepted_one_not_at_all(clinic: Clinic, book: Book) -> None:
    channel = await clinic.care_team(await clinic.patient())
    stranger = await clinic.team_member()
    await book.news()
    attempts = [clinic.send(stranger, channel, "Let me in") for _ in range(5)]
    attempts += [clinic.send(clinic.clinician, channel, f"Text {number}") for number in range(5)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(one) for one in outcomes] == [NotFound] * 5 + [dict] * 5
    found = await book.news()
    assert [(one["operation"], one["outcome"], one["actor_id"], one["channel_id"]) for one in found] == [
        ("message.send", "refused", stranger, channel)
    ] * 5
    [patient] = await clinic.sql("select patient_id from channels where id = $1", channel)
    assert {one["patient_id"] for one in found} == {patient["patient_id"]}, "whose record it was is said"


@pytest.mark.catalogue("S29")
async def test_whoever_is_let_in_no_more_is_recorded_and_whom_nobody_knows_is_not(
    clinic: Clinic, elsewhere: Clinic, front: Front, book: Book
) -> None:
    archived = await clinic.team_member()
    await clinic.archive(archived)
    await book.news()
    for name in ("me", "patient.list", "message.send"):
        params = {"channel_id": ChannelId.new(), "client_id": "one", "text": "Text"} if name == "message.send" else {}
        assert (await front.operate(front.token(archived), name, params)).status_code == 401
        [entry] = await book.news()
        assert (entry["operation"], entry["outcome"]) == (name, "refused")
        assert (entry["actor_id"], entry["facts"]["code"]) == (archived, 401)
    nobody = front.issuer.token(clinic.identity(clinic.clinician), org=str(elsewhere.organization_id))
    for token in (nobody, "no token", None):
        assert (await front.operate(token, "me", {})).status_code == 401
    assert await book.news() == []


async def test_a_refusal_that_cannot_be_recorded_is_one_all_the_same(
    clinic: Clinic, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    await owner.execute("alter table audit_entries add constraint full_up check (operation = '') not valid")
    with pytest.raises(NotFound):
        await clinic.call(await clinic.team_member(), "message.history", channel_id=channel)
    assert "1 refusals could not be recorded" in caplog.text


@pytest.mark.catalogue("S29")
async def test_hanging_up_does_not_spare_one_the_entry(clinic: Clinic, owner: asyncpg.Connection, book: Book) -> None:
    """Somebody whose connection ends while the refusal is written: the write goes on."""
    channel, stranger = await clinic.care_team(await clinic.patient()), await clinic.team_member()
    await book.news()
    dispatcher = Dispatcher(clinic.database, clinic.batcher)
    async with owner.transaction():
        await owner.execute("lock table audit_entries in share mode")
        params = {"channel_id": channel}
        asking = asyncio.create_task(dispatcher.call(clinic.identity(stranger), "message.history", params))
        waiting = "select exists (select from pg_locks where relation = 'audit_entries'::regclass and not granted)"
        while not await owner.fetchval(waiting):
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait({asking})
    await dispatcher.refusals.stop()
    [entry] = await book.news()
    assert (entry["operation"], entry["outcome"]) == ("message.history", "refused")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def counted(clinic: Clinic) -> AsyncIterator[tuple[Refusals, Clock]]:
    clock = Clock()
    made = Refusals(clinic.database, clock)
    yield made, clock
    await made.stop()


@pytest.mark.catalogue("S29")
async def test_a_flood_is_counted_and_its_count_is_one_entry(
    clinic: Clinic, book: Book, counted: tuple[Refusals, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "COUNT_SECONDS", 0.1)
    made, clock = counted
    await book.news()

    async def flood(number: int) -> None:
        for _ in range(number):
            await made.record(clinic.organization_id, clinic.clinician, [Refusal("patient.read", 404, {})])

    await flood(1000)
    assert len(await book.news()) == 60
    async with asyncio.timeout(5):
        while not (found := await book.news()):
            await asyncio.sleep(0.02)
    [count] = found
    assert (count["operation"], count["outcome"], count["facts"]) == (COUNTED, "refused", {"count": 940, "code": 403})
    clock.now += 10
    await flood(20)
    await made.stop()
    *single, count = await book.news()
    assert (len(single), count["facts"]["count"]) == (10, 10)


async def test_what_is_remembered_of_people_stays_bounded(
    clinic: Clinic, counted: tuple[Refusals, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_MOST_BUDGETS", 5)
    made, clock = counted
    for number in range(20):
        clock.now += 30
        await made.record(clinic.organization_id, f"tm_{number:020}", [Refusal("patient.read", 404, {})])
    assert len(made._budgets) <= 6


@pytest.mark.parametrize("method", ["patient.read", "", "message.history' or 1=1"])
async def test_what_is_no_operation_is_no_refusal(clinic: Clinic, book: Book, method: str) -> None:
    await book.news()
    with pytest.raises(WarmlineError):
        await clinic.call(clinic.clinician, method)
    assert await book.news() == []

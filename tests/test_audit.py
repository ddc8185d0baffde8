"""The access log: one entry for every access that succeeds, in its own transaction, and none for what was only a mistake."""

import json
from typing import Any

import asyncpg
import httpx
import pytest

from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import Conflict
from server.ids import ChannelId
from server.operations import BY_NAME, LOG, OPERATIONS, OWN, Operation
from server.people.tokens import KeyedVerifier
from tests.support.cast import Clinic
from tests.support.front import Front
from tests.support.samples import id_fields, sample
from tests.support.world import World, around, situations

AUDITED = [operation for operation in OPERATIONS if operation.audits not in (OWN, LOG)]
ABOUT_A_PATIENT = {"patient.create", "patient.get", "channel.activate"}


@pytest.fixture
async def world(clinic: Clinic, elsewhere: Clinic) -> World:
    """Around the clinician, in a group: there every operation works."""
    return await around(clinic, elsewhere, clinic.clinician, "group")


async def entries(owner: asyncpg.Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in await owner.fetch("select * from audit_entries order by id")]


async def everything(owner: asyncpg.Connection) -> dict[str, str]:
    """A digest of every table."""
    tables = await owner.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    digest = "select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {} t"
    return {row["relname"]: await owner.fetchval(digest.format(row["relname"])) for row in tables}


async def succeed(
    clinic: Clinic, front: Front, owner: asyncpg.Connection, operation: Operation
) -> tuple[str, dict[str, Any], httpx.Response, list[dict[str, Any]]]:
    """Do it where it works: as whom, with what, the answer, and what was recorded of it."""
    async for own, caller in situations(clinic):
        before, params = len(await entries(owner)), sample(operation.params, own)
        answer = await front.operate(front.token(caller), operation.name, params)
        if answer.status_code == 200:
            return caller, params, answer, (await entries(owner))[before:]
    raise AssertionError(f"{operation.name} works nowhere")


@pytest.mark.catalogue("S29")
async def test_a_success_is_recorded_once(clinic: Clinic, front: Front, owner: asyncpg.Connection) -> None:
    for operation in OPERATIONS:
        caller, params, answer, new = await succeed(clinic, front, owner, operation)
        if operation.audits in (OWN, LOG):
            assert new == [], operation.name
            continue
        [entry] = new
        assert (entry["operation"], entry["outcome"], entry["actor_id"]) == (operation.audits, "done", caller)
        assert entry["organization_id"] == clinic.organization_id
        assert entry["request_id"] == answer.headers["X-Request-Id"]
        if "channel_id" in params:
            assert entry["channel_id"] == params["channel_id"]
        if operation.name in ABOUT_A_PATIENT:
            assert entry["patient_id"] == params.get("patient_id", answer.json().get("id"))
        facts, told = json.loads(entry["facts"]), answer.json()
        told = told["data"] if operation.envelope else told
        assert {name: facts[name] for name in facts if name in params} == {
            name: params[name] for name in params if name in facts
        }
        assert {field.name for field in id_fields(operation.params) if params.get(field.name)} <= set(facts)
        assert all(facts[name] == told[name] for name in set(facts) - set(params) - {"patient_group_id"}), facts


async def test_a_mistake_is_not_recorded_and_changes_nothing(
    world: World, front: Front, owner: asyncpg.Connection
) -> None:
    """A wrong request says nothing of whose record was reached for."""
    tried = set()
    for operation in OPERATIONS:
        wrong = dict.fromkeys(operation.params.model_fields, "\0" * 300)
        if not wrong:
            continue
        before = await everything(owner)
        answer = await front.operate(front.token(world.caller), operation.name, wrong)
        assert answer.status_code == 422, (operation.name, answer.text)
        assert await everything(owner) == before, operation.name
        tried.add(operation.name)
    assert len(tried) > 10


@pytest.mark.catalogue("S29")
async def test_nothing_is_done_or_shown_that_cannot_be_recorded(
    clinic: Clinic, front: Front, owner: asyncpg.Connection
) -> None:
    await owner.execute("alter table audit_entries add constraint full_up check (operation = '') not valid")
    for operation in AUDITED:
        failed = False
        async for own, caller in situations(clinic):
            before, published = await everything(owner), len(clinic.published)
            answer = await front.operate(front.token(caller), operation.name, sample(operation.params, own))
            assert answer.status_code != 200, operation.name
            assert set(answer.json()) - {"success"} == {"error", "request_id"}
            assert await everything(owner) == before, operation.name
            assert len(clinic.published) == published
            if failed := answer.status_code == 500:
                break
        assert failed, operation.name


@pytest.mark.catalogue("S29")
async def test_what_fails_at_its_commit_is_not_recorded(clinic: Clinic, owner: asyncpg.Connection) -> None:
    channel = await clinic.care_team(await clinic.patient())
    before = await everything(owner)
    with pytest.raises(Conflict):
        await clinic.remove(channel, clinic.clinician)
    assert await everything(owner) == before


async def test_opening_a_channel_is_recorded_for_whoever_may(
    world: World, front: Front, owner: asyncpg.Connection
) -> None:
    verifier = KeyedVerifier.read(front.issuer.settings("postgresql://nowhere"))
    dispatcher = Dispatcher(world.clinic.database, world.clinic.batcher)
    policy = ChatPolicy(world.clinic.database, dispatcher, verifier)
    before = len(await entries(owner))
    others = [ids["channel"] for ids in world.others.values() if "channel" in ids] + [str(ChannelId.new())]
    names = [*others, world.own["channel"], "nonsense", "ch_\0"]
    await policy.subscribe(world.clinic.identity(world.caller), "connection", [(name, "") for name in names])
    done, *refused = (await entries(owner))[before:]
    assert (done["outcome"], done["operation"], done["channel_id"]) == ("done", "channel.open", world.own["channel"])
    assert [(one["outcome"], one["operation"]) for one in refused] == [("refused", "channel.open")] * len(others)
    assert [json.loads(one["facts"]) for one in refused] == [{"channel_id": id, "code": 404} for id in others]
    assert {entry["actor_id"] for entry in (done, *refused)} == {world.caller}


def test_a_send_is_its_own_record() -> None:
    assert [operation.name for operation in OPERATIONS if operation.audits == LOG] == ["message.send"]
    assert BY_NAME["message.send"].verb is None

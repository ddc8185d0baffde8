"""The isolation walk: what is another organisation's, or not one's own, is refused exactly like what does not exist.

Generated from the registry: every parameter of every operation that names something is tried with an id of the same type from
another organisation, from a channel where the caller never was, and from one that they left, over HTTP and over rpc.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import NotFound, WarmlineError
from server.operations import OPERATIONS, Operation
from server.people.tokens import KeyedVerifier
from tests.support.cast import Clinic
from tests.support.front import Front, told
from tests.support.samples import id_fields, sample
from tests.support.world import World, around, nowhere, situations

Params = dict[str, Any]
WHOLE_ORGANIZATION = ("audit.list",)
"""Whoever may read the access log reads that of the whole organisation, in ids: their memberships do not count."""
NAMING = [operation for operation in OPERATIONS if id_fields(operation.params)]


def attempts(operation: Operation, world: World) -> Iterator[tuple[str, Params, Params]]:
    """What is tried, with an id that is another's, and with one that does not exist; one parameter, then all at once."""
    fields = id_fields(operation.params)
    for where, theirs in world.others.items():
        if operation.name in WHOLE_ORGANIZATION and "another organisation" not in where:
            continue
        found = [field for field in fields if field.names in theirs]
        for chosen in ([field] for field in found):
            yield _attempt(operation, world, where, theirs, chosen)
        if len(found) > 1:
            yield _attempt(operation, world, where, theirs, found)


def _attempt(operation: Operation, world: World, where: str, theirs: Any, chosen: Any) -> tuple[str, Params, Params]:
    good = sample(operation.params, world.own)
    another = {field.name: field.holding(theirs[field.names]) for field in chosen}
    nothing = {field.name: field.holding(nowhere(theirs[field.names])) for field in chosen}
    what = f"{operation.name}: {', '.join(field.name for field in chosen)} {where}"
    return what, good | another, good | nothing


class Callers:
    """The two ways to call an operation, and what each tells."""

    def __init__(self, front: Front) -> None:
        clinic = front.clinic
        verifier = KeyedVerifier.read(front.issuer.settings("postgresql://nowhere"))
        self.policy = ChatPolicy(clinic.database, Dispatcher(clinic.database, clinic.batcher), verifier)
        self.front = front

    async def over_http(self, caller: str, operation: Operation, params: Params) -> Any:
        return told(await self.front.operate(self.front.token(caller), operation.name, params))

    async def over_rpc(self, caller: str, operation: Operation, params: Params) -> Any:
        identity = self.front.clinic.identity(caller)
        try:
            return json.loads(await self.policy.rpc(identity, operation.name, json.dumps(params).encode()))
        except WarmlineError as error:
            return type(error), error.code, error.message, error.temporary


@pytest.fixture
def callers(front: Front) -> Callers:
    return Callers(front)


@pytest.fixture(params=["care_team", "group"])
async def world(request: pytest.FixtureRequest, clinic: Clinic, elsewhere: Clinic) -> World:
    """Around the clinician, who has every permission there is."""
    return await around(clinic, elsewhere, clinic.clinician, request.param)


@pytest.mark.catalogue("S08")
async def test_what_is_anothers_is_refused_like_what_does_not_exist(world: World, callers: Callers) -> None:
    differ, tried = [], set()
    for operation in NAMING:
        for what, another, nothing in attempts(operation, world):
            tried |= {(operation.name, name) for name in nothing if another[name] != nothing[name]}
            for call in (callers.over_http, callers.over_rpc):
                answers = [await call(world.caller, operation, params) for params in (another, nothing)]
                if answers[0] != answers[1]:
                    differ.append((what, call.__name__, *answers))
    assert differ == []
    assert tried == {(operation.name, field.name) for operation in NAMING for field in id_fields(operation.params)}


@pytest.mark.catalogue("S08")
async def test_a_channel_that_is_not_ones_own_is_not_found(world: World, callers: Callers) -> None:
    wrong = []
    for operation in NAMING:
        for what, another, _ in attempts(operation, world):
            elsewhere = another.get("channel_id", world.own["channel"]) != world.own["channel"]
            if elsewhere and operation.name not in WHOLE_ORGANIZATION:
                status, body = await callers.over_http(world.caller, operation, another)
                if (status, body["error"]["message"]) != (404, "There is no such channel."):
                    wrong.append((what, status, body))
    assert wrong == []


async def works(clinic: Clinic, callers: Callers, operation: Operation) -> list[tuple[int, Any]]:
    """Empty where the operation works in some situation; else what the caller was told in each."""
    refused = []
    async for own, caller in situations(clinic):
        status, body = await callers.over_http(caller, operation, sample(operation.params, own))
        if status == 200:
            return []
        refused.append((status, body))
    return refused


@pytest.mark.catalogue("S08")
async def test_every_operation_works_with_what_is_ones_own(clinic: Clinic, callers: Callers) -> None:
    """Else the walk would compare refusals that have nothing to do with whose it is."""
    refused = {operation.name: await works(clinic, callers, operation) for operation in OPERATIONS}
    assert {name: told for name, told in refused.items() if told} == {}


@pytest.mark.catalogue("S08")
async def test_a_patients_walk_ends_the_same(clinic: Clinic, elsewhere: Clinic, callers: Callers) -> None:
    staffed = await around(clinic, elsewhere, clinic.clinician, "group")
    patient = staffed.own["patient"]
    other = await clinic.channel("group", clinic.clinician, await clinic.patient())
    staffed.others["of a group of others"] = {"channel": other}
    differ = []
    for operation in NAMING:
        for what, another, nothing in attempts(operation, staffed):
            answers = [await callers.over_rpc(patient, operation, params) for params in (another, nothing)]
            if answers[0] != answers[1]:
                differ.append((what, *answers))
    assert differ == []


@pytest.mark.catalogue("S08")
async def test_subscribing_to_what_is_not_ones_own_is_not_found(world: World, callers: Callers) -> None:
    names = [ids["channel"] for ids in world.others.values() if "channel" in ids]
    names += [nowhere(names[0]), "nonsense", "", "\0", world.own["patient"], f"#{world.caller}"]
    identity = world.clinic.identity(world.caller)
    *refused, granted = await callers.policy.subscribe(
        identity, "connection", [(name, "") for name in [*names, world.own["channel"]]]
    )
    assert {(type(one), str(one)) for one in refused} == {(NotFound, "There is no such channel.")}
    assert not isinstance(granted, WarmlineError)
    assert await callers.policy.watched(identity) == [granted.key]


@pytest.mark.catalogue("S08")
async def test_a_token_opens_one_organisation_only(clinic: Clinic, elsewhere: Clinic, front: Front) -> None:
    """Somebody's id under another organisation's name: signed by the right issuer, and still nobody."""
    mixed = front.issuer.token(clinic.identity(clinic.clinician), org=str(elsewhere.organization_id))
    answers = {}
    for operation in OPERATIONS:
        if operation.verb is not None:
            answers[operation.name] = told(await front.operate(mixed, operation.name, {}))
    assert {answer[0] for answer in answers.values()} == {401}
    assert len({str(answer) for answer in answers.values()}) == 1

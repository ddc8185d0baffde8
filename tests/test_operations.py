"""The registry is complete: who may, what comes back, what is recorded; and the dispatcher does as each line says."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import BaseModel

from server.errors import Forbidden, NoSuchOperation, WarmlineError
from server.operations import BY_NAME, LOG, OPERATIONS, OWN, SIGNED_IN, STAFF, Operation
from server.parameters import parse
from server.people import organizations
from server.people.permissions import ALL, DENIALS, ROLES
from server.people.team import Nothing
from tests.support.cast import Clinic
from tests.support.samples import id_fields

BATCHED = "message.send"


def complaints(operation: Operation) -> Iterator[str]:
    """What is missing from a line of the registry."""
    if operation.permission not in {SIGNED_IN, STAFF, *DENIALS}:
        yield "its permission is none of the vocabulary"
    for model in (operation.params, operation.result):
        if not (isinstance(model, type) and issubclass(model, BaseModel) and (model.__doc__ or "").strip()):
            yield "its params or its result are no model that says what it is"
    if operation.audits not in (OWN, LOG) and not re.fullmatch(r"[a-z_]+\.[a-z_]+", str(operation.audits)):
        yield "it has no audit word"
    if (operation.verb is None) != (operation.name == BATCHED):
        yield "it has no verb"
    if operation.verb is not None and not (inspect.getdoc(operation.verb) or "").strip():
        yield "its verb does not say what it does"
    if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", operation.name) or not operation.path.startswith("/api/"):
        yield "its name or path is not of the form that names and paths have"
    fields = getattr(operation.params, "model_fields", {})
    if set(re.findall(r"{(\w+)}", operation.path)) - set(fields):
        yield "its path holds what its params do not"
    if operation.method == "GET" and any("dict" in str(field.annotation) for field in fields.values()):
        yield "a query cannot carry an object"


def test_no_line_of_the_registry_lacks_anything() -> None:
    assert {
        operation.name: list(complaints(operation)) for operation in OPERATIONS if list(complaints(operation))
    } == {}


class Silent(BaseModel):
    pass


async def silent(*_: object) -> Silent:
    return Silent()


@pytest.mark.parametrize(
    "lack",
    [
        {"permission": ""},
        {"permission": "patient.invent"},
        {"result": None},
        {"result": dict},
        {"params": Silent},
        {"audits": ""},
        {"audits": None},
        {"verb": None},
        {"verb": silent},
        {"path": "/api/patients/{other_id}"},
    ],
)
def test_a_line_that_lacks_something_is_complained_of(lack: dict[str, object]) -> None:
    assert list(complaints(replace(BY_NAME["patient.get"], **lack))) != []  # type: ignore[arg-type]


def test_names_and_routes_are_taken_once() -> None:
    assert len(BY_NAME) == len(OPERATIONS)
    assert len({(operation.method, re.sub(r"{\w+}", "{}", operation.path)) for operation in OPERATIONS}) == len(
        OPERATIONS
    )


def test_whatever_is_named_by_an_id_is_typed() -> None:
    """So that the isolation walk finds it: a parameter that ends in id or ids carries an `x-id`."""
    untyped = {
        (operation.name, name)
        for operation in OPERATIONS
        for name in operation.params.model_fields
        if re.search(r"(_ids?|^after|^reply_to)$", name) and name not in {f.name for f in id_fields(operation.params)}
    }
    theirs = {("form_submission.create", "form_id"), ("form_submission.create", "external_submission_id")}
    assert untyped == {(BATCHED, "client_id")} | theirs  # the ids of other services


async def refusals(clinic: Clinic, person: str) -> dict[str, str]:
    """Which operations this person is refused outright, and in which words."""
    refused = {}
    for operation in OPERATIONS:
        try:
            await clinic.call(person, operation.name)
        except Forbidden as error:
            refused[operation.name] = error.message
        except WarmlineError:
            pass  # the parameters are missing; who may, is asked before
    return refused


async def test_a_role_may_what_its_permissions_say(clinic: Clinic) -> None:
    for role, permissions in ROLES.items():
        person = await clinic.team_member(role)
        expected = {
            operation.name: DENIALS[operation.permission]
            for operation in OPERATIONS
            if operation.permission not in {SIGNED_IN, STAFF, *permissions}
        }
        assert await refusals(clinic, person) == expected, role
        assert set((await clinic.call(person, "me"))["permissions"]) == permissions


async def test_patients_are_refused_what_is_for_staff_in_its_own_words(clinic: Clinic) -> None:
    expected = {
        operation.name: DENIALS.get(operation.permission, "This is for team members.")
        for operation in OPERATIONS
        if operation.permission != SIGNED_IN
    }
    assert await refusals(clinic, await clinic.patient()) == expected
    assert len(expected) > 5


async def test_an_extra_permission_adds_to_the_role_and_counts_at_once(clinic: Clinic) -> None:
    nurse = await clinic.team_member("NURSE")
    assert "team_member.create" in await refusals(clinic, nurse)
    await clinic.sql("update team_members set extra_permissions = '{team.manage}' where id = $1", nurse)
    assert "team_member.create" not in await refusals(clinic, nurse)
    await clinic.sql("update roles set permissions = '{}' where organization_id = $1", clinic.organization_id)
    assert set(await refusals(clinic, nurse)) == {
        operation.name for operation in OPERATIONS if operation.permission not in {SIGNED_IN, STAFF, "team.manage"}
    }


def test_the_vocabulary_is_whole() -> None:
    assert all(set(permissions) <= set(DENIALS) for permissions in ROLES.values())
    assert all(text.strip().endswith(".") for text in DENIALS.values())
    assert set(DENIALS) - ALL == {"session.requires_review"}
    assert {operation.permission for operation in OPERATIONS} - {SIGNED_IN, STAFF} <= ALL
    assert organizations.ROLES is ROLES


async def test_what_is_no_operation_is_told_so(clinic: Clinic) -> None:
    for name in ("", "message.sendx", "__class__", "me ", "x" * 10_000, "\0"):
        with pytest.raises(NoSuchOperation) as told:
            await clinic.call(clinic.clinician, name)
        assert len(told.value.message) < 120


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"1", b'"text"', b"{", b"\xff", b"{} {}", b"[" * 100_000])
def test_parameters_that_are_no_object_are_told_so(data: bytes) -> None:
    with pytest.raises(WarmlineError, match="request") as told:
        parse(Nothing, data)
    assert told.value.status == 422
    assert len(told.value.message) < 200

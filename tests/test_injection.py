"""Hostile text in every parameter of every operation: taken as text or refused in words, and never as anything else."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator

import asyncpg
import pytest

from server.errors import Conflict, Invalid
from server.operations import OPERATIONS, Operation
from tests.support.cast import Clinic
from tests.support.front import Front
from tests.support.samples import sample
from tests.support.world import World, around

pytestmark = pytest.mark.catalogue("S27")

CORPUS = (
    *(
        "'",
        "' or '1'='1",
        "'; drop table messages; --",
        "1); delete from people; --",
        "\\'; select pg_sleep(9); --",
        '" or ""="',
    ),
    *(
        "x' union select wrapped::text from organization_keys --",
        "$1",
        "%s %(name)s {0} {{}}",
        "%' escape '!",
        "a/**/b",
        "\\x27",
    ),
    *("a\0b", "\0", "\x1b[2J", "\u202eabc", "\u200b", "\ufeff", "\ufffe"),
    *("e\u0301", "\u212b", "\ufb01", "\uff07 or 1=1", "\u2028", "A" * 20_000, "null", "[]", "-1", "NaN", "1e999"),
)
"""Quotes and comments, placeholders, NUL and control signs, signs that normalise into others, and what is no text elsewhere."""


def texts(operation: Operation) -> Iterator[str]:
    """The parameters that can be given a text, whatever they take: over HTTP that is all but lists and objects."""
    for name, field in operation.params.model_json_schema().get("properties", {}).items():
        choices = [field, *field.get("anyOf", ())]
        if any(choice.get("type") in ("string", "integer", "boolean") or "enum" in choice for choice in choices):
            yield name


@pytest.fixture
async def world(clinic: Clinic, elsewhere: Clinic) -> World:
    return await around(clinic, elsewhere, clinic.clinician, "group")


async def rows(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows each table has."""
    named = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    return {row[0]: await owner.fetchval(f'select count(*) from "{row[0]}"') for row in await owner.fetch(named)}


@pytest.mark.timeout(300)  # thousands of requests, one after the other
async def test_hostile_text_is_text_or_is_refused(world: World, front: Front, owner: asyncpg.Connection) -> None:
    before, answers, odd = await rows(owner), Counter[int](), []
    for operation in OPERATIONS:
        good = sample(operation.params, world.own)
        for name in texts(operation):
            for hostile in CORPUS:
                if hostile == "" or (name in operation.path and hostile.strip("./") == ""):
                    continue
                front.forget_refusals()
                answer = await front.operate(front.token(world.caller), operation.name, good | {name: hostile})
                answers[answer.status_code] += 1
                if answer.status_code not in (200, 403, 404, 409, 422) or "syntax" in answer.text:
                    odd.append((operation.name, name, hostile[:40], answer.status_code, answer.text[:200]))
                if "\0" in hostile and answer.status_code == 200 and name in good:
                    odd.append((operation.name, name, hostile, "NUL was taken"))
    assert odd == []
    assert answers[422] > 100
    after = await rows(owner)
    assert set(after) == set(before)
    assert {table: (before[table], after[table]) for table in before if after[table] < before[table]} == {}


async def test_what_is_taken_comes_back_as_it_was_written(clinic: Clinic) -> None:
    taken = 0
    for hostile in CORPUS:
        params = {
            "legal_name": hostile,
            "email": f"p{taken}@clinic.invalid",
            "allocation_clinician_id": clinic.clinician,
        }
        try:
            made = await clinic.call(clinic.clinician, "patient.create", **params)
        except Invalid:
            continue
        assert made["legal_name"] == unicodedata.normalize("NFC", hostile.strip())
        assert (await clinic.call(clinic.clinician, "patient.get", patient_id=made["id"])) == made
        taken += 1
    assert taken > 12
    channel = await clinic.care_team(made["id"])
    for number, hostile in enumerate(CORPUS):
        try:
            await clinic.send(clinic.clinician, channel, hostile, f"m{number}")
        except Invalid:
            continue
        page = await clinic.call(clinic.clinician, "message.history", channel_id=channel, limit=1)
        assert page["items"][0]["text"] == hostile.strip()


async def test_two_spellings_of_one_address_are_one_address(clinic: Clinic) -> None:
    """Composed and decomposed, small and large: whoever signs in by it is one person."""
    params = {"legal_name": "Demo Patient", "allocation_clinician_id": clinic.clinician}
    composed, decomposed = "jos\u00e9@clinic.invalid", "Jose\u0301@clinic.invalid"
    assert unicodedata.normalize("NFC", decomposed.lower()) == composed
    await clinic.call(clinic.clinician, "patient.create", email=composed, **params)
    with pytest.raises(Conflict):
        await clinic.call(clinic.clinician, "patient.create", email=decomposed, **params)


@pytest.mark.parametrize("digit", ["\uff10", "\u0660", "\U0001d7ce", "\u2070"])
async def test_an_id_has_one_spelling(clinic: Clinic, front: Front, digit: str) -> None:
    """Signs that normalise into those of an id name nothing."""
    patient = await clinic.patient()
    for other in (
        patient[:-1] + digit,
        patient.upper(),
        patient + digit,
        f" {patient}",
        patient.replace("_", "\uff3f"),
    ):
        answer = await front.operate(front.token(clinic.clinician), "patient.get", {"patient_id": other})
        assert answer.status_code == 422, json.dumps(other)

"""Fields that would say who one is, sent along with every operation: ignored. Who acts is whom the token names (S11)."""

import json
from typing import Any

import asyncpg
import pytest

from server.dispatching import Dispatcher
from server.errors import WarmlineError
from server.operations import OPERATIONS
from tests.support.cast import Clinic
from tests.support.samples import sample
from tests.support.world import everything


def forged(clinic: Clinic, elsewhere: Clinic) -> dict[str, Any]:
    """What a hopeful client might say about itself."""
    admin = str(clinic.clinician)
    return {
        "sender_id": admin, "author_id": admin, "actor_id": admin, "user": admin, "user_id": admin, "sub": admin,
        "organization_id": str(elsewhere.organization_id), "tenant_id": str(elsewhere.organization_id),
        "org": str(elsewhere.organization_id), "role": "SUPERUSER", "roles": ["SUPERUSER"], "is_staff": True,
        "is_admin": True, "permissions": ["team.manage", "messaging.manage"], "extra_permissions": ["team.manage"],
        "info": {"user": admin}, "source": "rule", "audience": "staff", "visible_from": 1, "request_id": "forged",
        "admitted": True, "identity": {"person_id": admin}, "offset_override": 7,
    }  # fmt: skip


async def outcome(dispatcher: Dispatcher, clinic: Clinic, caller: str, name: str, params: dict[str, Any]) -> Any:
    """How it ended, without what is new each time."""
    try:
        return sorted(json.loads(await dispatcher.call(clinic.identity(caller), name, json.dumps(params).encode())))
    except WarmlineError as refused:
        return refused.code, refused.message


async def rows(owner: asyncpg.Connection, clinic: Clinic) -> list[Any]:
    """All that an organisation has."""
    tables = ("people", "team_members", "patients", "channels", "memberships", "messages", "events", "audit_entries")
    query = " union all ".join(
        f"select '{name}', count(*), md5(string_agg(t::text, '' order by t::text)) from {name} t where organization_id = $1"
        for name in tables
    )
    return [tuple(row) for row in await owner.fetch(query, clinic.organization_id)]


@pytest.mark.catalogue("S11")
@pytest.mark.parametrize("role", ["patient", "RECEPTIONIST", "NURSE"])
async def test_nobody_becomes_more_by_saying_so(
    clinic: Clinic, elsewhere: Clinic, owner: asyncpg.Connection, role: str
) -> None:
    dispatcher = Dispatcher(clinic.database, clinic.batcher)
    before = await rows(owner, elsewhere)
    differ, callers = [], set()
    for operation in OPERATIONS:
        known = operation.params.model_json_schema().get("properties", {})
        extra = {name: value for name, value in forged(clinic, elsewhere).items() if name not in known}
        ended = []
        for more in ({}, extra):
            member = None if role == "patient" else await clinic.team_member(role)
            own = await everything(clinic, "group", *([member] if member else [clinic.clinician]))
            caller = str(member or own["patient"])
            callers.add(caller)
            ended.append(
                await outcome(dispatcher, clinic, caller, operation.name, sample(operation.params, own) | more)
            )
        if ended[0] != ended[1]:
            differ.append((operation.name, *ended))
    assert differ == []
    assert await rows(owner, elsewhere) == before
    written = await owner.fetch(
        "select actor_id from audit_entries where organization_id = $1 and request_id = 'forged'",
        clinic.organization_id,
    )
    assert written == []
    promoted = await owner.fetch(
        "select id from team_members where organization_id = $1 and id = any($2) and (role <> $3 or extra_permissions <> '{}')",
        clinic.organization_id, sorted(callers), role,
    )  # fmt: skip
    assert promoted == []


@pytest.mark.catalogue("S25")
def test_every_page_and_every_list_that_one_may_ask_for_is_bounded() -> None:
    """Whoever asks says how much at most; nobody may say "everything"."""
    endless = []
    for operation in OPERATIONS:
        for name, field in operation.params.model_json_schema().get("properties", {}).items():
            choices = [field, *field.get("anyOf", ())]
            if name in ("limit", "count", "size") and not any(it.get("maximum", 1e9) <= 200 for it in choices):
                endless.append((operation.name, name))
            if any(it.get("type") == "array" and it.get("maxItems", 1e9) > 1_000 for it in choices):
                endless.append((operation.name, name))
    assert endless == []

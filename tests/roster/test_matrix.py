"""Who may do what with the roster: every role × every operation × one's own organisation and another one.

What is expected is written out by hand from domain.md §5; what is tried comes from the registry.
"""

import json
import re
from typing import Any

import pytest

from server.errors import Forbidden, WarmlineError
from server.operations import BY_NAME
from server.people.permissions import DENIALS
from server.roster import contents
from tests.support.cast import Clinic
from tests.support.front import Front, told
from tests.support.samples import id_fields, sample
from tests.support.world import everything

OPENS = {
    "group.create": {"group.create", "guest.create"},
    "group.read": {
        "group.list", "group.get", "guest.list", "guest.get", "group_member.list", "patient.groups",
    },
    "group.update": {
        "group.update", "guest.update", "guest.deactivate", "guest.reactivate", "guest.link", "group_member.update",
    },
    "group.delete": {"group.archive", "group.unarchive"},
    "group.member.add": {"group_member.add", "group_member.add_batch", "group_member.rejoin"},
    "group.member.remove": {"group_member.remove"},
    "group.encounter.create": {
        "encounter.create_for_group", "encounter.create_for_patient", "encounter.update", "encounter.practitioners",
        "encounter.finalize",
    },
    "group.encounter.read": {
        "encounter.list", "encounter.list_of_group", "encounter.get", "encounter.participants", "form_submission.status",
    },
    "group.encounter.note.create": {"encounter_note.create", "form_submission.create"},
    "group.encounter.note.read": {
        "encounter_note.list", "form_submission.list", "form_submission.list_of_patient", "form_submission.list_of_guest",
    },
    "messaging.manage": {"group.channel"},
}  # fmt: skip
"""The ten permissions of the seed, and which operations each opens; a group's channel belongs to messaging."""

TEN = set(OPENS) - {"messaging.manage"}
MAY = {
    "SUPERUSER": {*TEN, "messaging.manage"},
    "ADMIN": {*TEN, "messaging.manage"},
    "MANAGER": {*TEN, "messaging.manage"},
    "DOCTOR": TEN,
    "ALLIED_HEALTH": TEN,
    "NURSE": {"group.read", "group.encounter.read", "group.member.add"},
    "RECEPTIONIST": {"group.read", "group.encounter.read"},
    "a patient": set(),
}
"""The roles of the seed: the last two of staff read no notes."""

NEEDS = {operation: permission for permission, operations in OPENS.items() for operation in operations}
LISTS = {"group.list", "guest.list", "encounter.list"}
"""Another organisation's ids are filters here, which nothing passes."""


def test_the_table_speaks_of_every_operation_of_the_roster() -> None:
    assert set(NEEDS) == {line[0] for line in contents.OPERATIONS}
    assert len(TEN) == 10
    assert sum(map(len, OPENS.values())) == len(NEEDS)


async def somebody(clinic: Clinic, role: str) -> str:
    return str(await (clinic.patient() if role == "a patient" else clinic.team_member(role)))


@pytest.mark.catalogue("S08")
@pytest.mark.parametrize("role", MAY)
async def test_a_role_may_what_the_table_says_and_that_with_its_own_alone(
    role: str, clinic: Clinic, elsewhere: Clinic, front: Front
) -> None:
    who = await somebody(clinic, role)
    token, own, theirs = (
        front.token(who),
        await everything(clinic, "group", clinic.clinician),
        await everything(elsewhere, "group"),
    )
    wrong: list[Any] = []
    for name, permission in NEEDS.items():
        may = permission in MAY[role]
        operation = BY_NAME[name]
        good = sample(operation.params, own)
        foreign = good | {f.name: f.holding(theirs[f.names]) for f in id_fields(operation.params) if good.get(f.name)}
        for whose, params in (("own", good), ("another's", foreign)):
            if whose == "another's" and params == good:
                continue  # it names nothing
            status, body = told(await front.operate(token, name, params))
            words = json.dumps(body)
            if not may:
                right = status == 403 and body["error"]["message"] == DENIALS[permission]
            elif whose == "own":
                right = status in (200, 409)  # that it can be done, the isolation walk shows; here the world wears out
            else:
                right = status == 200 if name in LISTS else status in (404, 422)
                right = right and not [id for id in theirs.values() if id in words]
                right = right and not re.search(r'"(groups|guests|encounters)": \[\{', words)
            if not right:
                wrong.append((name, whose, may, status, body))
    assert wrong == []


async def test_each_permission_opens_its_own_operations_and_no_others(clinic: Clinic) -> None:
    who = await clinic.team_member("NURSE")
    await clinic.sql("update roles set permissions = '{}' where organization_id = $1", clinic.organization_id)
    for permission in ("none", *OPENS):
        extra = [permission] if permission in OPENS else []
        await clinic.sql("update team_members set extra_permissions = $2 where id = $1", who, extra)
        opened, said = set(), {}
        for name in NEEDS:
            try:
                await clinic.call(who, name)
            except Forbidden as refused:
                said[name] = refused.message
                continue
            except WarmlineError:
                pass  # the parameters are missing; who may, is asked before
            opened.add(name)
        assert opened == OPENS.get(permission, set()), permission
        assert said == {name: DENIALS[NEEDS[name]] for name in NEEDS if name not in opened}

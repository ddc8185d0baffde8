"""The roster's paths answer in an envelope, as the EMR has them: what was done in `data`, what was refused in `error`."""

from typing import Any

import jsonschema
import pytest

from server.operations import OPERATIONS
from server.roster import contents
from tests.support.cast import Clinic
from tests.support.front import Front

ROSTER = {line[0] for line in contents.OPERATIONS}


async def test_what_was_done_and_what_was_refused_stand_in_an_envelope(front: Front, clinic: Clinic) -> None:
    token = front.token(clinic.clinician)
    made = (await front.send(token, "POST", "/api/groups", json={"name": "Group", "type": "therapy"})).json()
    assert set(made) == {"success", "data"}
    assert made["success"] is True
    read = await front.send(token, "GET", f"/api/groups/{made['data']['id']}")
    assert read.json() == made
    for answer, status in (
        (await front.send(token, "POST", "/api/groups", json={"name": "Group"}), 422),
        (await front.send(token, "POST", "/api/groups", content=b"{"), 422),
        (await front.send(token, "GET", "/api/groups/grp_00000000000000000000"), 404),
        (await front.send(front.token(await clinic.patient()), "GET", "/api/groups"), 403),
        (await front.send("nobody", "GET", "/api/groups/guests"), 401),
        (await front.send(None, "GET", "/api/groups/guests"), 401),
    ):
        said = answer.json()
        assert answer.status_code == status
        assert (said["success"], set(said), set(said["error"])) == (
            False, {"success", "error", "request_id"}, {"code", "message", "temporary"},
        )  # fmt: skip


async def test_the_batch_answers_as_the_seed_shows(front: Front, clinic: Clinic) -> None:
    token, patient = front.token(clinic.clinician), await clinic.patient()
    made = (await front.send(token, "POST", "/api/groups", json={"name": "Group", "type": "therapy"})).json()
    guest = (await front.send(token, "POST", "/api/groups/guests", json={"display_name": "Spouse"})).json()
    members = [
        {"member_type": "patient", "patient_id": patient},
        {"member_type": "guest", "guest_id": guest["data"]["id"]},
    ]
    path = f"/api/groups/{made['data']['id']}/members/batch"
    said = (await front.send(token, "POST", path, json={"members": members})).json()
    assert said["success"] is True
    assert list(said["data"]) == ["created", "skipped", "errors", "items"]
    assert (said["data"]["created"], said["data"]["skipped"], said["data"]["errors"]) == (2, 0, [])


async def test_the_envelope_is_described(front: Front, clinic: Clinic) -> None:
    document = (await front.send(None, "GET", "/api/openapi.json")).json()

    def judge(operation_id: str, status: str) -> jsonschema.Draft202012Validator:
        [what] = [
            one for path in document["paths"].values() for one in path.values() if one["operationId"] == operation_id
        ]
        schema = what["responses"][status]["content"]["application/json"]["schema"]
        return jsonschema.Draft202012Validator(schema | {"components": document["components"]})

    token = front.token(clinic.clinician)
    listed: Any = (await front.send(token, "GET", "/api/groups")).json()
    judge("group.list", "200").validate(listed)
    refused = (await front.send(token, "GET", "/api/groups/grp_00000000000000000000")).json()
    judge("group.get", "default").validate(refused)
    with pytest.raises(jsonschema.ValidationError):
        judge("group.list", "200").validate(listed["data"])
    with pytest.raises(jsonschema.ValidationError):
        judge("group.get", "default").validate({"error": refused["error"], "request_id": refused["request_id"]})


def test_the_rosters_operations_alone_have_one() -> None:
    assert {operation.name for operation in OPERATIONS if operation.envelope} == ROSTER


def test_no_fixed_path_is_hidden_behind_a_parameter() -> None:
    """Of two routes that fit a path, the first one has it."""
    for place, later in enumerate(OPERATIONS):
        for earlier in OPERATIONS[:place]:
            mine, theirs = later.path.split("/"), earlier.path.split("/")
            hidden = len(mine) == len(theirs) and all(
                a == b or b.startswith("{") for a, b in zip(mine, theirs, strict=True)
            )
            assert not (hidden and later.method == earlier.method), (earlier.path, later.path)

"""Who gets in over HTTP: a good token of an active person in the header, and nothing else; an archived patient only reads."""

import pytest

from server.ids import OrganizationId, TeamMemberId
from server.operations import OPERATIONS
from server.people.actors import UNKNOWN, Identity
from tests.support.cast import Clinic
from tests.support.front import Front, told
from tests.support.issuer import new_key
from tests.support.samples import sample
from tests.support.world import World, around, everything

NOBODY = (401, {"error": {"code": 401, "message": UNKNOWN, "temporary": False}})


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", "Token {}", "{}", "Bearer {} x"]
)
async def test_without_a_bearer_token_one_is_nobody(front: Front, clinic: Clinic, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.replace("{}", front.token(clinic.clinician))}
    answer = await front.send(None, "GET", "/api/me", headers=headers)
    assert told(answer) == NOBODY
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_token_anywhere_else_does_not_count(front: Front, clinic: Clinic) -> None:
    token = front.token(clinic.clinician)
    params = {"token": token, "access_token": token, "authorization": f"Bearer {token}"}
    assert told(await front.send(None, "GET", "/api/me", params=params)) == NOBODY
    assert told(await front.send(None, "GET", "/api/me", headers={"Cookie": f"token={token}"})) == NOBODY


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_schemes_case_does_not_matter(front: Front, clinic: Clinic, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {front.token(clinic.clinician)}"}
    assert (await front.send(None, "GET", "/api/me", headers=headers)).status_code == 200


async def test_an_expired_token_is_told_apart_and_a_forged_one_is_not(front: Front, clinic: Clinic) -> None:
    identity, issuer = clinic.identity(clinic.clinician), front.issuer
    status, body = told(await front.send(issuer.token(identity, exp=1), "GET", "/api/me"))
    assert (status, body["error"]["code"]) == (401, 109)
    for forged in (issuer.unsigned(identity), issuer.confused(identity), issuer.token(identity, new_key())):
        assert told(await front.send(forged, "GET", "/api/me")) == NOBODY


async def test_whom_nobody_knows_is_nobody(front: Front, clinic: Clinic, elsewhere: Clinic) -> None:
    """Whatever they ask for, and be it right in itself."""
    archived = await clinic.team_member("ADMIN")
    world = await around(clinic, elsewhere, archived, "group")
    await clinic.archive(archived)
    somebody = clinic.identity(clinic.clinician).person_id
    identities = {
        "an archived team member": clinic.identity(archived),
        "nobody at all": clinic.identity(TeamMemberId.new()),
        "a person of another organisation": Identity(elsewhere.organization_id, somebody),
        "an organisation that is none": Identity(OrganizationId.new(), somebody),
        "no id": clinic.identity("somebody"),
    }
    top, told_otherwise = await clinic.top(world.own["channel"]), {}
    for operation in OPERATIONS:
        params = sample(operation.params, world.own)
        for who, identity in identities.items():
            answer = told(await front.operate(front.issuer.token(identity), operation.name, params))
            if answer != NOBODY:
                told_otherwise[operation.name, who] = answer
    assert told_otherwise == {}
    assert await clinic.top(world.own["channel"]) == top


async def test_an_archived_patient_reads_and_does_not_write(front: Front, clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await clinic.send(clinic.clinician, channel, "Text")
    await clinic.archive(patient)
    token = front.token(patient)
    for operation, params in (
        ("me", {}),
        ("channel.list", {}),
        ("channel.directory", {"channel_id": channel}),
        ("message.history", {"channel_id": channel}),
    ):
        assert (await front.operate(token, operation, params)).status_code == 200
    sent = await front.operate(token, "message.send", {"channel_id": channel, "client_id": "one", "text": "Text"})
    assert told(sent)[0] == 403
    assert "no longer write" in sent.text
    assert await clinic.offsets(channel) == [1, 2]


async def test_what_the_body_says_about_who_one_is_counts_for_nothing(
    front: Front, clinic: Clinic, elsewhere: Clinic
) -> None:
    """Privileged fields in every request: the server takes who asks from the token, and what is asked from the path."""
    world: World = await around(clinic, elsewhere, clinic.clinician, "group")
    theirs = await everything(elsewhere, "group")
    claims = {
        "organization_id": str(elsewhere.organization_id), "actor_id": theirs["person"], "sender_id": theirs["person"],
        "author_id": theirs["membership"], "permissions": ["team.manage"], "kind": "team_member", "at": "2000-01-01",
        "message_id": theirs["message"], "offset": 1, "status": "archived", "id": theirs["patient"], "visible_from": 1,
    }  # fmt: skip
    nurse = await clinic.team_member("NURSE")
    wanted = {"name": "Team Member 1", "email": "one@clinic.invalid", "role": "NURSE"}
    refused = await front.operate(front.token(nurse), "team_member.create", claims | wanted)
    assert refused.status_code == 403
    answer = await front.operate(
        front.token(world.caller),
        "message.send",
        claims | {"client_id": "one", "text": "Text", "channel_id": world.own["channel"]},
    )
    assert answer.status_code == 200
    [row] = await clinic.sql("select * from messages where id = $1", answer.json()["message_id"])
    assert (row["author_person_id"], row["organization_id"]) == (world.caller, clinic.organization_id)
    path = f"/api/channels/{world.own['channel']}/messages"
    other = {"channel_id": theirs["channel"], "client_id": "two", "text": "Text"}
    assert (await front.send(front.token(world.caller), "POST", path, json=other)).status_code == 200
    assert await elsewhere.top(theirs["channel"]) == 2
